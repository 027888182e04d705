#include "data/hashed_text.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>

namespace thalweg::data {

std::uint32_t murmur3(std::string_view bytes, std::uint32_t seed) {
  constexpr std::uint32_t c1 = 0xcc9e2d51U, c2 = 0x1b873593U;
  const auto mixed = [](std::uint32_t k) { return std::rotl(k * c1, 15) * c2; };
  std::uint32_t h = seed;
  const std::size_t blocks = bytes.size() / 4;
  for (std::size_t i = 0; i < blocks; ++i) {
    std::uint32_t k = 0;
    std::memcpy(&k, bytes.data() + 4 * i, 4);
    h = std::rotl(h ^ mixed(k), 13) * 5 + 0xe6546b64U;
  }
  std::uint32_t tail = 0;
  for (std::size_t i = bytes.size(); i > 4 * blocks; --i) tail = tail << 8 | static_cast<unsigned char>(bytes[i - 1]);
  h ^= mixed(tail);  // 0 where there is none
  h ^= static_cast<std::uint32_t>(bytes.size());
  h = (h ^ h >> 16) * 0x85ebca6bU;
  h = (h ^ h >> 13) * 0xc2b2ae35U;
  return h ^ h >> 16;
}

Fields HashingOptions::fields() {
  return {{"features", &features, "columns that words are hashed into", {.low = 1, .high = 1 << 28}},
          {"ngrams", &ngrams, "up to how many neighbouring words are counted together", {.low = 1, .high = 8}},
          {"weighting",
           &weighting,
           "what a word adds to its column: how often it occurs (counts), the logarithm of one more (log), or counts "
           "times how rare it is among the training texts (tfidf)",
           any_number,
           {"counts", "log", "tfidf"}}};
}

namespace {

/// For each byte: its lower case if it belongs to a word, otherwise 0.
constexpr std::array<char, 256> word_bytes() {
  std::array<char, 256> table{};
  for (int c = 0; c < 256; ++c) {
    const bool upper = c >= 'A' && c <= 'Z';
    const bool other = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c >= 128;
    if (upper || other) table[static_cast<std::size_t>(c)] = static_cast<char>(upper ? c - 'A' + 'a' : c);
  }
  return table;
}
constexpr std::array<char, 256> in_word = word_bytes();

}  // namespace

void TextHasher::find_words(std::string_view text) {
  words_.clear();
  ends_.clear();
  std::size_t begin = 0;
  const auto end_word = [&] {
    if (words_.size() - begin >= 2) {
      ends_.emplace_back(begin, words_.size());
      words_ += ' ';
    } else {
      words_.resize(begin);
    }
    begin = words_.size();
  };
  for (const char byte : text) {
    const char c = in_word[static_cast<unsigned char>(byte)];
    if (c != 0) {
      words_ += c;
    } else if (words_.size() > begin) {
      end_word();
    }
  }
  if (words_.size() > begin) end_word();
}

void TextHasher::count(std::uint32_t hash) {
  const auto h = static_cast<std::int64_t>(static_cast<std::int32_t>(hash));
  counted_.emplace_back(static_cast<std::int32_t>(std::abs(h) % options_.features), h >= 0 ? 1.0F : -1.0F);
}

void TextHasher::sum_columns() {
  std::ranges::sort(counted_, {}, &std::pair<std::int32_t, float>::first);  // sums of 1 and -1 are exact in any order
  columns_.clear();
  values_.clear();
  for (const auto& [column, sign] : counted_) {
    if (!columns_.empty() && columns_.back() == column) {
      values_.back() += sign;
    } else {
      columns_.push_back(column);
      values_.push_back(sign);
    }
  }
}

SparseRow TextHasher::operator()(std::string_view text, std::span<const float> inverse_frequency) {
  find_words(text);
  counted_.clear();
  const auto longest = static_cast<std::size_t>(options_.ngrams);
  for (std::size_t first = 0; first < ends_.size(); ++first) {
    const std::size_t begin = ends_[first].first, last = std::min(first + longest, ends_.size());
    for (std::size_t i = first; i < last; ++i)
      count(murmur3(std::string_view(words_).substr(begin, ends_[i].second - begin)));
  }
  sum_columns();
  if (options_.weighting == "log") {
    for (float& value : values_) value = std::copysign(std::log1p(std::abs(value)), value);
  }
  if (!inverse_frequency.empty()) {
    for (std::size_t i = 0; i < values_.size(); ++i)
      values_[i] *= inverse_frequency[static_cast<std::size_t>(columns_[i])];
  }
  normalise(values_);
  return {columns_, values_};
}

void normalise(std::span<float> values) {
  double sum = 0;
  for (const float value : values) sum += static_cast<double>(value) * static_cast<double>(value);
  if (sum == 0) return;
  const double scale = 1 / std::sqrt(sum);
  for (float& value : values) value = static_cast<float>(static_cast<double>(value) * scale);
}

std::vector<float> inverse_frequencies(const SparseRows& rows, std::int64_t features) {
  std::vector<std::int64_t> texts(static_cast<std::size_t>(features), 0);
  for (std::int64_t row = 0; row < rows.rows(); ++row) {
    for (const std::int32_t column : rows[row].columns) ++texts[static_cast<std::size_t>(column)];
  }
  std::vector<float> result(texts.size());
  const auto n = static_cast<double>(rows.rows());
  std::ranges::transform(texts, result.begin(), [n](std::int64_t m) {
    return static_cast<float>(std::log((1 + n) / (1 + static_cast<double>(m))) + 1);
  });
  return result;
}

}  // namespace thalweg::data
