#pragma once
// A table of text cells in memory, before its columns are interpreted.

#include <filesystem>
#include <unordered_map>

#include "data/csv.hpp"
#include "data/memory.hpp"

namespace thalweg::data {

/// Columns of text cells. All characters are in one block; a cell takes four more bytes, a row eight.
class Table {
 public:
  Table(std::string file, std::vector<std::string> names, char separator = ',');

  /// Reserves memory for that many characters.
  void reserve(std::int64_t characters) { text_.reserve(static_cast<std::size_t>(characters)); }
  /// Reserves memory for the rows of that many characters, estimated from the rows read so far.
  void expect(std::int64_t characters);
  /// Adds a row, one cell per column, which began on that line of the file.
  void add_row(std::span<const std::string_view> cells, std::int64_t line);

  /// The name of its file, for messages.
  [[nodiscard]] const std::string& file() const { return file_; }
  [[nodiscard]] const std::vector<std::string>& names() const { return names_; }
  /// The character between two cells.
  [[nodiscard]] char separator() const { return separator_; }
  [[nodiscard]] std::size_t columns() const { return names_.size(); }
  [[nodiscard]] std::int64_t rows() const { return static_cast<std::int64_t>(row_begins_.size()); }
  [[nodiscard]] std::string_view cell(std::int64_t row, std::size_t column) const;
  /// The line of the file on which a row begins.
  [[nodiscard]] std::int64_t line(std::int64_t row) const;
  /// The column of that name, if there is one.
  [[nodiscard]] std::optional<std::size_t> find(std::string_view name) const;
  /// Bytes of memory that the table takes.
  [[nodiscard]] std::int64_t bytes() const;

 private:
  std::string file_;
  std::vector<std::string> names_;
  std::unordered_map<std::string, std::size_t> places_;  // of the names
  char separator_;
  std::string text_;
  std::vector<std::uint64_t> row_begins_;  // in text_
  std::vector<std::uint32_t> cell_ends_;   // from the beginning of the row
  struct Line {
    std::int64_t row = 0, line = 0;
  };
  std::vector<Line> lines_;  // only for rows that do not begin on the line after the previous row
};

/// Reads a whole CSV file. Throws DataError as CsvReader does and if there is no row, MemoryError if the table would
/// take more than `budget` bytes.
[[nodiscard]] Table read_table(const std::filesystem::path& path, std::optional<char> separator = {},
                               std::int64_t budget = memory_budget(), bool header = true);
[[nodiscard]] Table read_table(CsvReader& reader, std::int64_t budget = memory_budget());

}  // namespace thalweg::data
