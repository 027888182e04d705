// Edit distances by dynamic programming, and splitting texts into symbols.

#include "thalweg/edit_distance.hpp"

#include <algorithm>
#include <limits>
#include <map>
#include <string>
#include <vector>

#include "core/utf8.hpp"

namespace thalweg {

namespace {

/// Maps pieces of texts to numbers: equal pieces get equal numbers.
class Numbers {
 public:
  [[nodiscard]] std::int32_t of(std::string_view piece) {
    return numbers_.try_emplace(std::string(piece), static_cast<std::int32_t>(numbers_.size())).first->second;
  }

 private:
  std::map<std::string, std::int32_t, std::less<>> numbers_;
};

std::vector<std::int32_t> characters_of(std::string_view text, Numbers& numbers) {
  std::vector<std::int32_t> all;
  while (!text.empty()) {
    const std::size_t length = std::max<std::size_t>(1, utf8_length(text));
    all.push_back(numbers.of(text.substr(0, length)));
    text.remove_prefix(length);
  }
  return all;
}

std::vector<std::int32_t> words_of(std::string_view text, Numbers& numbers) {
  constexpr std::string_view white = " \t\r\n\v\f";
  std::vector<std::int32_t> all;
  for (std::size_t begin = text.find_first_not_of(white); begin != std::string_view::npos;) {
    const std::size_t end = std::min(text.find_first_of(white, begin), text.size());
    all.push_back(numbers.of(text.substr(begin, end - begin)));
    begin = text.find_first_not_of(white, end);
  }
  return all;
}

}  // namespace

double Edits::rate() const {
  return reference == 0 ? std::numeric_limits<double>::quiet_NaN()
                        : static_cast<double>(errors()) / static_cast<double>(reference);
}

Edits& Edits::operator+=(const Edits& other) {
  substitutions += other.substitutions;
  insertions += other.insertions;
  deletions += other.deletions;
  reference += other.reference;
  return *this;
}

Edits edits(std::span<const std::int32_t> read, std::span<const std::int32_t> reference) {
  // the fewest edits between the symbols read so far and each prefix of the reference
  std::vector<Edits> row(reference.size() + 1);
  for (std::size_t j = 0; j < row.size(); ++j) row[j].deletions = row[j].reference = static_cast<std::int64_t>(j);
  for (const std::int32_t symbol : read) {
    Edits diagonal = row[0];
    ++row[0].insertions;
    for (std::size_t j = 1; j < row.size(); ++j) {
      Edits best = diagonal, deleted = row[j - 1], inserted = row[j];
      diagonal = row[j];
      ++best.reference;
      if (symbol != reference[j - 1]) ++best.substitutions;
      ++deleted.deletions;
      ++deleted.reference;
      ++inserted.insertions;
      if (deleted.errors() < best.errors()) best = deleted;
      if (inserted.errors() < best.errors()) best = inserted;
      row[j] = best;
    }
  }
  return row.back();
}

Edits character_edits(std::string_view read, std::string_view reference) {
  Numbers numbers;
  const auto a = characters_of(read, numbers), b = characters_of(reference, numbers);
  return edits(a, b);
}

Edits word_edits(std::string_view read, std::string_view reference) {
  Numbers numbers;
  const auto a = words_of(read, numbers), b = words_of(reference, numbers);
  return edits(a, b);
}

}  // namespace thalweg
