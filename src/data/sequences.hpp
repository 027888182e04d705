#pragma once
// Pairs of sequences: texts as tokens, and how the two sides of a pair become rows.

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace thalweg::data {

/// The tokens of one side: characters, or words that blanks separate. Token i + 1 is symbols[i]; 0 stands for none.
struct Alphabet {
  bool words = false;
  std::vector<std::string> symbols = {};  ///< UTF-8, each once, in the order of their bytes

  /// Throws DataError, naming `where`, for a token that is none of these.
  [[nodiscard]] std::vector<std::int32_t> tokens_of(std::string_view text, std::string_view where) const;
  /// The text, up to the first 0.
  [[nodiscard]] std::string text_of(std::span<const std::int32_t> tokens) const;
  [[nodiscard]] std::int64_t size() const { return static_cast<std::int64_t>(symbols.size()); }
  friend bool operator==(const Alphabet&, const Alphabet&) = default;
};
/// The pieces of a text: its characters, or its words. Throws DataError, naming `where`, for what is no UTF-8.
[[nodiscard]] std::vector<std::string_view> pieces_of(std::string_view text, bool words, std::string_view where);

constexpr std::int64_t most_symbols = 1 << 20;  ///< of one side
constexpr std::int64_t most_tokens = 1 << 12;   ///< of one text

/// How pairs become rows: the tokens of the source and of the target. An output has at most `longest` tokens.
struct SequencePreprocessing {
  Alphabet source, target;
  std::string source_name = "source", target_name = "target";  ///< of the columns
  std::int64_t longest = 64;
  friend bool operator==(const SequencePreprocessing&, const SequencePreprocessing&) = default;
};

/// A source, its target, and where they stand.
struct SequencePair {
  std::string source, target, group = {};
  std::int64_t line = 0;
};
/// The lines of a pronouncing dictionary: a word, blanks, its sounds with blanks between them. A line that begins with
/// ";;;" is a comment, and one whose word ends in a number in brackets, "READ(1)", another pronunciation, which is left
/// out. Throws DataError, naming the file and the line, for what is no UTF-8, and for a word without sounds, where
/// those are needed.
enum class Sounds { needed, may_lack };
[[nodiscard]] std::vector<SequencePair> dictionary_pairs(std::string_view text, std::string_view file,
                                                         Sounds sounds = Sounds::needed);
/// Whether a file is a dictionary, by its name: .dict or .txt.
[[nodiscard]] bool is_dictionary(const std::filesystem::path& path);
/// The pairs in the file of a dictionary. Throws UsageError for a pipe, MemoryError for one that is too large.
[[nodiscard]] std::vector<SequencePair> read_dictionary(const std::filesystem::path& path,
                                                        Sounds sounds = Sounds::needed);

}  // namespace thalweg::data
