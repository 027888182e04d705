// A run of your own: a network learns to draw rings. The run's folder, progress, Ctrl-C, resume and report work as
// those of the command: `example_own_run --out runs/rings`, Ctrl-C, `example_own_run --out runs/rings --resume`.

#include <cmath>
#include <iostream>
#include <thalweg/thalweg.hpp>

namespace tw = thalweg;

namespace {

constexpr std::int64_t side = 48;

/// From places in [-1, 1), (points, 2), to their brightness in (0, 1), (points, 1).
tw::Var drawing(tw::Scope s, const tw::Var& place) {
  const auto waves = tw::sin(tw::nn::dense(s / "waves", place, 64, {.initializer = tw::init::normal(6)}));
  return tw::sigmoid(tw::nn::dense(s / "output", tw::tanh(tw::nn::dense(s / "hidden", waves, 64)), 1));
}

tw::Loss objective(tw::Scope s, const tw::Batch& b) { return tw::loss::mse(drawing(s, b["place"]), b["brightness"]); }

/// Random points, and the brightness of the rings there.
tw::Dataset points(std::int64_t count, std::uint64_t seed) {
  const auto place = tw::random_uniform({count, 2}, -1, 1, seed);
  tw::Tensor brightness({count, 1});
  for (std::int64_t i = 0; i < count; ++i)
    brightness.set(i, 0.5 + 0.5 * std::cos(12 * std::hypot(place.at(2 * i), place.at(2 * i + 1))));
  tw::Dataset data;
  data.set("place", place);
  data.set("brightness", brightness);
  return data;
}

/// The centres of the pixels of a picture, (side * side, 2).
tw::Tensor pixels() {
  tw::Tensor places({side * side, 2});
  for (std::int64_t i = 0; i < side * side; ++i) {
    places.set(2 * i, (2.0 * static_cast<double>(i / side) + 1) / side - 1);
    places.set(2 * i + 1, (2.0 * static_cast<double>(i % side) + 1) / side - 1);
  }
  return places;
}

struct Options {
  std::int64_t rounds = 40;
  double lr = 5e-3;
};

int run(int argc, char** argv) {
  tw::Run run("runs/rings", argc, argv);
  Options o;
  run.read(
      {{"rounds", &o.rounds, "of a hundred steps each", {.low = 1}}, {"lr", &o.lr, "the learning rate", tw::positive}});
  auto step = tw::train_step(objective, tw::optim::adam({.lr = o.lr}), 1);
  auto state = step.init(points(64, 0), /*seed=*/1);
  const tw::Apply draw([](tw::Scope s, const tw::Batch& b) { return drawing(s, b["x"]); }, 1);
  run.on_epoch([&] {
    if (run.step() % 5 == 0) run.pictures("what it draws", draw(state, {{"x", pixels()}}).reshape({1, side, side, 1}));
  });
  double loss = 0;
  try {
    for (run.restore(state); run.step() < o.rounds; run.next(state)) {
      for (int i = 0; i < 100; ++i) loss = step(state, points(64, static_cast<std::uint64_t>(state.step) + 1)).loss;
      run.log("loss", loss);
    }
  } catch (const tw::NumericError& error) {
    return run.finish(error);  // the report has the run up to the error
  }
  return run.finish(state);
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const tw::Error& error) {
    std::cerr << error.what() << "\n";
    return error.exit_code();
  }
}
