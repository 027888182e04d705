// The table of systems.

#include "system/row.hpp"
#include "system/systems_parts.hpp"

namespace thalweg {

const std::vector<SystemRow>& systems() {
  static const std::vector<SystemRow> rows = joined(systems_parts);
  return rows;
}

}  // namespace thalweg
