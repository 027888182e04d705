#pragma once
// Shows the media of a run, over its epochs, inside the page.

#include <string>
#include <vector>

#include "report/report.hpp"

namespace thalweg {

/// For each series at most eight moments: the first, the last, and as many evenly between as fit into `budget` bytes of
/// the page. If the first and the last are already too large, only the last, or only a note.
[[nodiscard]] std::string media_html(const std::vector<MediaSeries>& all, std::size_t budget);
/// The indices of the chosen ones among `count`: the first, the last and some evenly between.
[[nodiscard]] std::vector<std::size_t> evenly(std::size_t count, std::size_t wanted);

}  // namespace thalweg
