#include "data/tokenizer.hpp"

#include <algorithm>
#include <set>

#include "core/error.hpp"
#include "core/utf8.hpp"

namespace thalweg::data {

namespace {

constexpr std::int64_t byte_count = 256;
constexpr std::size_t longest_piece = 64;            // bytes; also the longest token
constexpr const char* replacement = "\xef\xbf\xbd";  // U+FFFD

std::uint64_t key_of(Tokenizer::Pair pair) {
  return static_cast<std::uint64_t>(static_cast<std::uint32_t>(pair.first)) << 32U |
         static_cast<std::uint32_t>(pair.second);
}
Tokenizer::Pair pair_of(std::uint64_t key) {
  return {static_cast<std::int32_t>(key >> 32U), static_cast<std::int32_t>(key & 0xffffffffU)};
}

/// Bytes of the character that begins with `lead`, in well-formed UTF-8.
std::size_t character_length(char lead) {
  const auto byte = static_cast<unsigned char>(lead);
  return byte < 0x80 ? 1 : byte < 0xe0 ? 2 : byte < 0xf0 ? 3 : 4;
}

void expect_utf8(std::string_view text) {
  if (is_utf8(text)) return;
  fail<DataError>("[text] the text is not UTF-8, so it has no characters. Hint: tokenizer = \"bytes\" takes any file.");
}

enum class Class { letter, digit, space, mark };

Class class_of(char c) {
  const auto byte = static_cast<unsigned char>(c);
  const unsigned lower = byte | 0x20U;
  if (byte >= 0x80 || (lower >= 'a' && lower <= 'z')) return Class::letter;
  if (byte >= '0' && byte <= '9') return Class::digit;
  return byte == ' ' || (byte >= '\t' && byte <= '\r') ? Class::space : Class::mark;
}

/// Replaces each occurrence of the pair, from the left.
void merge_in(std::vector<std::int32_t>& ids, Tokenizer::Pair pair, std::int32_t into) {
  std::size_t to = 0;
  for (std::size_t i = 0; i < ids.size(); ++to) {
    const bool here = i + 1 < ids.size() && ids[i] == pair.first && ids[i + 1] == pair.second;
    ids[to] = here ? into : ids[i];
    i += here ? 2 : 1;
  }
  ids.resize(to);
}

/// The words of a text with their counts, and for each pair of adjacent tokens its count and the words that contain it.
class PairCounts {
 public:
  explicit PairCounts(std::string_view text) {
    std::unordered_map<std::string_view, std::size_t> places;
    while (!text.empty()) {
      const std::string_view piece = next_piece(text);
      text.remove_prefix(piece.size());
      const auto [found, fresh] = places.try_emplace(piece, words_.size());
      if (fresh) {
        Word& word = words_.emplace_back();
        for (const char c : piece) word.ids.push_back(static_cast<unsigned char>(c));
      }
      ++words_[found->second].count;
    }
    for (std::size_t w = 0; w < words_.size(); ++w) count(w, 1);
  }

  /// The most frequent pair, the first one of equally frequent pairs; its count is 0 if there is none.
  [[nodiscard]] std::pair<Tokenizer::Pair, std::int64_t> best() const {
    std::uint64_t key = 0;
    std::int64_t most = 0;
    for (const auto& [k, entry] : pairs_) {
      if (entry.count > most || (entry.count == most && most > 0 && k < key)) {
        key = k;
        most = entry.count;
      }
    }
    return {pair_of(key), most};
  }

  void merge(Tokenizer::Pair pair, std::int32_t into) {
    const std::vector<std::size_t> touched = std::move(pairs_[key_of(pair)].words);
    std::size_t last = words_.size();
    for (const std::size_t w : touched) {  // in order; a word may occur more than once
      if (w == last) continue;
      last = w;
      count(w, -1);
      merge_in(words_[w].ids, pair, into);
      count(w, 1);
    }
    pairs_.erase(key_of(pair));
  }

 private:
  struct Word {
    std::vector<std::int32_t> ids;
    std::int64_t count = 0;
  };
  struct Entry {
    std::int64_t count = 0;
    std::vector<std::size_t> words;  // words that contain the pair, or did before a merge
  };

  void count(std::size_t w, std::int64_t sign) {
    const Word& word = words_[w];
    for (std::size_t i = 0; i + 1 < word.ids.size(); ++i) {
      Entry& entry = pairs_[key_of({word.ids[i], word.ids[i + 1]})];
      entry.count += sign * word.count;
      if (sign > 0 && (entry.words.empty() || entry.words.back() != w)) entry.words.push_back(w);
    }
  }

