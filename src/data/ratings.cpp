#include "data/ratings.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "core/error.hpp"
#include "core/random.hpp"
#include "data/csv.hpp"
#include "options/nearest_name.hpp"
#include "options/text.hpp"

namespace thalweg::data {

Fields RatingColumns::fields() {
  return {{"user", &user, "the column of the users"},
          {"item", &item, "the column of the items"},
          {"rating", &rating, "the column of the ratings, which are numbers"},
          {"side", &side, "further columns about users or items, as categories: [\"genre\", \"age\"]"}};
}

std::vector<std::string> RatingColumns::features() const {
  std::vector<std::string> all = {user, item};
  all.insert(all.end(), side.begin(), side.end());
  return all;
}

std::int32_t Levels::find(std::string_view name) const {
  const auto found =
      std::ranges::lower_bound(names, name, [](std::string_view a, std::string_view b) { return a < b; });
  return found == names.end() || *found != name ? -1 : static_cast<std::int32_t>(found - names.begin());
}

namespace {

std::size_t place_of(const std::string& column, const CsvReader& reader) {
  const auto found = std::ranges::find(reader.header(), column);
  if (found == reader.header().end())
    fail<DataError>("[ratings] {} has no column '{}'. Hint: {}", reader.name(), column,
                    name_hint(column, reader.header()));
  return static_cast<std::size_t>(found - reader.header().begin());
}

}  // namespace

RatingTable read_ratings(const std::filesystem::path& path, const RatingColumns& columns) {
  CsvReader reader(path);
  std::vector<std::size_t> places;
  for (const std::string& column : columns.features()) places.push_back(place_of(column, reader));
  const std::size_t rating = place_of(columns.rating, reader);
  RatingTable table;
  while (reader.next()) {
    std::vector<std::string> row;
    for (const std::size_t place : places) row.emplace_back(reader.cells()[place]);
    if (row[0].empty() || row[1].empty())
      fail<DataError>("[ratings] {}:{}: an empty cell. Wanted: a value of {} and one of {}", reader.name(),
                      reader.line(), columns.user, columns.item);
    table.cells.push_back(std::move(row));
    const auto number = parse_number(reader.cells()[rating]);
    if (!number || !(std::abs(*number) <= std::numeric_limits<float>::max()))
      fail<DataError>("[ratings] {}:{}: the {} '{}'. Wanted: a number that a float can hold", reader.name(),
                      reader.line(), columns.rating, reader.cells()[rating]);
    table.ratings.push_back(static_cast<float>(*number));
  }
  if (table.cells.empty()) fail<DataError>("[ratings] {} has no rows", reader.name());
  return table;
}

std::vector<Levels> levels_of(const RatingTable& table, std::span<const std::int64_t> rows) {
  std::vector<Levels> levels(table.cells.front().size());
  for (std::size_t feature = 0; feature < levels.size(); ++feature) {
    std::vector<std::string>& names = levels[feature].names;
    for (const std::int64_t row : rows) names.push_back(table.cells[static_cast<std::size_t>(row)][feature]);
    std::ranges::sort(names);
    names.erase(std::unique(names.begin(), names.end()), names.end());
  }
  return levels;
}

Ratings numbered(const RatingTable& table, std::span<const std::int64_t> rows, const std::vector<Levels>& levels) {
  Ratings result{.features = std::ssize(levels), .numbers = {}, .ratings = {}};
  for (const std::int64_t row : rows) {
    const auto at = static_cast<std::size_t>(row);
    for (std::size_t feature = 0; feature < levels.size(); ++feature)
      result.numbers.push_back(levels[feature].find(table.cells[at][feature]));
    result.ratings.push_back(table.ratings[at]);
  }
  return result;
}

Ratings numbered(const std::filesystem::path& path, const RatingColumns& columns, const std::vector<Levels>& levels) {
  const RatingTable table = read_ratings(path, columns);
  std::vector<std::int64_t> rows(static_cast<std::size_t>(table.rows()));
  std::iota(rows.begin(), rows.end(), 0);
  return numbered(table, rows, levels);
}

double place_of_pair(const RatingTable& table, std::int64_t row, std::uint64_t seed) {
  const std::vector<std::string>& cells = table.cells[static_cast<std::size_t>(row)];
  return random_unit(RandomKey{seed}.fold("pair").fold(cells[0]).fold(cells[1]), 0);
}

}  // namespace thalweg::data
