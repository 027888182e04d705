#include "data/labelled_texts.hpp"

#include <unistd.h>

#include <algorithm>
#include <set>

#include "core/error.hpp"
#include "core/file_error.hpp"
#include "core/utf8.hpp"
#include "data/bytes.hpp"
#include "data/csv.hpp"
#include "data/listed.hpp"

namespace fs = std::filesystem;

namespace thalweg::data {

Fields LabelledTextOptions::fields() {
  return {
      {"layout",
       &layout,
       "how texts and classes are stored: a folder for each class, a table (csv), lines of a class and a text, or what "
       "the path looks like (auto; standard input is a table)",
       any_number,
       {"auto", "folder", "csv", "lines"}},
      {"text", &text, "the column of a table with the texts"},
      {"target", &target, "the column of a table with their classes"},
      {"classes", &classes, "the classes, of two the positive one last; none: those that the training data has"},
  };
}

namespace {

std::vector<fs::path> sorted_entries(const fs::path& folder) {
  std::vector<fs::path> entries;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
    if (!entry.path().filename().string().starts_with(".")) entries.push_back(entry.path());
  }
  std::ranges::sort(entries);
  return entries;
}

std::vector<fs::path> folders_in(const fs::path& folder) {
  std::vector<fs::path> folders = sorted_entries(folder);
  std::erase_if(folders, [](const fs::path& path) { return !fs::is_directory(path); });
  return folders;
}

constexpr std::int64_t max_text = std::int64_t{1} << 28;  // bytes

class FolderTexts final : public LabelledTexts {
 public:
  explicit FolderTexts(const fs::path& folder) {
    looking_at_files([&] {
      for (const fs::path& of_class : folders_in(folder)) {
        for (fs::path& file : sorted_entries(of_class)) {
          if (fs::is_regular_file(file)) files_.push_back(std::move(file));
        }
      }
    });
    if (files_.empty()) {
      fail<DataError>("[texts] {}: no texts. Wanted: a folder for each class, with a text a file", folder.string());
    }
  }
  std::optional<LabelledText> next() override {
    if (next_ == files_.size()) return std::nullopt;
    const fs::path& path = files_[next_++];
    const File file(path);
    if (file.size() > max_text) fail<DataError>("[texts] {}: larger than {} MB", path.string(), max_text >> 20);
    text_.resize(file.size() < 0 ? 0 : static_cast<std::size_t>(file.size()));
    text_.resize(file.read_at(0, std::as_writable_bytes(std::span(text_))));
    label_ = path.parent_path().filename().string();
    return LabelledText{text_, label_};
  }
  [[nodiscard]] std::string where() const override { return files_[next_ - 1].string(); }

 private:
  std::vector<fs::path> files_;
  std::size_t next_ = 0;
  std::string text_, label_;
};

class TableTexts final : public LabelledTexts {
 public:
  TableTexts(std::unique_ptr<CsvReader> reader, const LabelledTextOptions& options)
      : reader_(std::move(reader)), text_(column(options.text, "text")), label_(column(options.target, "target")) {}
  std::optional<LabelledText> next() override {
    if (!reader_->next()) return std::nullopt;
    const auto cells = reader_->cells();
    if (cells[label_].empty()) fail<DataError>("[texts] {}: a text without a class", where());
    return LabelledText{cells[text_], cells[label_]};
  }
  [[nodiscard]] std::string where() const override { return fmt::format("{}:{}", reader_->name(), reader_->line()); }

 private:
  [[nodiscard]] std::size_t column(const std::string& name, std::string_view option) const {
    const auto& header = reader_->header();
    const auto found = std::ranges::find(header, name);
    if (found != header.end()) return static_cast<std::size_t>(found - header.begin());
    fail<DataError>("[texts] {}: there is no column '{}'. Hint: {} = one of {}.", reader_->name(), name, option,
                    listed(header));
  }

  std::unique_ptr<CsvReader> reader_;
  std::size_t text_, label_;
};

/// Texts in lines of a stream.
class LineTexts final : public LabelledTexts {
 public:
  explicit LineTexts(std::unique_ptr<File> file) : file_(std::move(file)) {
    if (Bytes bytes(*file_, "texts"); bytes.gzip()) unpacked_ = std::make_unique<Bytes>(*file_, "texts");
  }
  std::optional<LabelledText> next() override {
    std::string_view line;
    do {
      if (!next_line(line)) return std::nullopt;
    } while (line.empty());
    const std::size_t end = line.find_first_of(" \t");
    if (end == 0 || end == std::string_view::npos) {
      fail<DataError>("[texts] {}: a line without a class and a text. Wanted: CLASS, a blank or a tab, TEXT", where());
    }
    return LabelledText{line.substr(end + 1), line.substr(0, end)};
  }
  [[nodiscard]] std::string where() const override { return fmt::format("{}:{}", file_->name(), line_); }

