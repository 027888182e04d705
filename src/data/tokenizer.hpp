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

/// Numbers 0, 1, ... size() - 1 for pieces of text. Reading it from several threads is safe.
///
///   bytes       256 tokens; any text.
///   characters  token 0 is any unknown character, then those of the training text by code point; UTF-8.
///   bpe         byte-pair encoding (Sennrich et al. 2016) on bytes: the 256 bytes, then merges in the order in which
///               they were learned, none of which crosses from one word to the next; any text.
class Tokenizer {
 public:
  enum class Kind { bytes, characters, bpe };
  using Pair = std::pair<std::int32_t, std::int32_t>;

  [[nodiscard]] static Tokenizer bytes();
  /// Of the characters in a text. Throws DataError where it is not UTF-8.
  [[nodiscard]] static Tokenizer characters(std::string_view text);
  /// Learned from a text: the most frequent pair becomes a token, until there are `size` tokens or no pair occurs
  /// twice. Throws UsageError for a size below 256.
  [[nodiscard]] static Tokenizer bpe(std::string_view text, std::int64_t size);
  /// From stored parts. Throws ModelError for a merge of tokens that are not defined yet, and for a token of more than
  /// 64 bytes, which training never makes: merging a token with itself again and again would double its length.
  [[nodiscard]] static Tokenizer bpe(std::vector<Pair> merges);

  [[nodiscard]] Kind kind() const { return kind_; }
  [[nodiscard]] std::int64_t size() const { return static_cast<std::int64_t>(tokens_.size()); }
  /// The bytes of a token.
  [[nodiscard]] const std::string& token(std::int64_t id) const { return tokens_[static_cast<std::size_t>(id)]; }
  /// Of a bpe, in order.
  [[nodiscard]] const std::vector<Pair>& merges() const { return merges_; }
  /// Of characters, but for the unknown one, as one text.
  [[nodiscard]] std::string alphabet() const;

  /// Throws DataError where characters are wanted and the text is not UTF-8.
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
  std::unordered_map<std::uint64_t, std::int32_t> merged_;       // of a pair, the token that it becomes
  std::unordered_map<std::string, std::int32_t> character_ids_;  // of characters
};

template <>
inline constexpr std::array<std::string_view, 3> names_of<Tokenizer::Kind>{"bytes", "characters", "bpe"};

/// The words of a text as byte-pair encoding sees them, which put together are the text: a run of letters, of digits or
/// of other marks, with the space before it, or a run of white space. None is longer than 64 bytes.
[[nodiscard]] std::string_view next_piece(std::string_view text);

}  // namespace thalweg::data
