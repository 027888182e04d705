#pragma once
// Where the samples of a batch are: along which axis of each value, or whether the value is a sum over them. A loss
// that is such a sum can be computed shard by shard; if an op mixes samples, the whole step is one shard.

#include <span>

#include "core/signature.hpp"

namespace thalweg {

struct Attributes;

struct SampleAxis {
  enum class Kind {
    none,    ///< does not depend on the batch
    along,   ///< sample i is the i-th of `samples` equal parts along `axis`
    summed,  ///< a sum with one term for each sample
    mixed,   ///< anything else
  };
  Kind kind = Kind::none;
  int axis = 0;
  static SampleAxis along(int axis) { return {Kind::along, axis}; }
  static SampleAxis summed() { return {Kind::summed, 0}; }
  static SampleAxis mixed() { return {Kind::mixed, 0}; }
  friend bool operator==(const SampleAxis&, const SampleAxis&) = default;
};

/// The arguments of a rule.
struct SampleSite {
  std::span<const SampleAxis> inputs;
  std::span<const Signature> signatures;  ///< of the inputs
  const Signature& output;
  const Attributes& attributes;
  std::int64_t samples;

  [[nodiscard]] bool none_depends() const {
    for (const SampleAxis& input : inputs) {
      if (input.kind != SampleAxis::Kind::none) return false;
    }
    return true;
  }
};
using SampleRule = SampleAxis (*)(const SampleSite&);

// The rules that several ops share. They are called only if an input depends on the batch.
SampleAxis elementwise_samples(const SampleSite& site);  ///< not linear in any input
SampleAxis linear_samples(const SampleSite& site);       ///< linear in all inputs together
SampleAxis product_samples(const SampleSite& site);      ///< linear in each input
SampleAxis quotient_samples(const SampleSite& site);     ///< linear in the first input
SampleAxis rows_samples(const SampleSite& site);         ///< works along the last axis
SampleAxis reshape_samples(const SampleSite& site);

class Graph;
class Var;
/// Where the samples are in `value`, given that they lie along axis 0 of `columns`, `samples` of them.
[[nodiscard]] SampleAxis samples_in(const Graph& graph, Var value, std::span<const Var> columns, std::int64_t samples);

}  // namespace thalweg
