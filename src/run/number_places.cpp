#include "run/number_places.hpp"

#include <algorithm>
#include <numeric>

#include "data/feature_columns.hpp"

namespace thalweg {

namespace {

/// Where the numbers and dates begin, in features of these widths.
std::vector<std::int64_t> places_of(const data::TablePreprocessing& table, const std::vector<std::int64_t>& widths) {
  std::vector<std::int64_t> places;
  std::int64_t begin = 0;
  for (std::size_t i = 0; i < widths.size(); begin += widths[i++]) {
    if (table.schema().features[i].kind != data::ColumnKind::category) places.push_back(begin);
  }
  return places;
}

/// Puts another knot in the middle of the widest piece.
void divide(std::vector<double>& knots) {
  std::size_t widest = 1;
  for (std::size_t i = 2; i < knots.size(); ++i) {
    if (knots[i] - knots[i - 1] > knots[widest] - knots[widest - 1]) widest = i;
  }
  const double middle = std::midpoint(knots[widest - 1], knots[widest]);
  knots.insert(knots.begin() + static_cast<std::ptrdiff_t>(widest), middle);
}

/// Quantiles of a column, of which two may be equal: between these lies a value that many rows have.
std::vector<double> knots_of(std::vector<double> column, std::int64_t pieces) {
  std::ranges::sort(column);
  const double last = static_cast<double>(column.size() - 1);
  std::vector<double> knots;
  for (std::int64_t i = 0; i <= pieces; ++i) {
    const double value = column[static_cast<std::size_t>(last * static_cast<double>(i) / static_cast<double>(pieces))];
    if (knots.size() < 2 || knots[knots.size() - 2] != value) knots.push_back(value);
  }
  while (std::ssize(knots) <= pieces) divide(knots);
  return knots;
}

}  // namespace

std::vector<std::int64_t> number_places(const data::TablePreprocessing& table) {
  std::vector<std::int64_t> widths = data::feature_widths(table);
  for (const data::EmbeddedColumns& own : data::embedded_columns(table))
    widths[static_cast<std::size_t>(own.feature)] = own.numbers;
  return places_of(table, widths);
}

std::vector<double> number_knots(const data::TablePreprocessing& table, const Dataset& rows, std::int64_t pieces) {
  constexpr std::int64_t enough = 10'000;
  const std::int64_t count = std::min(enough, rows.rows());
  std::vector<std::int64_t> drawn(static_cast<std::size_t>(count));
  for (std::int64_t i = 0; i < count; ++i) drawn[static_cast<std::size_t>(i)] = i * rows.rows() / count;
  const Tensor input = rows.take(drawn)["input"];
  std::vector<double> knots, column(drawn.size());
  for (const std::int64_t place : places_of(table, data::feature_widths(table))) {
    for (std::size_t i = 0; i < column.size(); ++i)
      column[i] = input.at(static_cast<std::int64_t>(i) * input.shape()[1] + place);
    const std::vector<double> own = knots_of(column, pieces);
    knots.insert(knots.end(), own.begin(), own.end());
  }
  return knots;
}

Choice with_numbers_of(Choice model, const data::Preprocessing& preprocessing, const Dataset& rows) {
  const data::TablePreprocessing* table = preprocessing.table();
  const auto said = model.options.find("numbers");
  const auto* list = said == model.options.end() ? nullptr : said->second.get_if<OptionList>();
  if (!table || !list || !list->empty()) return model;
  const std::vector<std::int64_t> places = number_places(*table);
  said->second = {OptionList(places.begin(), places.end())};
  if (places.empty()) {
    model.options["frequencies"] = model.options["pieces"] = {std::int64_t{0}};
  } else if (const auto* pieces = model.options["pieces"].get_if<std::int64_t>(); pieces && *pieces > 0) {
    const std::vector<double> knots = number_knots(*table, rows, *pieces);
    model.options["knots"] = {OptionList(knots.begin(), knots.end())};
  }
  return model;
}

}  // namespace thalweg
