#pragma once
// Pairs of texts of which one was preferred, from a table with a score for each.

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

/// A pair: what both texts answer to (often nothing), the text with the higher score, and the other.
struct Preference {
  std::string prompt = {}, chosen, rejected, group = {};
  std::int64_t line = 0;
};

/// The pairs of a table, a row each. White space within a text counts as one blank. Throws DataError, naming the file
/// and the line, for a column that is not there, a text without a character, a score that is no finite number, and for
/// two equal scores or equal texts, of which none is preferred.
[[nodiscard]] std::vector<Preference> preferences_of(const Table& table, const PreferenceColumns& columns);

/// A text as tokens, at most `text.sequence_length` of them: the end of a line, the prompt and a blank, where there is
/// one, the text, and the end of the line, where there is room for all of it. Texts that were trained on as lines,
/// "prompt text", begin and end so.
struct PromptedText {
  std::vector<std::int32_t> tokens;
  std::int64_t prompt = 1;  ///< tokens up to the text's first
  bool whole = true;        ///< the end is among them
};
[[nodiscard]] PromptedText prompted(const TextPreprocessing& text, std::string_view prompt, std::string_view own);
/// The number of the token that ends a line. Throws DataError for a tokenizer that has none.
[[nodiscard]] std::int32_t end_of_line(const Tokenizer& tokenizer);

/// "chosen" and "rejected", i32 (rows, sequence_length), filled up with zeros, of which "chosen_count" and
/// "rejected_count", i32 (rows), count; "prompt", i32 (rows), the tokens up to the first of both texts; and
/// "chosen_text" and "rejected_text", u8 (rows, bytes), as they stand, filled up with zeros. Throws DataError, naming
/// `where` and the line, for a prompt that leaves no room. `cut` is set to how many texts were longer.
[[nodiscard]] Dataset rows_of(std::span<const Preference> pairs, const TextPreprocessing& text, std::string_view where,
                              std::int64_t& cut);
/// Such a text, of a row of "chosen_text" or "rejected_text".
[[nodiscard]] std::string text_at(const Tensor& texts, std::int64_t row);

}  // namespace thalweg::data