 private:
  bool next_line(std::string_view& line) {
    std::size_t end = buffer_.find('\n', at_), searched = buffer_.size();
    while (end == std::string::npos && read_more()) {
      end = buffer_.find('\n', std::max(at_, searched));
      searched = buffer_.size();
    }
    if (end == std::string::npos && at_ == buffer_.size()) return false;
    end = std::min(end, buffer_.size());
    line = std::string_view(buffer_).substr(at_, end - at_);
    if (line.ends_with('\r')) line.remove_suffix(1);
    at_ = std::min(end + 1, buffer_.size());
    ++line_;
    return true;
  }
  bool read_more() {
    buffer_.erase(0, std::exchange(at_, 0));
    const std::size_t size = buffer_.size();
    if (static_cast<std::int64_t>(size) > max_text)
      fail<DataError>("[texts] {}: no end of line {} in {} MB", file_->name(), line_ + 1, max_text >> 20);
    buffer_.resize(size + (1 << 16));
    const auto room = std::as_writable_bytes(std::span(buffer_).subspan(size));
    buffer_.resize(size + (unpacked_ ? unpacked_->read(room) : file_->read_some(room)));
    return buffer_.size() > size;
  }

  std::unique_ptr<File> file_;
  std::unique_ptr<Bytes> unpacked_;
  std::string buffer_;
  std::size_t at_ = 0;
  std::int64_t line_ = 0;
};

std::string layout_of(const std::string& path, const LabelledTextOptions& options) {
  if (options.layout != "auto") return options.layout;
  if (path == "-") return "csv";
  if (fs::is_directory(path)) return "folder";
  return fs::path(path).extension() == ".txt" ? "lines" : "csv";
}

constexpr const char* standard_input = "standard input";

}  // namespace

std::unique_ptr<LabelledTexts> open_texts(const std::string& path, const LabelledTextOptions& options,
                                          const std::function<bool()>& interrupted) {
  const std::string layout = layout_of(path, options);
  if (layout == "folder") {
    if (!fs::is_directory(path)) fail<UsageError>("[texts] there is no folder {}", path);
    return std::make_unique<FolderTexts>(path);
  }
  const bool piped = path == "-";
  if (layout == "lines") {
    return std::make_unique<LineTexts>(piped ? std::make_unique<File>(STDIN_FILENO, standard_input, interrupted)
                                             : std::make_unique<File>(fs::path(path)));
  }
  return std::make_unique<TableTexts>(
      piped ? std::make_unique<CsvReader>(STDIN_FILENO, standard_input, std::nullopt, true, interrupted)
            : std::make_unique<CsvReader>(fs::path(path)),
      options);
}

std::vector<std::string> classes_of(const std::string& path, const LabelledTextOptions& options) {
  std::vector<std::string> classes = options.classes;
  if (classes.empty() && layout_of(path, options) == "folder") {
    for (const fs::path& folder : folders_in(path)) {
      classes.push_back(folder.filename().string());
      if (!is_utf8(classes.back()))
        fail<DataError>("[texts] the folder {} has a name that is not UTF-8. Hint: rename it.", folder.string());
    }
  } else if (classes.empty()) {
    std::set<std::string, std::less<>> seen;
    const auto texts = open_texts(path, options);
    while (const auto text = texts->next()) {
      if (seen.contains(text->label)) continue;
      if (!is_utf8(text->label)) fail<DataError>("[texts] {}: a class that is not UTF-8", texts->where());
      seen.emplace(text->label);
    }
    classes.assign(seen.begin(), seen.end());
  }
  if (classes.size() < 2) {
    fail<DataError>("[texts] {}: {}. Wanted: two classes or more", path,
                    classes.empty() ? "no class" : fmt::format("one class, '{}'", classes.front()));
  }
  return classes;
}

std::int32_t class_number(const std::vector<std::string>& classes, std::string_view label, const LabelledTexts& texts) {
  const auto found = std::ranges::find(classes, label);
  if (found != classes.end()) return static_cast<std::int32_t>(found - classes.begin());
  fail<DataError>("[texts] {}: the class '{}'. Wanted: {}", texts.where(), label, listed(classes));
}

}  // namespace thalweg::data
