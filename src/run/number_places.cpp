#include "run/number_places.hpp"

#include <algorithm>
#include <iterator>
#include <numeric>

#include "data/feature_columns.hpp"
#include "data/split.hpp"

namespace thalweg {

namespace {

/// The positions at which numbers and dates begin, for features of these widths.
std::vector<std::int64_t> places_of(const data::TablePreprocessing& table, const std::vector<std::int64_t>& widths) {
  std::vector<std::int64_t> places;
  std::int64_t begin = 0;
  for (std::size_t i = 0; i < widths.size(); begin += widths[i++]) {
    if (table.schema().features[i].kind != data::ColumnKind::category) places.push_back(begin);
  }
  return places;
}

/// Inserts another knot in the middle of the widest piece.
void divide(std::vector<double>& knots) {
  std::size_t widest = 1;
  for (std::size_t i = 2; i < knots.size(); ++i) {
    if (knots[i] - knots[i - 1] > knots[widest] - knots[widest - 1]) widest = i;
  }
  const double middle = std::midpoint(knots[widest - 1], knots[widest]);
  knots.insert(knots.begin() + static_cast<std::ptrdiff_t>(widest), middle);
}

/// Quantiles of a column. Two of them can be equal if many rows have the same value.
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

/// Whether the pieces of `numbers` numbers need knots and have none yet.
bool lacks_knots(const OptionMap& options, std::int64_t numbers) {
  const auto integer = [&](const char* key) { return options.at(key).get_if<std::int64_t>(); };
  const auto* said = options.at("knots").get_if<OptionList>();
  return *integer("pieces") > 0 && numbers <= *integer("most_embedded") && said && said->empty();
}

}  // namespace

std::vector<std::int64_t> number_places(const data::TablePreprocessing& table) {
  std::vector<std::int64_t> widths = data::feature_widths(table);
  for (const data::EmbeddedColumns& own : data::embedded_columns(table))
    widths[static_cast<std::size_t>(own.feature)] = own.numbers;
  return places_of(table, widths);
}

std::vector<double> number_knots(const data::TablePreprocessing& table, const Dataset& rows, std::int64_t pieces) {
  constexpr std::int64_t enough = 10'000, at_once = 256;  // a row may have thousands of columns, most of them levels
  const Dataset drawn = data::spread_rows(rows, enough);
  const std::vector<std::int64_t> places = places_of(table, data::feature_widths(table));
  std::vector<std::vector<double>> columns(places.size());
  for (std::int64_t begin = 0; begin < drawn.rows(); begin += at_once) {
    const Tensor input = drawn.slice(begin, std::min(begin + at_once, drawn.rows()))["input"];
    for (std::int64_t row = 0; row < input.shape()[0]; ++row) {
      for (std::size_t i = 0; i < places.size(); ++i)
        columns[i].push_back(input.at(row * input.shape()[1] + places[i]));
    }
  }
  std::vector<double> knots;
  for (std::vector<double>& column : columns)
    std::ranges::copy(knots_of(std::move(column), pieces), std::back_inserter(knots));
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
  } else if (lacks_knots(model.options, std::ssize(places))) {
    const std::vector<double> knots = number_knots(*table, rows, *model.options["pieces"].get_if<std::int64_t>());
    model.options["knots"] = {OptionList(knots.begin(), knots.end())};
  }
  return model;
}

Choice with_limits_of(Choice model, const LossFunction& loss, const data::Preprocessing& preprocessing,
                      const Dataset& rows) {
  const auto said = model.options.find("limits");
  const auto* list = said == model.options.end() ? nullptr : said->second.get_if<OptionList>();
  const bool numbers = loss.task() == Task::regression && !loss.traits().prediction && loss.traits().outputs == 1;
  if (!preprocessing.table() || !list || !list->empty() || !numbers || rows.streams() || rows.rows() == 0) return model;
  const Tensor& target = rows["target"];
  double low = target.at(0), high = low;
  for (std::int64_t i = 1; i < target.size(); ++i) {
    low = std::min(low, target.at(i));
    high = std::max(high, target.at(i));
  }
  said->second = {OptionList{low, high}};
  return model;
}

std::optional<std::pair<double, double>> limits_in_units(const Choice& model, const data::TablePreprocessing& table) {
  const auto found = model.options.find("limits");
  const auto* list = found == model.options.end() ? nullptr : found->second.get_if<OptionList>();
  if (!list || list->size() != 2) return std::nullopt;
  const auto in_unit = [&](const OptionValue& limit) {
    const auto* whole = limit.get_if<std::int64_t>();
    const double number = whole ? static_cast<double>(*whole) : *limit.get_if<double>();
    return table.target().inverse(static_cast<float>(number));  // outputs are f32
  };
  return std::pair(in_unit((*list)[0]), in_unit((*list)[1]));
}

}  // namespace thalweg
