#include "data/preferences.hpp"

#include <algorithm>
#include <cmath>

#include "core/error.hpp"
#include "core/escape.hpp"
#include "data/listed.hpp"
#include "options/text.hpp"

namespace thalweg::data {

Fields PreferenceColumns::fields() {
  return {{"first", &first, "the column with the first text of a pair"},
          {"second", &second, "the column with the second text"},
          {"first_score", &first_score,
           "the column with the score of the first text; the text with the higher score is preferred"},
          {"second_score", &second_score, "the column with the score of the second text"},
          {"prompt", &prompt, "a column with the prompt of both texts; empty: no prompt"},
          {"group", &group,
           "a column: rows with the same value in it are all trained on or all held out; empty: no groups"}};
}

namespace {

constexpr std::string_view line_end = "\n";

/// Replaces white space between words by one blank, and removes it at both ends.
std::string on_a_line(std::string_view text) {
  constexpr std::string_view blanks = " \t\r\n\v\f";
  std::string line;
  for (std::size_t begin = text.find_first_not_of(blanks); begin != std::string_view::npos;) {
    const std::size_t end = std::min(text.find_first_of(blanks, begin), text.size());
    if (!line.empty()) line += ' ';
    line += text.substr(begin, end - begin);
    begin = text.find_first_not_of(blanks, end);
  }
  return line;
}

/// The cells of one row by the names of their columns.
class PairReader {
 public:
  PairReader(const Table& table, const PreferenceColumns& columns)
      : table_(table),
        texts_{place(columns.first), place(columns.second)},
        scores_{place(columns.first_score), place(columns.second_score)} {
    if (!columns.prompt.empty()) prompt_ = place(columns.prompt);
    if (!columns.group.empty()) group_ = place(columns.group);
  }

  [[nodiscard]] Preference pair(std::int64_t row) const {
    const double first = score(row, 0), second = score(row, 1);
    if (first == second) refuse(row, fmt::format("both texts have the score {}. Wanted: one that is preferred", first));
    const std::size_t better = first > second ? 0 : 1;
    Preference pair{.prompt = prompt_ ? on_a_line(table_.cell(row, *prompt_)) : "",
                    .chosen = text(row, better),
                    .rejected = text(row, 1 - better),
                    .group = group_ ? std::string(table_.cell(row, *group_)) : "",
                    .line = table_.line(row)};
    if (pair.chosen == pair.rejected) refuse(row, "both texts are the same. Wanted: one that is preferred");
    return pair;
  }

 private:
  [[nodiscard]] std::size_t place(const std::string& column) const {
    if (const auto found = table_.find(column)) return *found;
    fail<DataError>("[preferences] {} has no column '{}'. Hint: its columns are {}", table_.file(), shown(column),
                    listed(table_.names()));
  }
  [[noreturn]] void refuse(std::int64_t row, const std::string& why) const {
    fail<DataError>("[preferences] {}, line {}: {}", table_.file(), table_.line(row), why);
  }
  [[nodiscard]] double score(std::int64_t row, std::size_t side) const {
    const std::string_view cell = table_.cell(row, scores_[side]);
    const auto number = parse_number(cell);
    if (!number || !std::isfinite(*number))
      refuse(row, fmt::format("{} = '{}'. Wanted: a number", table_.names()[scores_[side]], shown(cell)));
    return *number;
  }
  [[nodiscard]] std::string text(std::int64_t row, std::size_t side) const {
    std::string own = on_a_line(table_.cell(row, texts_[side]));
    if (own.empty()) refuse(row, fmt::format("an empty {}. Wanted: a text", table_.names()[texts_[side]]));
    return own;
  }

