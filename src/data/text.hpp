#pragma once
// Text as a sequence of tokens, cut into windows.

#include <filesystem>

#include "data/schema.hpp"
#include "data/tokenizer.hpp"
#include "thalweg/data.hpp"

namespace thalweg::data {

/// The keys of `[data]` for texts.
struct TextOptions {
  std::string tokenizer = "bytes";
  std::int64_t vocabulary_size = 1024;
  std::int64_t sequence_length = 128;
  std::int64_t stride = 0;

  [[nodiscard]] Fields fields();
};

/// A file, or all files of a folder and of those below it, joined in the order of their paths. Throws UsageError where
/// there is no file, DataError where all are empty, MemoryError above `memory_budget()`.
[[nodiscard]] std::string read_text(const std::filesystem::path& path);

/// Splits a text in two: the last part is `fraction` of it, to the nearest byte where a character begins.
[[nodiscard]] std::pair<std::string_view, std::string_view> split_text(std::string_view text, double fraction);

/// The tokenizer that the options ask for, fitted to a text.
[[nodiscard]] Tokenizer fit_tokenizer(const TextOptions& options, std::string_view text);

/// How text becomes rows: windows of `sequence_length` tokens, each of which predicts the tokens one place later.
struct TextPreprocessing {
  Tokenizer tokenizer;
  std::int64_t sequence_length = 128;

  /// "input" and "target", i32 (rows, sequence_length), a row every `stride` tokens (0: every sequence_length). Where
  /// rows do not overlap, both columns are the same memory, one token apart. Throws DataError, naming `where`, for a
  /// text shorter than a window.
  [[nodiscard]] Dataset encode(std::string_view text, std::string_view where, std::int64_t stride = 0) const;
  /// Bytes that each token stands for, f64 (tokens).
  [[nodiscard]] Tensor token_bytes() const;
  friend bool operator==(const TextPreprocessing&, const TextPreprocessing&) = default;
};

}  // namespace thalweg::data
