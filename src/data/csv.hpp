#pragma once
// CSV: a reader that returns one row at a time, and quoting for writers.

#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "data/bytes.hpp"

namespace thalweg::data {

/// The character for "comma", "semicolon" or "tab"; nothing for any other name.
[[nodiscard]] std::optional<char> separator_named(std::string_view name);

/// Reads a CSV file (RFC 4180) with a header, from a path (gzip, too) or a stream, in memory that does not grow with
/// the file. Quoted cells keep their newlines. Blanks around unquoted cells are left out, and so are empty lines (in a
/// file of one column an empty line is a row with a blank cell). CRLF and a UTF-8 byte order mark are accepted. Throws
/// DataError, with file and line, for a file that is empty or not UTF-8, a name that occurs twice, a row of another
/// length than the header, and a misplaced quote.
class CsvReader {
 public:
  /// Without a separator, it is the most frequent one of comma, semicolon and tab in the first line. Without a header,
  /// the columns are called "column 1", "column 2", ...
  explicit CsvReader(const std::filesystem::path& path, std::optional<char> separator = {}, bool header = true);
  /// Reads from a descriptor of the caller, which stays open: `CsvReader(0, "standard input")`. When `interrupted`
  /// returns true, waiting for input stops, as if the file ended there.
  CsvReader(int descriptor, std::string name, std::optional<char> separator = {}, bool header = true,
            std::function<bool()> interrupted = {});
  ~CsvReader();
  CsvReader(const CsvReader&) = delete;
  CsvReader& operator=(const CsvReader&) = delete;

  [[nodiscard]] const std::string& name() const { return file_.name(); }
  /// Bytes of text; -1 if the size is not known.
  [[nodiscard]] std::int64_t text_size() const { return unpacked_ ? -1 : file_.size(); }
  [[nodiscard]] char separator() const { return separator_; }
  /// The names of the columns; a blank name becomes "column N".
  [[nodiscard]] const std::vector<std::string>& header() const { return header_; }

  /// Goes to the next row; false at the end of the file.
  bool next();
  /// The present row, one cell per column, valid until the next call of next().
  [[nodiscard]] std::span<const std::string_view> cells() const { return cells_; }
  /// The line of the file on which the present row begins, from 1.
  [[nodiscard]] std::int64_t line() const { return line_; }

 private:
  class Parser;

  void start(std::optional<char> separator, bool header);
  std::string read_text();
  std::string first_line();
  bool next_row();
  void read_header();
  void number_columns();

  File file_;
  std::unique_ptr<Bytes> unpacked_;  // of a gzip file
  std::unique_ptr<Parser> parser_;
  std::vector<std::string> header_;
  std::vector<std::string_view> cells_;
  std::int64_t line_ = 0;
  char separator_ = ',';
  bool ended_ = false;
  bool first_row_waits_ = false;  // the first row has already been read, in a file without a header
};

/// One line of CSV with its newline; cells are quoted if necessary.
[[nodiscard]] std::string csv_line(std::span<const std::string_view> cells, char separator = ',');

/// Splits a list of names in the form of an option: a,b,c. A name with a comma or a quote is quoted, and its own quotes
/// are doubled: "a,b",c.
[[nodiscard]] std::vector<std::string> split_names(std::string_view text);

}  // namespace thalweg::data