  const Table& table_;
  std::size_t texts_[2], scores_[2];
  std::optional<std::size_t> prompt_ = {}, group_ = {};
};

}  // namespace

std::vector<Preference> preferences_of(const Table& table, const PreferenceColumns& columns) {
  const PairReader reader(table, columns);
  std::vector<Preference> pairs;
  for (std::int64_t row = 0; row < table.rows(); ++row) pairs.push_back(reader.pair(row));
  if (pairs.empty()) fail<DataError>("[preferences] {} has no pairs", table.file());
  return pairs;
}

std::int32_t end_of_line(const Tokenizer& tokenizer) {
  for (std::int64_t id = 0; id < tokenizer.size(); ++id) {
    if (tokenizer.token(id) == line_end) return static_cast<std::int32_t>(id);
  }
  fail<DataError>(
      "[preferences] the tokens have none for the end of a line. Hint: the text that they were learned from "
      "has a text a line");
}

PromptedText prompted(const TextPreprocessing& text, std::string_view prompt, std::string_view own) {
  const std::int32_t end = end_of_line(text.tokenizer);
  PromptedText result{.tokens = {end}};
  const auto add = [&](std::string_view piece) {
    const std::vector<std::int32_t> ids = text.tokenizer.encode(piece);
    result.tokens.insert(result.tokens.end(), ids.begin(), ids.end());
  };
  if (!prompt.empty()) add(prompt);
  result.prompt = std::ssize(result.tokens);
  if (!own.empty()) {
    add(prompt.empty() ? std::string(own) : " " + std::string(own));
    result.tokens.push_back(end);
  }
  result.whole = std::ssize(result.tokens) <= text.sequence_length;
  if (!result.whole) result.tokens.resize(static_cast<std::size_t>(text.sequence_length));
  return result;
}

Dataset rows_of(std::span<const Preference> pairs, const TextPreprocessing& text, std::string_view where,
                std::int64_t& cut) {
  const std::int64_t count = std::ssize(pairs), length = text.sequence_length;
  Tensor prompt({count}, i32);
  Dataset rows;
  cut = 0;
  for (const bool preferred : {true, false}) {
    std::size_t longest = 1;
    for (const Preference& pair : pairs) longest = std::max(longest, (preferred ? pair.chosen : pair.rejected).size());
    if (count * (length * 4 + static_cast<std::int64_t>(longest)) > memory_budget() / 4)
      fail<MemoryError>("[preferences] {} pairs of texts of up to {} bytes", count, longest);
    Tensor tokens({count, length}, i32), counts({count}, i32), bytes({count, static_cast<std::int64_t>(longest)}, u8);
    const auto into = tokens.mutable_values<std::int32_t>();
    const auto onto = bytes.mutable_values<std::uint8_t>();
    for (std::int64_t i = 0; i < count; ++i) {
      const Preference& pair = pairs[static_cast<std::size_t>(i)];
      const std::string& own = preferred ? pair.chosen : pair.rejected;
      const PromptedText read = prompted(text, pair.prompt, own);
      if (read.prompt >= length)
        fail<DataError>("[preferences] {}, line {}: a prompt of {} tokens. Wanted: fewer than sequence_length = {}",
                        where, pair.line, read.prompt, length);
      cut += read.whole ? 0 : 1;
      std::ranges::copy(read.tokens, into.begin() + i * length);
      std::ranges::copy(own, onto.begin() + i * static_cast<std::int64_t>(longest));
      counts.set(i, static_cast<double>(read.tokens.size()));
      prompt.set(i, static_cast<double>(read.prompt));
    }
    const std::string side = preferred ? "chosen" : "rejected";
    rows.set(side, std::move(tokens));
    rows.set(side + "_count", std::move(counts));
    rows.set(side + "_text", std::move(bytes));
  }
  rows.set("prompt", std::move(prompt));
  return rows;
}

std::string text_at(const Tensor& texts, std::int64_t row) {
  const Tensor own = texts.rows(row, row + 1);
  const auto bytes = own.values<std::uint8_t>();
  return {bytes.begin(), std::ranges::find(bytes, 0)};
}

}  // namespace thalweg::data
