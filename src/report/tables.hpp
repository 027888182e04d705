#pragma once
// The tables of a report.

#include <span>
#include <string>
#include <string_view>

#include "report/report.hpp"

namespace thalweg {

/// Coloured by the part of its row (of the true class) that a cell is. Of many classes those most confused.
[[nodiscard]] std::string confusion_html(const ReportConfusion& confusion);
/// A line a row of pictures.
[[nodiscard]] std::string pictures_html(const std::vector<PictureRow>& rows);
/// A file as an address that holds it: data:image/png;base64,...
[[nodiscard]] std::string data_address(std::string_view type, std::span<const std::byte> bytes);
/// A line a layer, with its parameters below it, and the sum.
[[nodiscard]] std::string layers_html(const std::vector<ParameterEntry>& parameters);
/// A feature a line, the first 40 of them.
[[nodiscard]] std::string importance_html(const std::vector<std::pair<std::string, double>>& importance);
/// A line a row.
[[nodiscard]] std::string worst_rows_html(const std::vector<WorstRow>& rows);
/// Two columns.
[[nodiscard]] std::string pairs_html(const std::vector<std::pair<std::string, std::string>>& pairs);

}  // namespace thalweg
