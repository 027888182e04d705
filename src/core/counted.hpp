#pragma once
// A count with its noun, as text.

#include <string_view>

#include "core/numbers.hpp"

namespace thalweg {

/// "1 row", "1,200 rows"; the name is given in the plural: "rows", "classes", "batches".
[[nodiscard]] std::string counted(std::int64_t count, std::string_view plural);

}  // namespace thalweg
