#include "data/csv.hpp"

#include <csv.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <utility>

#include "core/error.hpp"
#include "core/utf8.hpp"
#include "options/text.hpp"

namespace thalweg::data {

namespace {

constexpr std::size_t chunk = 1 << 16;
// Without a limit, a quote that is never closed would make the rest of the file one cell.
constexpr std::size_t max_row = 64 << 20, max_header = 4 << 20;
constexpr std::string_view byte_order_mark = "\xef\xbb\xbf";

/// The place of an error in a file.
struct Fault {
  std::int64_t line = 0;
  std::string what;
};

}  // namespace

std::optional<char> separator_named(std::string_view name) {
  if (name == "comma") return ',';
  if (name == "semicolon") return ';';
  if (name == "tab") return '\t';
  return std::nullopt;
}

/// Wraps libcsv, whose interface is callbacks: here text is passed in chunks, and rows are taken out one by one, each
/// with its line number.
class CsvReader::Parser {
 public:
  explicit Parser(char separator) {
    if (csv_init(&parser_, CSV_STRICT | CSV_STRICT_FINI | CSV_REPALL_NL) != 0)
      fail<MemoryError>("[csv] no memory to parse");
    csv_set_delim(&parser_, static_cast<unsigned char>(separator));
  }
  ~Parser() { csv_free(&parser_); }
  Parser(const Parser&) = delete;
  Parser& operator=(const Parser&) = delete;

  void feed(std::string_view text) {
    forget_rows();
    csv_set_blk_size(&parser_, std::max(chunk, parser_.entry_size));  // a long cell doubles its buffer
    const std::size_t done = csv_parse(&parser_, text.data(), text.size(), on_cell, on_row, this);
    if (done != text.size()) fault(csv_error(&parser_) == CSV_EPARSE ? misplaced_quote : "no memory for a cell");
    if (pending_bytes() > max_row) fault("a row of more than 64 MB. Hint: is a quote not closed?");
  }

  void finish() {
    forget_rows();
    if (csv_fini(&parser_, on_cell, on_row, this) != 0) fault("a quote that is not closed before the end of the file");
  }

  /// The next complete row, if there is one; a row without cells is an empty line.
  bool pop(std::vector<std::string_view>& cells, std::int64_t& line) {
    if (next_row_ == rows_.size()) return false;
    const Row& row = rows_[next_row_++];
    cells.clear();
    for (std::size_t cell = row.first_cell; cell < row.end_cell; ++cell) {
      const std::size_t begin = cell == 0 ? 0 : cell_ends_[cell - 1];
      cells.push_back(std::string_view(text_).substr(begin, cell_ends_[cell] - begin));
    }
    line = row.line;
    return true;
  }

  [[nodiscard]] const std::optional<Fault>& fault() const { return fault_; }

 private:
  static constexpr const char* misplaced_quote =
      "a quote inside a cell. Hint: put the whole cell in quotes, and double the quotes inside it.";

  struct Row {
    std::size_t first_cell = 0, end_cell = 0;
    std::int64_t line = 0;
  };

  // libcsv is C, which exceptions must not cross.
  static void on_cell(void* cell, std::size_t size, void* self) noexcept {
    static_cast<Parser*>(self)->add_cell({static_cast<const char*>(cell), size});
  }
  static void on_row(int terminator, void* self) noexcept { static_cast<Parser*>(self)->end_row(terminator); }

  void add_cell(std::string_view cell) {
    if (cell_ends_.size() == first_cell_) row_line_ = line_;
    text_ += cell;
    cell_ends_.push_back(text_.size());
    if (!is_utf8(cell)) fault("text that is not UTF-8. Hint: iconv -f latin1 -t utf-8.");
    for (std::size_t i = 0; i < cell.size(); ++i) {
      line_ += cell[i] == '\n' || (cell[i] == '\r' && (i + 1 == cell.size() || cell[i + 1] != '\n'));
    }
    after_return_ = false;
  }

  void end_row(int terminator) {
    const bool empty = cell_ends_.size() == first_cell_;
    const bool line_of_its_own = terminator != -1 && !(terminator == '\n' && after_return_);
    if ((!empty || line_of_its_own) && !fault_)
      rows_.push_back({first_cell_, cell_ends_.size(), empty ? line_ : row_line_});
    first_cell_ = cell_ends_.size();
    line_ += terminator == '\r' || (terminator == '\n' && !after_return_);
    after_return_ = terminator == '\r';
  }

