#pragma once
// Tokenizers: text to numbers and back.

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "data/schema.hpp"

namespace thalweg::data {

/// Numbers 0, 1, ... size() - 1 for pieces of text. It may be used by several threads at once.
///
///   bytes       256 tokens; any text.
///   characters  token 0 is any unknown character, then those of the training text by code point; UTF-8.
///   bpe         byte-pair encoding (Sennrich et al. 2016) of bytes: the 256 bytes, then merges in the order in which
///               they were learned; no merge crosses word boundaries; any text.
class Tokenizer {
 public:
  enum class Kind { bytes, characters, bpe };
  using Pair = std::pair<std::int32_t, std::int32_t>;

  [[nodiscard]] static Tokenizer bytes();
  /// Tokens are the characters in a text. Throws DataError if it is not UTF-8.
  [[nodiscard]] static Tokenizer characters(std::string_view text);
  /// Learns merges from a text: the most frequent pair becomes a token, until there are `size` tokens or no pair occurs
  /// twice. Throws UsageError for a size below 256.
  [[nodiscard]] static Tokenizer bpe(std::string_view text, std::int64_t size);
  /// Restores stored merges. Throws ModelError for a merge of tokens that are not defined yet, and for a token of more
  /// than 64 bytes, which training never creates: merging a token with itself repeatedly would double its length each
  /// time.
  [[nodiscard]] static Tokenizer bpe(std::vector<Pair> merges);

  [[nodiscard]] Kind kind() const { return kind_; }
  [[nodiscard]] std::int64_t size() const { return static_cast<std::int64_t>(tokens_.size()); }
  /// The bytes of a token.
  [[nodiscard]] const std::string& token(std::int64_t id) const { return tokens_[static_cast<std::size_t>(id)]; }
  /// The merges of a bpe tokenizer, in order.
  [[nodiscard]] const std::vector<Pair>& merges() const { return merges_; }
  /// The characters of a characters tokenizer except for the unknown one, as one text.
  [[nodiscard]] std::string alphabet() const;

  /// Throws DataError if the tokens are characters and the text is not UTF-8.
  [[nodiscard]] std::vector<std::int32_t> encode(std::string_view text) const;
  [[nodiscard]] std::string decode(std::span<const std::int32_t> ids) const;

  friend bool operator==(const Tokenizer& a, const Tokenizer& b) {
    return a.kind_ == b.kind_ && a.tokens_ == b.tokens_ && a.merges_ == b.merges_;
  }

 private:
  explicit Tokenizer(Kind kind) : kind_(kind) {}
  void add_merge(Pair pair);
  void encode_piece(std::string_view piece, std::vector<std::int32_t>& ids) const;

  Kind kind_;
  std::vector<std::string> tokens_;
  std::vector<Pair> merges_;
  std::unordered_map<std::uint64_t, std::int32_t> merged_;       // the token that a pair becomes
  std::unordered_map<std::string, std::int32_t> character_ids_;  // for characters
};

template <>
inline constexpr std::array<std::string_view, 3> names_of<Tokenizer::Kind>{"bytes", "characters", "bpe"};

/// The next word of a text for byte-pair encoding: a run of letters, of digits or of other characters, with the space
/// before it, or a run of white space. The words joined are the text. None is longer than 64 bytes.
[[nodiscard]] std::string_view next_piece(std::string_view text);

}  // namespace thalweg::data
