#pragma once
// Whether the loss of a run was falling when it ended.

#include <string>
#include <string_view>

#include "insight/attempts.hpp"

namespace thalweg {

/// By how much the loss fell in the second half of the sum of the learning rates, relative to its value at half: the
/// validation loss to its lowest value if that is in the last quarter, where it was measured often enough; also the
/// training loss while both are close. Then `of` names it, unless it is the only loss. `lowest` names the epoch where
/// the validation loss was lowest, if that is long before the end.
struct LateGain {
  Finding finding;
  std::string_view of = "loss";
  std::string lowest = {};
};

[[nodiscard]] LateGain late_gain(const Case& c);

/// "the run", by what the second half is one of.
[[nodiscard]] std::string_view second_half_of(const Course& run);

}  // namespace thalweg