  void fault(std::string what) {
    if (!fault_) fault_ = Fault{line_, std::move(what)};
  }

  [[nodiscard]] std::size_t row_begin() const { return first_cell_ == 0 ? 0 : cell_ends_[first_cell_ - 1]; }
  [[nodiscard]] std::size_t pending_bytes() const {
    return text_.size() - row_begin() + (cell_ends_.size() - first_cell_) * sizeof(std::size_t) + parser_.entry_pos;
  }

  /// Drops the rows that were taken, and keeps the cells of the row that the last chunk left incomplete.
  void forget_rows() {
    const std::size_t begin = row_begin();
    text_.erase(0, begin);
    cell_ends_.erase(cell_ends_.begin(), cell_ends_.begin() + static_cast<std::ptrdiff_t>(first_cell_));
    for (std::size_t& end : cell_ends_) end -= begin;
    first_cell_ = 0;
    rows_.clear();
    next_row_ = 0;
  }

  csv_parser parser_{};
  std::string text_;
  std::vector<std::size_t> cell_ends_;
  std::size_t first_cell_ = 0;  // of the incomplete row
  std::vector<Row> rows_;
  std::size_t next_row_ = 0;
  std::int64_t line_ = 1, row_line_ = 1;
  bool after_return_ = false;
  std::optional<Fault> fault_;
};

namespace {

/// The extent of the first line that is not empty; quoted newlines do not end it.
std::optional<std::string_view> header_line(std::string_view text) {
  const std::size_t begin = text.find_first_not_of("\r\n");
  if (begin == std::string_view::npos) return std::nullopt;
  bool quoted = false;
  for (std::size_t at = begin; at < text.size(); ++at) {
    if (text[at] == '"') quoted = !quoted;
    if (!quoted && (text[at] == '\n' || text[at] == '\r')) return text.substr(begin, at - begin);
  }
  return std::nullopt;
}

/// The separator that a first line such as "sep=;", as spreadsheets write it, declares for the file.
std::optional<char> separator_said(std::string_view line) {
  constexpr std::string_view says = "sep=", separators = ",;\t|";
  if (line.size() != says.size() + 1 || !line.starts_with(says)) return std::nullopt;
  return separators.find(line.back()) == std::string_view::npos ? std::nullopt : std::optional(line.back());
}

char guess_separator(std::string_view header) {
  static constexpr std::string_view candidates = ",;\t";
  std::array<int, candidates.size()> counts{};
  bool quoted = false;
  for (const char c : header) {
    if (c == '"') quoted = !quoted;
    const std::size_t which = candidates.find(c);
    if (!quoted && which != std::string_view::npos) ++counts[which];
  }
  return candidates[static_cast<std::size_t>(std::ranges::max_element(counts) - counts.begin())];
}

void check_header(const std::vector<std::string>& header, const std::string& file, std::int64_t line) {
  std::vector<std::string> sorted = header;
  std::ranges::sort(sorted);
  if (const auto twice = std::ranges::adjacent_find(sorted); twice != sorted.end()) {
    fail<DataError>("[csv] {}, line {}: two columns are named '{}'. Hint: give one another name.", file, line, *twice);
  }
  if (std::ranges::all_of(header, [](const std::string& name) { return parse_number(name).has_value(); })) {
    fail<DataError>(
        "[csv] {}, line {}: every name of a column is a number. Hint: the first line must name the columns, or "
        "--no-header.",
        file, line);
  }
}

}  // namespace

CsvReader::CsvReader(const std::filesystem::path& path, std::optional<char> separator, bool header) : file_(path) {
  start(separator, header);
}
CsvReader::CsvReader(int descriptor, std::string name, std::optional<char> separator, bool header,
                     std::function<bool()> interrupted)
    : file_(descriptor, std::move(name), std::move(interrupted)) {
  start(separator, header);
}
CsvReader::~CsvReader() = default;

void CsvReader::start(std::optional<char> separator, bool header) {
  if (Bytes bytes(file_, "csv"); bytes.gzip()) unpacked_ = std::make_unique<Bytes>(file_, "csv");
  const std::string text = first_line();
  const std::string_view line = header_line(text).value_or(text);
  const auto said = separator_said(line);
  separator_ = separator ? *separator : said ? *said : guess_separator(line);
  parser_ = std::make_unique<Parser>(separator_);
  parser_->feed(text);
  while (said && next_row() && cells_.empty()) {
  }
  header ? read_header() : number_columns();
}

std::string CsvReader::read_text() {
  std::string text(chunk, '\0');
  const auto room = std::as_writable_bytes(std::span(text));
  text.resize(unpacked_ ? unpacked_->read(room) : file_.read_some(room));
  if (text.find('\0') != std::string::npos) {
    const bool four_bytes = text.find(std::string(2, '\0')) != std::string::npos;  // UTF-16 text has single zeros
    fail<DataError>(
        "[csv] {}: a zero byte, so this is no UTF-8 text. Hint: decompress it, or iconv -f utf-{} -t utf-8.", name(),
        four_bytes ? 32 : 16);
  }
  return text;
}

/// The beginning of the text, with at least the line of the header.
std::string CsvReader::first_line() {
  std::string text;
  while (!header_line(text)) {
    const std::string more = read_text();
    if (more.empty()) break;
    text += more;
    if (text.size() > max_header) fail<DataError>("[csv] {}: no end of its first line in the first 4 MB", name());
  }
  return text.starts_with(byte_order_mark) ? text.substr(byte_order_mark.size()) : text;
}

void CsvReader::read_header() {
  do {
    if (!next_row()) fail<DataError>("[csv] {}: the file is empty. Wanted: a line that names the columns", name());
  } while (cells_.empty());
  for (const std::string_view cell : cells_) {
    const std::string_view text = trim(cell);
    header_.push_back(text.empty() ? fmt::format("column {}", header_.size() + 1) : std::string(text));
  }
  check_header(header_, name(), line_);
}

void CsvReader::number_columns() {
  do {
    if (!next_row()) fail<DataError>("[csv] {}: the file is empty. Wanted: rows", name());
  } while (cells_.empty());
  for (std::size_t i = 0; i < cells_.size(); ++i) header_.push_back(fmt::format("column {}", i + 1));
  first_row_waits_ = true;
}

bool CsvReader::next_row() {
  while (!parser_->pop(cells_, line_)) {
    if (const auto& fault = parser_->fault())
      fail<DataError>("[csv] {}, line {}: {}", name(), fault->line, fault->what);
    if (ended_) return false;
    const std::string text = read_text();
    ended_ = text.empty();
    if (ended_) {
      parser_->finish();
    } else {
      parser_->feed(text);
    }
  }
  return true;
}

bool CsvReader::next() {
  if (std::exchange(first_row_waits_, false)) return true;
  do {
    if (!next_row()) return false;
    if (cells_.empty() && header_.size() == 1) cells_.emplace_back();
  } while (cells_.empty());
  if (cells_.size() != header_.size()) {
    fail<DataError>(
        "[csv] {}, line {}: {} cell{}, and the first line has {}{}", name(), line_, cells_.size(),
        cells_.size() == 1 ? "" : "s", header_.size(),
        header_.size() == 1 ? ". Hint: the names of the columns come first; take away what is above them." : "");
  }
  return true;
}

std::string csv_line(std::span<const std::string_view> cells, char separator) {
  const std::string special = {separator, '"', '\r', '\n'};
  std::string line;
  for (std::size_t i = 0; i < cells.size(); ++i) {
    const std::string_view cell = cells[i];
    if (i > 0) line += separator;
    // A reader drops blanks around an unquoted cell, and empty lines.
    const bool blank_at_edge = cell != trim(cell) || (cell.empty() && cells.size() == 1);
    if (!blank_at_edge && cell.find_first_of(special) == std::string_view::npos) {
      line += cell;
      continue;
    }
    line += '"';
    for (const char c : cell) line.append(c == '"' ? 2 : 1, c);
    line += '"';
  }
  return line + '\n';
}

std::vector<std::string> split_names(std::string_view text) {
  std::vector<std::string> names;
  bool quoted = false;
  std::string name;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '"' && quoted && text.substr(i + 1).starts_with('"')) {
      name += text[i++];
    } else if (text[i] == '"' && (quoted || name.empty())) {
      quoted = !quoted;
    } else if (text[i] == ',' && !quoted) {
      names.push_back(std::exchange(name, {}));
    } else {
      name += text[i];
    }
  }
  names.push_back(std::move(name));
  return names;
}

}  // namespace thalweg::data
