// Fuzz target: a text is split into documents, and these into rows of word numbers. No word is lost, every number is
// valid, and the preprocessing is the same after writing and reading it.

#include "data/documents.hpp"

#include "data/preprocessing.hpp"
#include "fuzz.hpp"

void thalweg::fuzz::run(std::string_view bytes) {
  if (bytes.empty()) return;
  const std::int64_t size = 2 + static_cast<unsigned char>(bytes[0]) % 7;
  const std::string_view text = bytes.substr(1);
  may_refuse([&] {
    const auto documents = data::documents_in(text);
    const auto words = data::WordPreprocessing::fit({.words = size, .rare = size, .length = size}, text, "input");
    const data::WordCoder coder(words);
    const Dataset rows = data::windows_of(coder, documents, "input");
    std::int64_t counted = 0;
    for (const std::int32_t count : rows["count"].values<std::int32_t>()) counted += count;
    if (counted != std::ssize(coder(text))) broken("words were lost", std::to_string(counted));
    for (const std::int32_t number : rows["input"].values<std::int32_t>()) {
      if (number < 0 || number >= words.size() || number == data::WordPreprocessing::mask)
        broken("a number out of range", std::to_string(number));
    }
    const data::Preprocessing both(words);
    if (data::Preprocessing::from_json(both.json()) != both) broken("other words after", both.json());
  });
}
