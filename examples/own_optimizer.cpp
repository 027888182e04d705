// An optimizer of your own: a few lines of mathematics, compiled to one fused pass like the built-in ones.

#include <iostream>
#include <thalweg/thalweg.hpp>

namespace tw = thalweg;

namespace {

// Lion: the sign of an interpolation between momentum and gradient. (Chen et al. 2023, algorithm 2)
tw::Transform lion(double beta1 = 0.9, double beta2 = 0.99) {
  return {.name = "lion", .slots = {{"m", 0.0}}, .rule = [=](tw::Update& u) {
            const auto b1 = u.scalar("beta1", beta1), b2 = u.scalar("beta2", beta2);
            const auto direction = tw::sign(b1 * u["m"] + (1 - b1) * u.gradient);
            u["m"] = b2 * u["m"] + (1 - b2) * u.gradient;
            return direction;  // the input of the chain's next part; the result of the last one is subtracted
          }};
}

/// Points in a square. The target is 1 inside the unit circle and 0 outside.
tw::Dataset circle(std::int64_t rows, std::uint64_t seed) {
  const auto x = tw::random_uniform({rows, 2}, -1.5, 1.5, seed);
  tw::Tensor label({rows}, tw::i32);
  for (std::int64_t i = 0; i < rows; ++i) {
    label.set(i, x.at(2 * i) * x.at(2 * i) + x.at(2 * i + 1) * x.at(2 * i + 1) < 1 ? 1 : 0);
  }
  tw::Dataset data;
  data.set("input", x);
  data.set("target", label);
  return data;
}

double accuracy_with(tw::Optimizer optimizer) {
  tw::Trainer trainer(tw::nn::mlp(2, {.hidden = {32, 32}}), tw::loss::cross_entropy, std::move(optimizer));
  trainer.fit(circle(4000, 1), {.epochs = 20, .batch_size = 50});
  return trainer.evaluate(circle(4000, 2))["accuracy"];
}

}  // namespace

int main() {
  const double adamw = accuracy_with(tw::optim::adamw({.lr = 3e-3, .schedule = tw::schedule::cosine()}));
  const double ours =
      accuracy_with(tw::optim::chain(tw::optim::clip_norm(1.0), lion(), tw::optim::add_decayed_weights(0.1),
                                     tw::optim::scale_by_lr(5e-4, tw::schedule::cosine())));
  std::cout << "accuracy with adamw " << adamw << ", with lion " << ours << "\n";
  return adamw > 0.95 && ours > 0.95 ? 0 : 1;
}
