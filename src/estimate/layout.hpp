#pragma once
// How a large transformer is shared out over ranks, and what a step then takes, in bytes and in seconds.

#include <optional>
#include <string>
#include <vector>

#include "estimate/gpt.hpp"
#include "estimate/machine.hpp"

namespace thalweg::estimate {

/// data x tensor x pipeline ranks.
struct Layout {
  std::int64_t data = 1, tensor = 1, pipeline = 1;
  std::int64_t interleave = 1;  ///< parts of the model a rank of the pipeline
  std::int64_t micro_batch = 1;
  int level = 0;  ///< of sharding: see state_bytes
  bool sequence_parallel = true;
  Recompute recompute = Recompute::none;

  [[nodiscard]] std::int64_t ranks() const { return data * tensor * pipeline; }
  [[nodiscard]] std::string str() const;
};

/// What is trained: a model, sequences a step, and bytes a parameter.
struct Work {
  Gpt model;
  std::int64_t batch = 1;  ///< sequences
  Precision precision = mixed_adam;
};

/// Bytes on the rank of the pipeline's first stage, which holds the most.
struct Memory {
  StateBytes state;
  double activations;
  [[nodiscard]] double total() const { return state.total() + activations; }
};
[[nodiscard]] Memory memory_of(const Work& work, const Layout& layout);

/// Seconds of a step, part by part, one after the other.
struct StepTime {
  double products;     ///< matrix products, those that are computed again with them
  double elementwise;  ///< all else, by the bytes it moves
  double tensor;       ///< messages between ranks that share a layer
  double pipeline;     ///< waiting for the pipeline to fill and to drain
  double data;         ///< gradients and parameters between replicas, what the backward pass does not hide
  double update;
  [[nodiscard]] double total() const { return products + elementwise + tensor + pipeline + data + update; }
};
[[nodiscard]] StepTime time_of(const Work& work, const Layout& layout, const Machine& machine);

/// The part of the machine's peak that the model's own operations are: what is computed again does not count.
[[nodiscard]] double utilisation(const Work& work, std::int64_t ranks, double seconds, double peak);

struct Planned {
  Layout layout;
  Memory memory;
  StepTime time;
};
/// Every layout that fits, the fastest first; of those that share ranks out alike only the fastest. Empty where none
/// fits.
[[nodiscard]] std::vector<Planned> fastest_layouts(const Work& work, std::int64_t ranks, const Machine& machine);

/// The layout whose fullest rank needs the least memory, whether it fits or not; none where no layout divides the work.
[[nodiscard]] std::optional<Layout> smallest_layout(const Work& work, std::int64_t ranks, const Machine& machine);

/// The part of a rank's memory that a plan may fill: the rest is the libraries' and fragments.
inline constexpr double usable_memory = 0.92;

}  // namespace thalweg::estimate
