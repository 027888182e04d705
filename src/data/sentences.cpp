#include "data/sentences.hpp"

#include <algorithm>

#include "core/error.hpp"
#include "core/index.hpp"
#include "core/utf8.hpp"
#include "data/preprocessing.hpp"

namespace thalweg::data {

std::vector<Sentence> sentences_at(const std::string& place, const LabelledTextOptions& options,
                                   const std::vector<std::string>& classes) {
  std::vector<Sentence> all;
  const auto texts = open_texts(place, options);
  while (const auto next = texts->next()) {
    all.push_back({std::string(next->text), class_number(classes, next->label, *texts), texts->where()});
    if (!is_utf8(next->text)) fail<DataError>("[sentences] {}: a text that is not UTF-8", texts->where());
  }
  if (all.empty()) fail<DataError>("[sentences] {} has no sentences", place);
  return all;
}

Dataset rows_of(std::span<const Sentence> sentences, std::span<const std::int64_t> rows, const WordPreprocessing& words,
                std::int64_t& cut) {
  const WordCoder coder(words);
  const auto count = static_cast<std::int64_t>(rows.size());
  std::size_t longest = 1;
  for (const std::int64_t row : rows) longest = std::max(longest, at(sentences, row).text.size());
  Tensor input({count, words.length}, i32), counts({count}, i32), target({count}, i32),
      text({count, static_cast<std::int64_t>(longest)}, u8);
  const auto numbers_into = input.mutable_values<std::int32_t>();
  const auto text_into = text.mutable_values<std::uint8_t>();
  for (std::int64_t i = 0; i < count; ++i) {
    const Sentence& sentence = at(sentences, rows[static_cast<std::size_t>(i)]);
    std::vector<std::int32_t> numbers = coder(sentence.text);
    cut += std::ssize(numbers) > words.length ? 1 : 0;
    numbers.resize(std::min(numbers.size(), static_cast<std::size_t>(words.length)));
    std::ranges::copy(numbers, numbers_into.begin() + i * words.length);
    std::ranges::copy(sentence.text, text_into.begin() + i * static_cast<std::int64_t>(longest));
    counts.set(i, static_cast<double>(numbers.size()));
    target.set(i, sentence.label);
  }
  Dataset result;
  result.set("input", std::move(input));
  result.set("count", std::move(counts));
  result.set("target", std::move(target));
  result.set("text", std::move(text));
  result.set_preprocessing(std::make_shared<const Preprocessing>(words));
  return result;
}

}  // namespace thalweg::data
