#include "data/class_weights.hpp"

#include <map>

#include "core/error.hpp"

namespace thalweg::data {

void balance_classes(Dataset& data) {
  const Tensor& target = data["target"];
  if (target.size() != data.rows()) {
    fail<UsageError>("[data] class_weights = \"balanced\", and the targets {} are no classes", target.shape());
  }
  Tensor weight = data.has("weight") ? data["weight"] : ones({data.rows()});
  std::map<double, double> totals;
  double total = 0;
  for (std::int64_t row = 0; row < data.rows(); ++row) {
    totals[target.at(row)] += weight.at(row);
    total += weight.at(row);
  }
  for (std::int64_t row = 0; row < data.rows(); ++row) {
    const double own = totals[target.at(row)];
    if (own > 0) weight.set(row, weight.at(row) * total / (static_cast<double>(totals.size()) * own));
  }
  data.set("weight", std::move(weight));
}

}  // namespace thalweg::data
