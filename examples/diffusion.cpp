// Diffusion (Ho, Jain and Abbeel 2020): a net learns to take the noise out of noisy images, and makes images out of
// noise in 25 steps. On Fashion-MNIST (`./dev data` fetches it). It ends well if the mean of what is generated is
// nearer to the mean picture than a grey one is.

#include <cstdlib>
#include <iostream>
#include <numbers>
#include <thalweg/thalweg.hpp>

namespace tw = thalweg;

namespace {

/// x (batch, 28, 28, 1), a (batch) -> the velocity, with the shape of x.
tw::Var denoiser(tw::Scope s, const tw::Var& x, const tw::Var& a) {
  const auto angle = tw::reshape(a, {x.dim(0), 1});
  const auto time = tw::nn::dense(s / "time", tw::concat({tw::cos(angle), tw::sin(angle)}, -1), 32);
  const auto wide = tw::relu(tw::nn::conv2d(s / "input", x, {.filters = 16}));
  const auto half = tw::nn::conv2d(s / "smaller", wide, {.filters = 32, .stride = 2});
  const auto deep = tw::nn::conv2d(s / "smallest", tw::relu(half + tw::reshape(time, {x.dim(0), 1, 1, 32})),
                                   {.filters = 64, .stride = 2});
  const auto back = tw::relu(tw::nn::conv_transpose2d(s / "larger", tw::relu(deep), {.filters = 32, .kernel = 4}));
  const auto full = tw::nn::conv_transpose2d(s / "largest", tw::concat({back, half}, -1), {.filters = 16, .kernel = 4});
  return tw::nn::conv2d(s / "output", tw::concat({tw::relu(full), wide}, -1), {.filters = 1});
}

/// An angle from 0 to pi / 2 mixes image and noise; the velocity is the derivative of the mixture by the angle.
tw::Loss diffusion(tw::Scope s, const tw::Batch& b) {
  const auto x = tw::reshape(tw::cast(b["input"], s.dtype()) / 127.5 - 1, {b.rows(), 28, 28, 1});
  const auto a = s.uniform("angle", {b.rows(), 1, 1, 1}) * (std::numbers::pi / 2);
  const auto noise = s.normal("noise", x.shape());
  const auto velocity = denoiser(s, tw::cos(a) * x + tw::sin(a) * noise, a);
  return tw::Loss::of_samples(tw::square(velocity - (tw::cos(a) * noise - tw::sin(a) * x)));
}

/// Turns noise into images: a step of the sampler goes from one angle to the next (Song, Meng and Ermon 2021).
tw::Tensor images(const tw::State& state, tw::Tensor x, std::int64_t steps) {
  const tw::Apply turn([](tw::Scope s, const tw::Batch& b) {
    const auto velocity = denoiser(s, b["x"], tw::broadcast_to(b["from"], {b["x"].dim(0)}));
    return tw::cos(b["step"]) * b["x"] - tw::sin(b["step"]) * velocity;
  });
  const double step = std::numbers::pi / 2 / static_cast<double>(steps);
  for (std::int64_t left = steps; left > 0; --left)
    x = turn(state, {{"x", x}, {"from", tw::full({}, step * static_cast<double>(left))}, {"step", tw::full({}, step)}});
  return x;
}

/// Between the mean pictures, in [-1, 1].
tw::Tensor distance(const tw::State& state, const tw::Tensor& made, const tw::Tensor& real) {
  const tw::Apply apart([](tw::Scope s, const tw::Batch& b) {
    const auto wanted = tw::mean(tw::cast(b["real"], s.dtype()) / 127.5 - 1, 0);
    return tw::mean(tw::abs(tw::flatten(tw::mean(b["made"], 0), 0) - tw::flatten(wanted, 0)));
  });
  return apart(state, {{"made", made}, {"real", real}});
}

}  // namespace

int main() {
  auto [train, test] = tw::data::fashion_mnist();
  if (const char* rows = std::getenv("THALWEG_EXAMPLE_ROWS")) train = train.slice(0, std::atoll(rows));

  tw::Trainer trainer({{"", diffusion, tw::optim::adam({.lr = 2e-3}), {.averages = {{.name = "ema", .decay = 0.98}}}}});
  trainer.fit(train, {.epochs = 2, .batch_size = 64, .on_epoch = [](const tw::EpochReport& epoch) {
                        std::cout << "epoch " << epoch.epoch;
                        for (const auto& [name, value] : epoch.metrics) std::cout << "  " << name << " " << value;
                        std::cout << std::endl;
                      }});

  const tw::State average = trainer.state().average("ema");
  const tw::Tensor made = images(average, tw::random_normal({256, 28, 28, 1}, 7), 25);
  const double found = distance(average, made, test["input"]).at(0);
  const double grey = distance(average, tw::zeros({1, 28 * 28}), test["input"]).at(0);
  std::cout << "from the mean picture: " << found << " (a grey one " << grey << ")\n";
  return found < 0.6 * grey ? 0 : 1;
}
