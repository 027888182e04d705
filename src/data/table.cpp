#include "data/table.hpp"

#include <algorithm>
#include <filesystem>

#include "core/error.hpp"

namespace thalweg::data {

Table::Table(std::string file, std::vector<std::string> names) : file_(std::move(file)), names_(std::move(names)) {}

void Table::add_row(std::span<const std::string_view> cells, std::int64_t line) {
  if (cells.size() != columns()) defect("a row of {} cells for {} columns", cells.size(), columns());
  const std::size_t begin = text_.size();
  row_begins_.push_back(begin);
  lines_.push_back(line);
  for (const std::string_view cell : cells) {
    text_ += cell;
    cell_ends_.push_back(static_cast<std::uint32_t>(text_.size() - begin));
  }
}

std::string_view Table::cell(std::int64_t row, std::size_t column) const {
  const std::size_t at = static_cast<std::size_t>(row) * columns() + column;
  const std::size_t begin = column == 0 ? 0 : cell_ends_[at - 1];
  return std::string_view(text_).substr(row_begins_[static_cast<std::size_t>(row)] + begin, cell_ends_[at] - begin);
}

std::optional<std::size_t> Table::find(std::string_view name) const {
  const auto found = std::ranges::find(names_, name);
  if (found == names_.end()) return std::nullopt;
  return static_cast<std::size_t>(found - names_.begin());
}

std::int64_t Table::bytes() const {
  return static_cast<std::int64_t>(text_.size() + row_begins_.size() * sizeof(std::uint64_t) +
                                   cell_ends_.size() * sizeof(std::uint32_t) + lines_.size() * sizeof(std::int64_t));
}

namespace {
void check_budget(const CsvReader& reader, std::int64_t bytes, std::int64_t budget) {
  if (bytes <= budget) return;
  fail<MemoryError>(
      "[csv] {} takes at least {:.1f} MB of memory, and {:.1f} MB are allowed. Hint: train on a part of its rows.",
      reader.name(), static_cast<double>(bytes) / 0x1p20, static_cast<double>(budget) / 0x1p20);
}
}  // namespace

Table read_table(CsvReader& reader, std::int64_t budget) {
  check_budget(reader, reader.file_size(), budget);
  Table table(reader.name(), reader.header());
  while (reader.next()) {
    table.add_row(reader.cells(), reader.line());
    check_budget(reader, table.bytes(), budget);
  }
  if (table.rows() == 0) fail<DataError>("[csv] {}: a header and no row", reader.name());
  return table;
}

Table read_table(const std::filesystem::path& path, std::optional<char> separator, std::int64_t budget) {
  CsvReader reader(path, separator);
  return read_table(reader, budget);
}

}  // namespace thalweg::data
