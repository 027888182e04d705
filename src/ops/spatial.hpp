#pragma once
// What the ops on images share.

#include "thalweg/spatial.hpp"

namespace thalweg {

/// How many windows of this size fit, `stride` apart. Throws UsageError where none does.
[[nodiscard]] std::int64_t windows_of(std::string_view op, std::int64_t size, std::int64_t window, std::int64_t stride,
                                      Source source);

}  // namespace thalweg
