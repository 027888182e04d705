#pragma once
// The tables of a report.

#include <span>
#include <string>
#include <string_view>

#include "report/report.hpp"

namespace thalweg {

/// The colour of a cell shows its fraction of the row (of the true class). With many classes, only the most confused
/// ones are shown.
[[nodiscard]] std::string confusion_html(const ReportConfusion& confusion);
/// One line per row of pictures.
[[nodiscard]] std::string pictures_html(const std::vector<PictureRow>& rows);
/// A file as an address that contains it: data:image/png;base64,...
[[nodiscard]] std::string data_address(std::string_view type, std::span<const std::byte> bytes);
/// One line per layer, with its parameters below it, and the sum.
[[nodiscard]] std::string layers_html(const std::vector<ParameterEntry>& parameters);
/// One line per feature, for the first 40 features.
[[nodiscard]] std::string importance_html(const std::vector<std::pair<std::string, double>>& importance);
/// One line per row of the data.
[[nodiscard]] std::string worst_rows_html(const std::vector<WorstRow>& rows);
/// A table of two columns.
[[nodiscard]] std::string pairs_html(const std::vector<std::pair<std::string, std::string>>& pairs);

}  // namespace thalweg
