#pragma once
// Whether a model is better than the best constant on rows that it has not seen, row by row: the ratio of two mean
// losses says nothing of chance.

#include <cmath>

#include "cli/session.hpp"
#include "insight/paired.hpp"
#include "insight/verdict.hpp"
#include "train/baseline.hpp"

namespace thalweg::cli {

struct AgainstConstant {
  std::string part;       ///< "validation", "test"
  std::int64_t rows = 0;  ///< that were compared
  PairedDifference gain;  ///< by how much the constant's loss is above the model's
  double constant = 0;    ///< the constant's loss

  /// Beyond chance, and by more than another constant might gain that happens to suit these rows.
  [[nodiscard]] bool is_better() const { return gain.low > 0 && gain.mean > 0.005 * std::abs(constant); }
  [[nodiscard]] bool is_worse() const { return gain.high < 0; }
  [[nodiscard]] bool are_few() const { return rows < 30; }
  [[nodiscard]] Evidence evidence(const std::string& name) const;  ///< "the best constant"
};

/// Nothing where rows have weights or no loss of their own, and of fewer than two rows. Every row counts: ask for no
/// data with labels that the loss ignores.
[[nodiscard]] std::optional<AgainstConstant> against_constant(const Session& session, const Config& config,
                                                              const Baseline& constant, const std::string& part,
                                                              const Dataset& data, const Registry& registry);

}  // namespace thalweg::cli
