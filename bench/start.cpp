// Trains a hundred small steps and ends. bench/run measures its time and memory: the least that a trainer adds to a
// program.

#include <cstdio>

#include "peak.hpp"
#include "thalweg/thalweg.hpp"

namespace tw = thalweg;

int main() {
  tw::Dataset batch;
  batch.set("input", tw::random_normal({32, 57}, 1));
  batch.set("target", tw::full({32, 1}, 1));
  auto step = tw::train_step(tw::objective_of(tw::nn::linear(1), tw::loss::binary_cross_entropy), tw::optim::adam(), 1);
  tw::State state = step.init(batch, 1);
  double loss = 0;
  for (int i = 0; i < 100; ++i) loss = step(state, batch).loss;
  std::printf("peak %.2f MB\n", peak_megabytes());
  return loss < 1 ? 0 : 1;
}
