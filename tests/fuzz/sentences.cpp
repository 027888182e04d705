// Fuzz target: sentences with classes, as lines or as a table, become rows of word numbers. Every number and class is
// valid, the original texts are kept, and the preprocessing is the same after writing and reading it.

#include "data/sentences.hpp"

#include <numeric>

#include "data/preprocessing.hpp"
#include "fuzz.hpp"

namespace thalweg::fuzz {

namespace {

void check(const std::vector<data::Sentence>& sentences, const Dataset& rows, const data::WordPreprocessing& words) {
  const std::int64_t width = rows["text"].shape()[1];
  for (std::int64_t row = 0; row < rows.rows(); ++row) {
    const data::Sentence& sentence = sentences[static_cast<std::size_t>(row)];
    const auto bytes = rows["text"].values<std::uint8_t>().subspan(static_cast<std::size_t>(row * width));
    if (!std::equal(sentence.text.begin(), sentence.text.end(), bytes.begin(),
                    [](char a, std::uint8_t b) { return static_cast<std::uint8_t>(a) == b; }))
      broken("another text", sentence.where);
    const auto count = static_cast<std::int64_t>(rows["count"].at(row));
    if (count < 0 || count > words.length) broken("a count", sentence.where);
    for (std::int64_t place = 0; place < words.length; ++place) {
      const double number = rows["input"].at(row * words.length + place);
      const bool is_word = number >= data::WordPreprocessing::end && number < static_cast<double>(words.size());
      if (place < count ? !is_word : number != data::WordPreprocessing::padding) broken("a number", sentence.where);
    }
    const double label = rows["target"].at(row);
    if (label < 0 || label >= static_cast<double>(words.classes.size())) broken("a class", sentence.where);
  }
}

}  // namespace

void run(std::string_view bytes) {
  if (bytes.empty()) return;
  const unsigned choice = static_cast<unsigned char>(bytes[0]);
  const MemoryFile file(bytes.substr(1));
  const std::string place = file.path().string();
  may_refuse([&] {
    const data::LabelledTextOptions options{.layout = choice % 2 == 0 ? "lines" : "csv"};
    const std::vector<std::string> classes = data::classes_of(place, options);
    const auto sentences = data::sentences_at(place, options, classes);
    std::string all;
    for (const data::Sentence& sentence : sentences) all += sentence.text + '\n';
    const std::int64_t size = 2 + choice / 2 % 7;
    auto words = data::WordPreprocessing::fit({.words = size, .rare = size, .length = size}, all, "input");
    words.classes = classes;
    std::vector<std::int64_t> order(sentences.size());
    std::iota(order.begin(), order.end(), 0);
    std::int64_t cut = 0;
    check(sentences, data::rows_of(sentences, order, words, cut), words);
    if (cut < 0 || cut > std::ssize(sentences)) broken("a count of long sentences", std::to_string(cut));
    const data::Preprocessing both(words);
    if (data::Preprocessing::from_json(both.json()) != both) broken("other words after", both.json());
  });
}

}  // namespace thalweg::fuzz
