#pragma once
// Texts with a class each, one at a time: a folder with a folder for each class, a CSV table, or lines.

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "thalweg/options.hpp"

namespace thalweg::data {

/// The keys of `[data]` for the places of texts and their classes.
struct LabelledTextOptions {
  std::string layout = "auto";
  std::string text = "text", target = "class";
  std::vector<std::string> classes = {};

  [[nodiscard]] Fields fields();
};

/// A text and its class, valid until the next one is read.
struct LabelledText {
  std::string_view text, label;
};

class LabelledTexts {
 public:
  virtual ~LabelledTexts() = default;
  /// The next text; nothing at the end. Throws DataError with file and line.
  [[nodiscard]] virtual std::optional<LabelledText> next() = 0;
  /// The position of the current text, as messages show it.
  [[nodiscard]] virtual std::string where() const = 0;
};

/// Opens a path, or standard input if it is "-". In a folder, each class is a folder with one text per file; a file is
/// a table (.csv, .tsv, .gz) with columns for text and class, or has lines of a class, a blank or a tab, and a text
/// (.txt). Waiting for standard input stops when `interrupted` returns true; an incomplete text is then returned as the
/// last one. Throws UsageError if the path does not exist, DataError if a table lacks these columns.
[[nodiscard]] std::unique_ptr<LabelledTexts> open_texts(const std::string& path, const LabelledTextOptions& options,
                                                        const std::function<bool()>& interrupted = {});

/// The classes that the options name, otherwise those of the data, sorted: the folders in a folder, or the labels in a
/// file. Throws DataError if there are fewer than two.
[[nodiscard]] std::vector<std::string> classes_of(const std::string& path, const LabelledTextOptions& options);

/// The index of a class. Throws DataError that names the known classes for any other.
[[nodiscard]] std::int32_t class_number(const std::vector<std::string>& classes, std::string_view label,
                                        const LabelledTexts& texts);

}  // namespace thalweg::data
