#pragma once
// Makes a table from a CSV text.

#include <fmt/format.h>

#include <algorithm>

#include "data/preprocessing.hpp"
#include "files.hpp"

namespace thalweg::test {

inline data::Table table_of(std::string_view text) {
  const TempFolder folder;
  return data::read_table(folder.write("t.csv", text));
}

inline std::vector<std::int64_t> all_rows(const data::Table& table) {
  std::vector<std::int64_t> rows;
  for (std::int64_t row = 0; row < table.rows(); ++row) rows.push_back(row);
  return rows;
}

inline bool mentions(const std::vector<std::string>& lines, std::string_view text) {
  return std::ranges::any_of(lines, [&](const std::string& line) { return line.find(text) != std::string::npos; });
}

}  // namespace thalweg::test
