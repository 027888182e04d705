#pragma once
// The report of a configuration's variants side by side.

#include "insight/gradient_flow.hpp"
#include "insight/verdict.hpp"

namespace thalweg {

/// How one variant went.
struct VariantReport {
  std::string name;
  std::string link;  ///< to its own report; empty where it has none
  History history;
  Metrics measured;  ///< of the model that was kept; see last_metrics
  Verdict verdict;
  std::optional<GradientFlow> flow;
};

/// What the last epoch of a history measured; of a validation set where there was one.
[[nodiscard]] Metrics last_metrics(const History& history);

/// One HTML file that needs nothing else: a table, the losses in one chart, each variant's gradients layer by layer.
/// `note` is what is to be known of the table; nothing where it is empty.
[[nodiscard]] std::string variants_html(std::string_view title, const std::vector<VariantReport>& variants,
                                        std::string_view note, std::string_view config);

}  // namespace thalweg
