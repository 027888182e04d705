#pragma once
// Sentences with one class each, as rows of words.

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "data/labelled_texts.hpp"
#include "data/word_rows.hpp"

namespace thalweg::data {

struct Sentence {
  std::string text;
  std::int32_t label = 0;
  std::string where;  ///< for messages
};

/// The sentences at a place of labelled texts. Throws DataError for one that is not UTF-8, and if there is none.
[[nodiscard]] std::vector<Sentence> sentences_at(const std::string& place, const LabelledTextOptions& options,
                                                 const std::vector<std::string>& classes);

/// Columns of some of the sentences: "input" i32 (rows, length), "count" i32 (rows), "target" i32 (rows), and "text" u8
/// (rows, bytes of the longest), the original texts, padded with zeros. Adds to `cut` how many have more words than a
/// row.
[[nodiscard]] Dataset rows_of(std::span<const Sentence> sentences, std::span<const std::int64_t> rows,
                              const WordPreprocessing& words, std::int64_t& cut);

}  // namespace thalweg::data
