#pragma once
// Parts of sequence models that are shared by the whole models and by their form for one position at a time.

#include <string_view>

#include "thalweg/sequence.hpp"

namespace thalweg::nn {

inline constexpr std::string_view truncate_doc =
    "the gradient does not pass multiples of this number of steps; 0: no limit";

/// 0, 1, ... time - 1 as i32 (time).
[[nodiscard]] Var places_up_to(Graph& graph, std::int64_t time);

/// Throws UsageError unless the tokens are i32 (batch, time), with time at most `context` if that is not 0.
void expect_tokens(std::string_view model, Var tokens, std::int64_t context);

/// Queries, keys and values of x (batch, time, features), rotated by their positions if the options say so:
/// (batch, time, 3, heads, width).
[[nodiscard]] Var projected_qkv(Scope s, const Arg& x, const MultiHeadAttentionOptions& options, Var positions);

/// multi_head_attention for one position, x (batch, 1, features) at position i32 (1). It attends to the earlier
/// positions in `cache` (batch, context, 2, heads, width) and adds its own keys and values there.
[[nodiscard]] Var cached_attention(Scope s, const Arg& x, const MultiHeadAttentionOptions& options, Var position,
                                   Var& cache);

}  // namespace thalweg::nn
