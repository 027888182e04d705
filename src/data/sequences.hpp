#pragma once
// Pairs of sequences: texts as tokens, and the conversion of both sides of a pair to rows.

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace thalweg::data {

/// The tokens of one side: characters, or words separated by blanks. Token i + 1 is symbols[i]; 0 is padding.
struct Alphabet {
  bool words = false;
  std::vector<std::string> symbols = {};  ///< UTF-8, distinct, in the order of their bytes

  /// Throws DataError that names `where` for a token that is not in the alphabet.
  [[nodiscard]] std::vector<std::int32_t> tokens_of(std::string_view text, std::string_view where) const;
  /// The text, up to the first 0.
  [[nodiscard]] std::string text_of(std::span<const std::int32_t> tokens) const;
  [[nodiscard]] std::int64_t size() const { return static_cast<std::int64_t>(symbols.size()); }
  friend bool operator==(const Alphabet&, const Alphabet&) = default;
};
/// The pieces of a text: its characters, or its words. Throws DataError that names `where` if it is not UTF-8.
[[nodiscard]] std::vector<std::string_view> pieces_of(std::string_view text, bool words, std::string_view where);

constexpr std::int64_t most_symbols = 1 << 20;  ///< per side
constexpr std::int64_t most_tokens = 1 << 12;   ///< per text

/// How pairs become rows: the tokens of the source and of the target. An output has at most `longest` tokens.
struct SequencePreprocessing {
  Alphabet source, target;
  std::string source_name = "source", target_name = "target";  ///< names of the columns
  std::int64_t longest = 64;
  friend bool operator==(const SequencePreprocessing&, const SequencePreprocessing&) = default;
};

/// A source, its target, and their position in the file.
struct SequencePair {
  std::string source, target, group = {};
  std::int64_t line = 0;
};
/// Reads the lines of a pronouncing dictionary: a word, blanks, its sounds separated by blanks. A line that begins with
/// ";;;" is a comment; a word that ends in a number in brackets, "READ(1)", is another pronunciation, which is left
/// out. Throws DataError that names file and line if it is not UTF-8, and for a word without sounds if those are
/// needed.
enum class Sounds { needed, may_lack };
[[nodiscard]] std::vector<SequencePair> dictionary_pairs(std::string_view text, std::string_view file,
                                                         Sounds sounds = Sounds::needed);
/// Whether a file is a dictionary, judged by its name: .dict or .txt.
[[nodiscard]] bool is_dictionary(const std::filesystem::path& path);
/// The pairs in the file of a dictionary. Throws UsageError for a pipe, MemoryError for one that is too large.
[[nodiscard]] std::vector<SequencePair> read_dictionary(const std::filesystem::path& path,
                                                        Sounds sounds = Sounds::needed);

}  // namespace thalweg::data
