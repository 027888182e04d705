#pragma once
// The report of a configuration's variants side by side.

#include "insight/gradient_flow.hpp"
#include "insight/verdict.hpp"

namespace thalweg {

/// The results of one variant.
struct VariantReport {
  std::string name;
  std::string link;  ///< to its own report; empty if it has none
  History history;
  Metrics measured;  ///< metrics of the model that was kept; see last_metrics
  Verdict verdict;
  std::optional<GradientFlow> flow;
};

/// The metrics of the last epoch of a history, on the validation set if there was one.
[[nodiscard]] Metrics last_metrics(const History& history);

/// One HTML file without references to others: a table, the losses in one chart, and the gradients of each variant
/// layer by layer. `note` is a remark on the table; it may be empty.
[[nodiscard]] std::string variants_html(std::string_view title, const std::vector<VariantReport>& variants,
                                        std::string_view note, std::string_view config);

}  // namespace thalweg
