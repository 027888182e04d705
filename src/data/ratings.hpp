#pragma once
// Ratings: a table of users, items and ratings, with further features of users and items.

#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "thalweg/options.hpp"

namespace thalweg::data {

/// The part of `[data]` that names the columns.
struct RatingColumns {
  std::string user = "user", item = "item", rating = "rating";
  std::vector<std::string> side = {};

  [[nodiscard]] Fields fields();
  /// user, item, side, ...
  [[nodiscard]] std::vector<std::string> features() const;
};

/// The distinct cells of a column, in alphabetical order.
struct Levels {
  std::vector<std::string> names = {};
  [[nodiscard]] std::int64_t size() const { return static_cast<std::int64_t>(names.size()); }
  /// -1 for an unknown cell.
  [[nodiscard]] std::int32_t find(std::string_view name) const;
  friend bool operator==(const Levels&, const Levels&) = default;
};

/// The table as read from a file.
struct RatingTable {
  std::vector<std::vector<std::string>> cells;  ///< for each row, the cells of its features
  std::vector<float> ratings;
  [[nodiscard]] std::int64_t rows() const { return static_cast<std::int64_t>(cells.size()); }
};
/// Reads a CSV file. Throws DataError, with file and line, for a missing column, an empty cell of user or item, and a
/// rating that is not a number.
[[nodiscard]] RatingTable read_ratings(const std::filesystem::path& path, const RatingColumns& columns);

/// Rows whose cells are replaced by their indices among the levels.
struct Ratings {
  std::int64_t features = 0;          ///< per row
  std::vector<std::int32_t> numbers;  ///< (rows, features); -1 for an unknown cell
  std::vector<float> ratings;
  [[nodiscard]] std::int64_t rows() const { return features == 0 ? 0 : std::ssize(numbers) / features; }
  [[nodiscard]] std::span<const std::int32_t> row(std::int64_t i) const {
    return std::span(numbers).subspan(static_cast<std::size_t>(i * features), static_cast<std::size_t>(features));
  }
};

/// The levels of each feature among some rows.
[[nodiscard]] std::vector<Levels> levels_of(const RatingTable& table, std::span<const std::int64_t> rows);
[[nodiscard]] Ratings numbered(const RatingTable& table, std::span<const std::int64_t> rows,
                               const std::vector<Levels>& levels);
/// Reads a file and numbers all its rows.
[[nodiscard]] Ratings numbered(const std::filesystem::path& path, const RatingColumns& columns,
                               const std::vector<Levels>& levels);

/// A number in [0, 1) for a row that depends on its user, its item and a seed: all ratings of an item by one user have
/// the same number, so that they are in the same part.
[[nodiscard]] double place_of_pair(const RatingTable& table, std::int64_t row, std::uint64_t seed);

}  // namespace thalweg::data
