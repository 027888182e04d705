#pragma once
// What a run made, over its epochs, inside the page.

#include <string>
#include <vector>

#include "report/report.hpp"

namespace thalweg {

/// The first moment of each series, its last, and evenly between as many as keep all of it below `budget` bytes in the
/// page, at most eight; of a series whose first and last alone are too large the last, or nothing but a note.
[[nodiscard]] std::string media_html(const std::vector<MediaSeries>& all, std::size_t budget);
/// Places of the chosen among `count`: the first, the last and evenly between.
[[nodiscard]] std::vector<std::size_t> evenly(std::size_t count, std::size_t wanted);

}  // namespace thalweg
