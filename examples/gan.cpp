// A generative adversarial network (Goodfellow et al. 2014): two objectives over one state, on Fashion-MNIST (`./dev
// data` fetches it). The exit code is 0 if the mean of the generated pictures is clearly nearer to the mean of the real
// ones than a grey picture is.

#include <cmath>
#include <cstdlib>
#include <iostream>
#include <thalweg/thalweg.hpp>

namespace tw = thalweg;

namespace {

tw::Var generator(tw::Scope s, const tw::Var& z) {  // (batch, 64) -> (batch, 28, 28, 1) in [-1, 1]
  const auto seed = tw::reshape(tw::nn::dense(s / "seed", z, 7 * 7 * 32), {z.dim(0), 7, 7, 32});
  const auto x = tw::relu(tw::nn::batch_norm(s / "norm1", seed));
  const auto y = tw::nn::conv_transpose2d(s / "up1", x, {.filters = 16, .kernel = 4});
  const auto h = tw::relu(tw::nn::batch_norm(s / "norm2", y));
  return tw::tanh(tw::nn::conv_transpose2d(s / "up2", h, {.filters = 1, .kernel = 4}));
}

tw::Var discriminator(tw::Scope s, const tw::Var& x) {  // -> a logit: is it real?
  const auto h = tw::leaky_relu(tw::nn::conv2d(s / "down1", x, {.filters = 16, .kernel = 4, .stride = 2}), 0.2);
  const auto y = tw::leaky_relu(tw::nn::conv2d(s / "down2", h, {.filters = 32, .kernel = 4, .stride = 2}), 0.2);
  return tw::nn::dense(s / "out", tw::flatten(y), 1);
}

tw::Loss d_loss(tw::Scope s, const tw::Batch& b) {
  const auto images = tw::reshape(tw::cast(b["input"], s.dtype()) / 127.5 - 1, {b.rows(), 28, 28, 1});
  const auto made = tw::stop_gradient(generator(s / "g", s.normal("z", {b.rows(), 64})));
  const auto real = discriminator(s.share("d"), images);
  const auto fake = discriminator(s.share("d"), made);
  s.report("taken for real", tw::sigmoid(fake));
  return tw::Loss::of_samples(tw::softplus(-real) + tw::softplus(fake));
}

tw::Loss g_loss(tw::Scope s, const tw::Batch& b) {
  const auto made = generator(s / "g", s.normal("z", {b.rows(), 64}));
  return tw::Loss::of_samples(tw::softplus(-discriminator(s / "d", made)));
}

double distance(
    const tw::Tensor& pictures,
    const tw::Tensor& images) {  // mean absolute difference of the mean pictures, whose pixels are in [-1, 1]
  const std::int64_t places = 28 * 28, made = pictures.shape()[0], rows = images.shape()[0];
  double total = 0;
  for (std::int64_t place = 0; place < places; ++place) {
    double mean = 0, wanted = 0;
    for (std::int64_t i = 0; i < made; ++i) mean += pictures.at(i * places + place) / static_cast<double>(made);
    for (std::int64_t i = 0; i < rows; ++i)
      wanted += (images.at(i * places + place) / 127.5 - 1) / static_cast<double>(rows);
    total += std::abs(mean - wanted) / places;
  }
  return total;
}

}  // namespace

int main() {
  auto [train, test] = tw::data::fashion_mnist();
  if (const char* rows = std::getenv("THALWEG_EXAMPLE_ROWS")) train = train.slice(0, std::atoll(rows));

  const auto adam = tw::optim::adam({.lr = 1e-3, .beta1 = 0.5});
  tw::Trainer gan({{"d", d_loss, adam, {.trains = "d/*"}},
                   {"g", g_loss, adam, {.trains = "g/*", .averages = {{.name = "ema", .decay = 0.98}}}}});
  gan.fit(train, {.epochs = 3, .batch_size = 64, .on_epoch = [](const tw::EpochReport& epoch) {
                    std::cout << "epoch " << epoch.epoch;
                    for (const auto& [name, value] : epoch.metrics) std::cout << "  " << name << " " << value;
                    std::cout << std::endl;
                  }});

  const tw::Apply sample([](tw::Scope s, const tw::Batch& b) { return generator(s / "g", b["z"]); });
  const auto pictures = sample(gan.state().average("ema"), {{"z", tw::random_normal({256, 64}, 7)}});
  gan.state().save("gan.safetensors", "g/*");
  const double found = distance(pictures, test["input"]), grey = distance(tw::zeros({1, 28 * 28}), test["input"]);
  std::cout << "from the mean picture: " << found << " (a grey one " << grey << ")\n";
  return found < 0.6 * grey ? 0 : 1;
}
