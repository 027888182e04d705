// The library inside another program: data from memory, a stop button, progress by a callback, typed errors. The
// library itself never prints, exits or handles signals.

#include <chrono>
#include <iostream>
#include <stop_token>
#include <thalweg/thalweg.hpp>
#include <vector>

namespace tw = thalweg;

namespace {

struct Reading {
  float temperature, humidity, power;
};

/// The data of the surrounding program: power = 3 + 2 temperature - humidity.
std::vector<Reading> readings() {
  std::vector<Reading> all;
  const auto x = tw::random_uniform({1000, 2}, -1, 1, 1);
  for (std::int64_t i = 0; i < 1000; ++i) {
    const auto t = static_cast<float>(x.at(2 * i)), h = static_cast<float>(x.at(2 * i + 1));
    all.push_back({t, h, 3 + 2 * t - h});
  }
  return all;
}

tw::Dataset dataset_of(const std::vector<Reading>& all) {
  std::vector<float> inputs, targets;
  for (const Reading& r : all) {
    inputs.insert(inputs.end(), {r.temperature, r.humidity});
    targets.push_back(r.power);
  }
  return tw::Dataset::from(inputs, {static_cast<std::int64_t>(all.size()), 2}, targets);
}

}  // namespace

int main() {
  std::stop_source stop_button;  // another thread may press it
  double last_loss = 0;
  tw::Trainer trainer(tw::nn::linear(1), tw::loss::mse, tw::optim::adam({.lr = 0.05}));
  try {
    const auto history = trainer.fit(dataset_of(readings()), {.epochs = 30,
                                                              .batch_size = 100,
                                                              .stop = stop_button.get_token(),
                                                              .on_step = [&](const tw::StepReport& report) {
                                                                last_loss = report.loss;
                                                                if (report.loss < 1e-6) stop_button.request_stop();
                                                              }});
    std::cout << history.steps.size() << " steps, loss " << last_loss << "\n";
  } catch (const tw::NumericError& error) {
    std::cerr << "the rate was too high: " << error.what() << "\n";
    return 1;
  } catch (const tw::Error& error) {
    std::cerr << error.what() << "\n";
    return 1;
  }

  const float row[] = {0.5F, -0.25F}, unknown[] = {0};
  const double power = trainer.predict(tw::Dataset::from(row, {1, 2}, unknown)).item();
  std::cout << "predicted power " << power << ", true 4.25\n";
  return power > 4.2 && power < 4.3 ? 0 : 1;
}
