#pragma once
// How many rows of a batch make a shard where nobody says.

#include <span>

#include "engine/objective.hpp"
#include "thalweg/state.hpp"

namespace thalweg {

/// The batch in 4 shards, in 2 for models above 4 million parameters; in fewer where a shard would have less than 2
/// million multiplications to do, counting three a row and parameter, or where its forward pass would do less than 47
/// operations a number of its gradient: a dense layer does that with about 24 rows, a convolution or a sequence with
/// fewer, an embedding hardly ever. Each shard writes a gradient of its own that is added to the others', which such a
/// shard would spend much of its time on. Depends on the batch and the model alone. Traces the objectives, unless one
/// shard is enough anyway.
[[nodiscard]] std::int64_t default_shard_size(std::span<const EvaluationFunction> objectives,
                                              const std::vector<ColumnSpec>& columns, const Layout& layout,
                                              std::int64_t batch_size);

}  // namespace thalweg
