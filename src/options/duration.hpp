#pragma once
// Lengths of training as text.

#include <optional>

#include "thalweg/options.hpp"

namespace thalweg {

/// "100", "100 steps", "3 epochs" or "5%"; nothing for any other text.
[[nodiscard]] std::optional<Duration> parse_duration(std::string_view text);

}  // namespace thalweg
