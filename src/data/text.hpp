#pragma once
// Text as a sequence of tokens, split into windows.

#include <filesystem>

#include "data/schema.hpp"
#include "data/tokenizer.hpp"
#include "thalweg/data.hpp"

namespace thalweg::data {

/// The options in `[data]` for texts.
struct TextOptions {
  std::string tokenizer = "bytes";
  std::int64_t vocabulary_size = 1024;
  std::int64_t sequence_length = 128;
  std::int64_t stride = 0;

  [[nodiscard]] Fields fields();
};

/// Reads a file, or all files of a folder and its subfolders, joined in the order of their paths. Throws UsageError if
/// there is no file, DataError if all are empty, MemoryError above `memory_budget()`.
[[nodiscard]] std::string read_text(const std::filesystem::path& path);

/// Splits a text in two: the last part is `fraction` of it, to the nearest byte where a character begins.
[[nodiscard]] std::pair<std::string_view, std::string_view> split_text(std::string_view text, double fraction);

/// The tokenizer that the options ask for, fitted to a text.
[[nodiscard]] Tokenizer fit_tokenizer(const TextOptions& options, std::string_view text);

/// How text becomes rows: windows of `sequence_length` tokens, whose targets are the same tokens shifted by one.
struct TextPreprocessing {
  Tokenizer tokenizer;
  std::int64_t sequence_length = 128;

  /// "input" and "target", i32 (rows, sequence_length), one row every `stride` tokens (0: every sequence_length). If
  /// rows do not overlap, both columns share their memory, one token apart. Throws DataError that names `where` for a
  /// text shorter than a window.
  [[nodiscard]] Dataset encode(std::string_view text, std::string_view where, std::int64_t stride = 0) const;
  /// The length of each token in bytes, f64 (tokens).
  [[nodiscard]] Tensor token_bytes() const;
  friend bool operator==(const TextPreprocessing&, const TextPreprocessing&) = default;
};

}  // namespace thalweg::data
