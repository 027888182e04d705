// A classifier of images: Fashion-MNIST, from Debian's package dataset-fashion-mnist (`./dev data` fetches it).

#include <cstdlib>
#include <iostream>
#include <thalweg/thalweg.hpp>

namespace tw = thalweg;

namespace {

// A model is a function. Parameters are declared where they are used, and their shapes follow from the input.
tw::Var mlp(tw::Scope s, tw::Var images) {
  auto x = tw::flatten(tw::cast(images, tw::f32) / 255);  // (batch, 784)
  x = tw::relu(tw::nn::dense(s / "hidden", x, 256));
  return tw::nn::dense(s / "logits", x, 10);
}

}  // namespace

int main() {
  auto [train, test] = tw::data::fashion_mnist();
  if (const char* rows = std::getenv("THALWEG_EXAMPLE_ROWS")) train = train.slice(0, std::atoll(rows));

  tw::Trainer trainer(mlp, tw::loss::cross_entropy,
                      tw::optim::adamw({.lr = 3e-3, .schedule = tw::schedule::one_cycle()}));
  trainer.fit(train, {.epochs = 5, .batch_size = 128, .validation = 0.1, .on_epoch = [](const tw::EpochReport& epoch) {
                        std::cout << "epoch " << epoch.epoch;
                        for (const auto& [name, value] : epoch.metrics) std::cout << "  " << name << " " << value;
                        std::cout << std::endl;
                      }});
  const auto result = trainer.evaluate(test);
  std::cout << result << "\n";
  trainer.save("fashion.safetensors");
  return result["accuracy"] > 0.8 ? 0 : 1;
}
