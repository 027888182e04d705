#pragma once
// Compares the formulas with published figures, each with its source.

#include <string>
#include <vector>

namespace thalweg::estimate {

enum class Evidence {
  formula,  ///< the figure follows from the formula alone
  fitted,   ///< the machine's efficiencies were fitted to it
  checked   ///< a measurement to which nothing was fitted
};

struct PublishedRow {
  std::string what, source, unit;
  double published, computed;
  Evidence evidence;
  [[nodiscard]] double difference() const { return computed / published - 1; }
};

[[nodiscard]] std::vector<PublishedRow> published_rows();

}  // namespace thalweg::estimate
