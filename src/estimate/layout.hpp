#pragma once
// How a large transformer is distributed over ranks, and the memory and time of a step that follow.

#include <optional>
#include <string>
#include <vector>

#include "estimate/gpt.hpp"
#include "estimate/machine.hpp"

namespace thalweg::estimate {

/// data x tensor x pipeline ranks.
struct Layout {
  std::int64_t data = 1, tensor = 1, pipeline = 1;
  std::int64_t interleave = 1;  ///< parts of the model per rank of the pipeline
  std::int64_t micro_batch = 1;
  int level = 0;  ///< of sharding: see state_bytes
  bool sequence_parallel = true;
  Recompute recompute = Recompute::none;

  [[nodiscard]] std::int64_t ranks() const { return data * tensor * pipeline; }
  [[nodiscard]] std::string str() const;
};

/// What is trained: a model, sequences per step, and bytes per parameter.
struct Work {
  Gpt model;
  std::int64_t batch = 1;  ///< sequences
  Precision precision = mixed_adam;
};

/// Bytes on a rank of the pipeline's first stage, which needs the most.
struct Memory {
  StateBytes state;
  double activations;
  [[nodiscard]] double total() const { return state.total() + activations; }
};
[[nodiscard]] Memory memory_of(const Work& work, const Layout& layout);

/// Seconds of a step by part; the parts run one after another.
struct StepTime {
  double products;     ///< matrix products, including recomputed ones
  double elementwise;  ///< everything else, by the bytes it moves
  double tensor;       ///< messages between ranks that share a layer
  double pipeline;     ///< waiting for the pipeline to fill and to drain
  double data;         ///< gradients and parameters between replicas, unless hidden by the backward pass
  double update;
  [[nodiscard]] double total() const { return products + elementwise + tensor + pipeline + data + update; }
};
[[nodiscard]] StepTime time_of(const Work& work, const Layout& layout, const Machine& machine);

/// The fraction of the machine's peak that the model's own operations reach: recomputation does not count.
[[nodiscard]] double utilisation(const Work& work, std::int64_t ranks, double seconds, double peak);

struct Planned {
  Layout layout;
  Memory memory;
  StepTime time;
};
/// Every layout that fits into memory, the fastest first; of those with the same distribution of ranks only the
/// fastest. Empty if none fits.
[[nodiscard]] std::vector<Planned> fastest_layouts(const Work& work, std::int64_t ranks, const Machine& machine);

/// The layout that needs the least memory on its fullest rank, whether it fits or not; nothing if no layout divides the
/// work.
[[nodiscard]] std::optional<Layout> smallest_layout(const Work& work, std::int64_t ranks, const Machine& machine);

/// The fraction of a rank's memory that a plan may use: the rest is for libraries and fragmentation.
inline constexpr double usable_memory = 0.92;

}  // namespace thalweg::estimate
