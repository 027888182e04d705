// Fuzz target: a text is split into words. Each has a valid number, and the counts agree with the numbers.

#include "data/words.hpp"

#include "fuzz.hpp"

void thalweg::fuzz::run(std::string_view bytes) {
  if (bytes.empty()) return;
  const auto fewest = 1 + static_cast<unsigned char>(bytes[0]) % 4;
  may_refuse([&] {
    const data::Words words = data::read_words(bytes.substr(1), fewest, "input");
    const data::WordNumbers numbers(words.vocabulary);
    std::vector<std::int64_t> counts(static_cast<std::size_t>(words.vocabulary.size()));
    for (const std::int32_t number : words.numbers) {
      if (number == data::end_of_sentence) continue;
      if (number < 0 || number >= words.vocabulary.size()) broken("a word out of range", std::to_string(number));
      ++counts[static_cast<std::size_t>(number)];
    }
    for (std::size_t word = 0; word < counts.size(); ++word) {
      if (counts[word] != words.vocabulary.counts[word] || counts[word] < fewest)
        broken("a count of words", words.vocabulary.words[word]);
      if (numbers[words.vocabulary.words[word]] != static_cast<std::int32_t>(word))
        broken("a word that is not found", words.vocabulary.words[word]);
    }
  });
}
