#pragma once
// Compares a model with the best constant, row by row, on rows that the model has not seen. The ratio of the two mean
// losses alone does not show whether the difference could be chance.

#include <cmath>

#include "cli/session.hpp"
#include "insight/paired.hpp"
#include "insight/verdict.hpp"
#include "train/baseline.hpp"

namespace thalweg::cli {

struct AgainstConstant {
  std::string part;       ///< "validation", "test"
  std::int64_t rows = 0;  ///< number of compared rows
  PairedDifference gain;  ///< the constant's loss minus the model's
  double constant = 0;    ///< the constant's loss

  /// Better by more than chance, and by more than another constant could gain that happens to fit these rows.
  [[nodiscard]] bool is_better() const { return gain.low > 0 && gain.mean > 0.005 * std::abs(constant); }
  [[nodiscard]] bool is_worse() const { return gain.high < 0; }
  [[nodiscard]] bool are_few() const { return rows < 30; }
  [[nodiscard]] Evidence evidence(const std::string& name) const;  ///< "the best constant"
};

/// Empty if rows have weights, if rows have no separate losses, and for fewer than two rows. Every row counts, so it
/// must not be called for data with labels that the loss ignores.
[[nodiscard]] std::optional<AgainstConstant> against_constant(const Session& session, const Config& config,
                                                              const Baseline& constant, const std::string& part,
                                                              const Dataset& data, const Registry& registry);

/// By how much more often than the constant the model is right; nothing if an accuracy is not known.
[[nodiscard]] std::optional<double> more_often_right(const Evaluation& evaluation,
                                                     const std::vector<NamedMetrics>& baselines);
/// Whether that is more than chance. The accuracy on n rows has a standard deviation of at most 1 / (2 sqrt(n)); the
/// test requires two of them.
[[nodiscard]] bool is_right_more_often(const Evaluation& evaluation, const std::vector<NamedMetrics>& baselines);

/// Whether the model's gain over the constant on held-out rows also exists on training rows: the epoch that was kept
/// may be the best of many on a few held-out rows by chance.
[[nodiscard]] bool holds_on_training_rows(Session& session, const JudgeOptions& constants,
                                          const std::vector<Baseline>& baselines, const PairedDifference& gain,
                                          std::optional<double> more_often);

}  // namespace thalweg::cli
