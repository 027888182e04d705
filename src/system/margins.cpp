#include "system/margins.hpp"

#include <algorithm>
#include <cmath>

namespace thalweg {

Metrics margin_metrics(std::span<const double> margins, std::string right) {
  double above = 0, loss = 0;
  for (const double margin : margins) {
    above += margin > 0 ? 1 : margin == 0 ? 0.5 : 0;
    loss += std::max(-margin, 0.0) + std::log1p(std::exp(-std::abs(margin)));
  }
  const auto count = static_cast<double>(margins.size());
  return {{std::move(right), above / count}, {"log loss", loss / count}};
}

}  // namespace thalweg