  std::vector<Word> words_;
  std::unordered_map<std::uint64_t, Entry> pairs_;
};

}  // namespace

std::string_view next_piece(std::string_view text) {
  if (text.empty()) return text;
  const std::size_t most = std::min(text.size(), longest_piece);
  const auto run_from = [&](std::size_t begin) {
    std::size_t end = begin + 1;
    while (end < most && class_of(text[end]) == class_of(text[begin])) ++end;
    return end;
  };
  const auto is = [&](std::size_t at, Class c) { return at < most && class_of(text[at]) == c; };
  if (!is(0, Class::space)) return text.substr(0, run_from(0));
  if (text[0] == ' ' && most > 1 && !is(1, Class::space)) return text.substr(0, run_from(1));
  std::size_t end = run_from(0);
  if (end > 1 && end < text.size() && text[end - 1] == ' ' && class_of(text[end]) != Class::space) --end;
  return text.substr(0, end);
}

Tokenizer Tokenizer::bytes() {
  Tokenizer t(Kind::bytes);
  for (int byte = 0; byte < byte_count; ++byte) t.tokens_.emplace_back(1, static_cast<char>(byte));
  return t;
}

Tokenizer Tokenizer::characters(std::string_view text) {
  expect_utf8(text);
  std::set<std::string_view> found;  // UTF-8 sorts in the order of code points
  for (std::size_t at = 0; at < text.size(); at += character_length(text[at])) {
    found.insert(text.substr(at, character_length(text[at])));
  }
  Tokenizer t(Kind::characters);
  t.tokens_.emplace_back(replacement);
  for (const std::string_view character : found) {
    t.character_ids_.emplace(character, static_cast<std::int32_t>(t.tokens_.size()));
    t.tokens_.emplace_back(character);
  }
  return t;
}

void Tokenizer::add_merge(Pair pair) {
  merged_.emplace(key_of(pair), static_cast<std::int32_t>(tokens_.size()));
  merges_.push_back(pair);
  tokens_.push_back(token(pair.first) + token(pair.second));
}

Tokenizer Tokenizer::bpe(std::string_view text, std::int64_t size) {
  if (size < byte_count) fail<UsageError>("[text] vocabulary_size = {}. Wanted: >= {} for bpe", size, byte_count);
  Tokenizer t = bpe({});
  PairCounts counts(text);
  while (t.size() < size) {
    const auto [pair, count] = counts.best();
    if (count < 2) break;
    counts.merge(pair, static_cast<std::int32_t>(t.size()));
    t.add_merge(pair);
  }
  return t;
}

Tokenizer Tokenizer::bpe(std::vector<Pair> merges) {
  Tokenizer t = bytes();
  t.kind_ = Kind::bpe;
  for (const Pair& pair : merges) {
    const auto known = [&](std::int32_t id) { return id >= 0 && id < t.size(); };
    if (!known(pair.first) || !known(pair.second) || t.merged_.contains(key_of(pair))) {
      fail<ModelError>("[tokenizer] after {} tokens: the merge of {} and {} names an unknown token, or repeats a merge",
                       t.size(), pair.first, pair.second);
    }
    if (const std::size_t bytes = t.token(pair.first).size() + t.token(pair.second).size(); bytes > longest_piece)
      fail<ModelError>("[tokenizer] token {} has {} bytes. Wanted: at most {}", t.size(), bytes, longest_piece);
    t.add_merge(pair);
  }
  return t;
}

std::string Tokenizer::alphabet() const {
  std::string all;
  for (std::size_t id = 1; id < tokens_.size(); ++id) all += tokens_[id];
  return all;
}

/// Applies merges in the order in which they were learned.
void Tokenizer::encode_piece(std::string_view piece, std::vector<std::int32_t>& ids) const {
  std::vector<std::int32_t> own;
  for (const char c : piece) own.push_back(static_cast<unsigned char>(c));
  while (own.size() > 1) {
    std::int32_t first = static_cast<std::int32_t>(size());
    for (std::size_t i = 0; i + 1 < own.size(); ++i) {
      const auto found = merged_.find(key_of({own[i], own[i + 1]}));
      if (found != merged_.end()) first = std::min(first, found->second);
    }
    if (first == size()) break;
    merge_in(own, merges_[static_cast<std::size_t>(first - byte_count)], first);
  }
  ids.insert(ids.end(), own.begin(), own.end());
}

std::vector<std::int32_t> Tokenizer::encode(std::string_view text) const {
  std::vector<std::int32_t> ids;
  if (kind_ == Kind::bytes) {
    ids.reserve(text.size());
    for (const char c : text) ids.push_back(static_cast<unsigned char>(c));
  } else if (kind_ == Kind::characters) {
    expect_utf8(text);
    for (std::size_t at = 0; at < text.size(); at += character_length(text[at])) {
      const auto found = character_ids_.find(std::string(text.substr(at, character_length(text[at]))));
      ids.push_back(found == character_ids_.end() ? 0 : found->second);
    }
  } else {
    std::unordered_map<std::string_view, std::vector<std::int32_t>> known;
    while (!text.empty()) {
      const std::string_view piece = next_piece(text);
      text.remove_prefix(piece.size());
      auto [found, fresh] = known.try_emplace(piece);
      if (fresh) encode_piece(piece, found->second);
      ids.insert(ids.end(), found->second.begin(), found->second.end());
    }
  }
  return ids;
}

std::string Tokenizer::decode(std::span<const std::int32_t> ids) const {
  std::string text;
  for (const std::int32_t id : ids) {
    if (id < 0 || id >= size()) fail<UsageError>("[tokenizer] token {} of {}", id, size());
    text += token(id);
  }
  return text;
}

}  // namespace thalweg::data
