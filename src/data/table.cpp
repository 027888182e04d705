#include "data/table.hpp"

#include <algorithm>
#include <filesystem>

#include "core/error.hpp"

namespace thalweg::data {

Table::Table(std::string file, std::vector<std::string> names, char separator)
    : file_(std::move(file)), names_(std::move(names)), separator_(separator) {
  for (std::size_t i = 0; i < names_.size(); ++i) places_.emplace(names_[i], i);
}

void Table::expect(std::int64_t characters) {
  if (text_.empty() || characters <= 0) return;
  const double length = static_cast<double>(text_.size()) / static_cast<double>(rows());
  const auto wanted = static_cast<std::size_t>(1.05 * static_cast<double>(characters) / (length + 1));
  row_begins_.reserve(wanted);
  cell_ends_.reserve(wanted * columns());
}

void Table::add_row(std::span<const std::string_view> cells, std::int64_t line) {
  if (cells.size() != columns()) defect("a row of {} cells for {} columns", cells.size(), columns());
  const std::size_t begin = text_.size();
  if (lines_.empty() || this->line(rows() - 1) + 1 != line) lines_.push_back({rows(), line});
  row_begins_.push_back(begin);
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

std::int64_t Table::line(std::int64_t row) const {
  const Line& before = *std::prev(std::ranges::upper_bound(lines_, row, {}, &Line::row));
  return before.line + row - before.row;
}

std::optional<std::size_t> Table::find(std::string_view name) const {
  const auto found = places_.find(std::string(name));
  if (found == places_.end()) return std::nullopt;
  return found->second;
}

std::int64_t Table::bytes() const {
  return static_cast<std::int64_t>(text_.size() + row_begins_.size() * sizeof(std::uint64_t) +
                                   cell_ends_.size() * sizeof(std::uint32_t) + lines_.size() * sizeof(Line));
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
  check_budget(reader, reader.text_size(), budget);
  Table table(reader.name(), reader.header(), reader.separator());
  table.reserve(std::max<std::int64_t>(0, reader.text_size()));
  constexpr std::int64_t first_rows = 1000;
  while (reader.next()) {
    table.add_row(reader.cells(), reader.line());
    check_budget(reader, table.bytes(), budget);
    if (table.rows() == first_rows) table.expect(std::min(budget, reader.text_size()));
  }
  if (table.rows() == 0) fail<DataError>("[csv] {}: a header and no row", reader.name());
  return table;
}

Table read_table(const std::filesystem::path& path, std::optional<char> separator, std::int64_t budget, bool header) {
  CsvReader reader(path, separator, header);
  return read_table(reader, budget);
}

}  // namespace thalweg::data
