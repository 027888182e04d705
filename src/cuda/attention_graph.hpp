#pragma once
// Attention of bf16 and its gradient as graphs of cuDNN, which computes them without a (time x time) matrix of f32.

#include <string>
#include <string_view>

#include "cuda/compiler.hpp"
#include "cuda/dnn_graph.hpp"
#include "kernels/attention.hpp"

namespace thalweg::cuda {

struct AttentionGraph {
  /// Steps along time and batch, in elements; those of heads are next to each other.
  struct Steps {
    std::int64_t time = 0, batch = 0;
  };
  /// The operands' numbers. Those from `scale` on are numbers, at addresses of the host.
  enum Id : std::int64_t {
    of_q = 1,
    of_k,
    of_v,
    of_value,
    of_logs,  ///< of the sum of e^score of each row: (batch, heads, queries)
    of_g,     ///< the cotangent of the value
    of_means,
    of_dq,
    of_dk,
    of_dv,
    scale,
    minus_infinity,
    one,
    count_of_keys,
    count_of_queries,
    ids
  };
  using Places = std::array<const void*, ids>;  ///< by number

  bool gradient = false, causal = false;
  std::int64_t batch = 0, heads = 0, queries = 0, keys = 0, width = 0;
  Steps q = {}, k = {}, v = {}, value = {};  ///< a gradient lies as what it is of

  /// The same in words, which differ where the graphs do.
  [[nodiscard]] std::string str() const;
  /// The gradient of as many samples at once, or of one sample's heads, as need no more workspace than a plan may take:
  /// a deterministic one keeps the cotangents of all scores, in bf16. All parts are equal.
  [[nodiscard]] AttentionGraph part_of_gradient() const;
};

/// The graph of an op at a site, whole. Nothing where a fused kernel cannot hold what our op says: operands that are
/// not all bf16, lengths, queries that see no key, and what the library refuses.
[[nodiscard]] std::optional<AttentionGraph> attention_graph(std::string_view op, const KernelSite& site);

/// Operands in bf16 are at multiples of this, or the library has no plan.
inline constexpr std::int64_t attention_alignment = 16;

/// Forward: q, k, v to value and logs. Gradient: these and g to dq, dk and dv. What `kept` has of the GPU that
/// `made_for` names is not made again.
[[nodiscard]] std::optional<DnnPlan> plan_of(const PlanTarget& target, const AttentionGraph& graph,
                                             const CodeCache& kept = CodeCache({}), std::string_view made_for = {});

}  // namespace thalweg::cuda
