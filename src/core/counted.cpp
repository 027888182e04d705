#include "core/counted.hpp"

namespace thalweg {

std::string counted(std::int64_t count, std::string_view plural) {
  if (count == 1) plural.remove_suffix(plural.ends_with("sses") || plural.ends_with("ches") ? 2 : 1);
  return with_commas(count).append(" ").append(plural);
}

}  // namespace thalweg
