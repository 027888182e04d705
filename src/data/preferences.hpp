#pragma once
// Pairs of texts of which one is preferred, from a table with a score for each text.

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "data/table.hpp"
#include "data/text.hpp"

namespace thalweg::data {

/// The columns of a table of pairs.
struct PreferenceColumns {
  std::string prompt = "", group = "";
  std::string first = "first", second = "second", first_score = "first_score", second_score = "second_score";

  [[nodiscard]] Fields fields();
};

/// A pair: the common prompt (often empty), the text with the higher score, and the other.
struct Preference {
  std::string prompt = {}, chosen, rejected, group = {};
  std::int64_t line = 0;
};

/// The pairs of a table, one per row. White space within a text counts as one blank. Throws DataError that names file
/// and line for a missing column, an empty text, a score that is not a finite number, and for equal scores or equal
/// texts, of which none is preferred.
[[nodiscard]] std::vector<Preference> preferences_of(const Table& table, const PreferenceColumns& columns);

/// A text as at most `text.sequence_length` tokens: the end of a line, the prompt and a blank if there is a prompt, the
/// text, and the end of the line if everything fits. Models trained on lines, "prompt text", have seen texts begin and
/// end this way.
struct PromptedText {
  std::vector<std::int32_t> tokens;
  std::int64_t prompt = 1;  ///< number of tokens before the first token of the text
  bool whole = true;        ///< whether the end is among them
};
[[nodiscard]] PromptedText prompted(const TextPreprocessing& text, std::string_view prompt, std::string_view own);
/// The number of the token that ends a line. Throws DataError for a tokenizer that has none.
[[nodiscard]] std::int32_t end_of_line(const Tokenizer& tokenizer);

/// "chosen" and "rejected", i32 (rows, sequence_length), padded with zeros; "chosen_count" and "rejected_count", i32
/// (rows), the numbers of their tokens; "prompt", i32 (rows), the number of tokens before both texts; and "chosen_text"
/// and "rejected_text", u8 (rows, bytes), the original texts, padded with zeros. Throws DataError that names `where`
/// and the line for a prompt that leaves no room. `cut` is set to the number of texts that were cut.
[[nodiscard]] Dataset rows_of(std::span<const Preference> pairs, const TextPreprocessing& text, std::string_view where,
                              std::int64_t& cut);
/// The text in a row of "chosen_text" or "rejected_text".
[[nodiscard]] std::string text_at(const Tensor& texts, std::int64_t row);

}  // namespace thalweg::data
