#include "engine/objective_names.hpp"

namespace thalweg {

std::string_view prefix_of_slot(std::string_view slot) {
  const std::size_t colon = slot.find(':');
  return colon != std::string_view::npos && colon < slot.find('[') ? slot.substr(0, colon + 1) : std::string_view{};
}

std::vector<std::string> objectives_of(const State& state) {
  std::vector<std::string> names;
  for (const auto& [slot, values] : state.slots) {
    const std::string_view prefix = prefix_of_slot(slot);
    if (!prefix.empty() && slot.substr(prefix.size()) == steps_slot) names.emplace_back(prefix, 0, prefix.size() - 1);
  }
  return names;
}

}  // namespace thalweg
