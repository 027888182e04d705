#include "run/embeddings.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/error.hpp"
#include "data/csv.hpp"
#include "options/nearest_name.hpp"

namespace thalweg {

EmbeddingsConfig::EmbeddingsConfig() : LoopConfig("sgd", "linear") {}

Fields EmbeddingsConfig::data_fields() {
  return {{"train", &train, "the text: a file, or a folder of files; a line is a sentence"},
          {"min_count", &min_count, "words that occur less often are left out", {.low = 1}},
          {"questions", &questions, "a table of multiple-choice questions to measure with: word, answer, other1, ..."}};
}

void EmbeddingsConfig::check() const {
  if (train.empty()) fail_option("train", "[data] train is not given. Wanted: a file of text, or a folder of them");
  if (optimizer.kind != "sgd")
    fail_option("kind", "[optimizer] kind = \"{}\". Wanted: sgd, whose steps change only the rows of the text's words",
                optimizer.kind);
  for (const auto& [key, value] : optimizer.options) {
    const auto* number = value.get_if<double>();
    const auto* truth = value.get_if<bool>();
    if (key != "lr" && ((number && *number != 0) || (truth && *truth)))
      fail_option(key, "[optimizer] {} = {}. Wanted: plain sgd, without state between steps", key, value.str());
  }
}

WordSpace::WordSpace(data::Vocabulary vocabulary, const Tensor& vectors)
    : vocabulary_(std::move(vocabulary)), numbers_(vocabulary_), vectors_(vectors) {
  const std::int64_t width = vectors.shape()[1];
  auto values = vectors_.mutable_values<float>();
  for (std::int64_t row = 0; row < vocabulary_.size(); ++row) {
    const auto own = values.subspan(static_cast<std::size_t>(row * width), static_cast<std::size_t>(width));
    double sum = 0;
    for (const float value : own) sum += static_cast<double>(value) * static_cast<double>(value);
    if (sum == 0) continue;
    for (float& value : own) value = static_cast<float>(static_cast<double>(value) / std::sqrt(sum));
  }
}

std::span<const float> WordSpace::row(std::int32_t number) const {
  const auto width = static_cast<std::size_t>(vectors_.shape()[1]);
  return vectors_.values<float>().subspan(static_cast<std::size_t>(number) * width, width);
}

namespace {

double product(std::span<const float> a, std::span<const float> b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += static_cast<double>(a[i]) * static_cast<double>(b[i]);
  return sum;
}

}  // namespace

double WordSpace::cosine(const std::string& a, const std::string& b) const {
  const std::int32_t first = numbers_[a], second = numbers_[b];
  return first < 0 || second < 0 ? 0 : product(row(first), row(second));
}

std::vector<WordSpace::Neighbour> WordSpace::neighbours(const std::string& word, std::int64_t count) const {
  std::string_view rest = word;
  std::string spelled, more;
  if (!data::next_word(rest, spelled) || data::next_word(rest, more))
    fail<UsageError>("[neighbours] '{}'. Wanted: one word", word);
  const std::int32_t number = numbers_[spelled];
  if (number < 0) {
    const std::vector<std::string> near = nearest_names(spelled, vocabulary_.words, 5);
    fail<UsageError>("[neighbours] there is no word '{}' among {}. Hint: {}", spelled, vocabulary_.size(),
                     near.empty() ? "no other word has a similar spelling."
                                  : fmt::format("similar words are {}.", fmt::join(near, ", ")));
  }
  std::vector<std::int32_t> order;
  std::vector<double> cosines(vocabulary_.words.size());
  for (std::int32_t other = 0; other < vocabulary_.size(); ++other) {
    cosines[static_cast<std::size_t>(other)] = product(row(number), row(other));
    if (other != number) order.push_back(other);
  }
  const auto shown = std::min(count, std::ssize(order));
  const auto by_cosine = [&](std::int32_t i) { return -cosines[static_cast<std::size_t>(i)]; };
  std::ranges::stable_sort(order, {}, by_cosine);
  std::vector<Neighbour> found;
  for (std::int64_t i = 0; i < shown; ++i) {
    const auto other = static_cast<std::size_t>(order[static_cast<std::size_t>(i)]);
    found.push_back({vocabulary_.words[other], cosines[other]});
  }
  return found;
}

namespace {

/// Places of the columns of a question: word, answer, others.
std::vector<std::size_t> columns_of(const data::CsvReader& table) {
  const std::vector<std::string>& header = table.header();
  std::vector<std::size_t> columns;
  for (const char* name : {"word", "answer"})
    columns.push_back(static_cast<std::size_t>(std::ranges::find(header, name) - header.begin()));
  for (std::size_t i = 0; i < header.size(); ++i) {
    if (header[i].starts_with("other")) columns.push_back(i);
  }
  if (columns.size() < 3 || columns[0] == header.size() || columns[1] == header.size())
    fail<DataError>("[questions] {} has the columns {}. Wanted: word, answer, other1, other2, ...", table.name(),
                    fmt::join(header, ", "));
  return columns;
}

}  // namespace

ChoiceFigures answer_choices(const WordSpace& space, const std::filesystem::path& path) {
  data::CsvReader table(path);
  const std::vector<std::size_t> columns = columns_of(table);
  ChoiceFigures figures;
  while (table.next()) {
    std::vector<std::string> words;
    for (const std::size_t column : columns) words.emplace_back(table.cells()[column]);
    ++figures.questions;
    if (!std::ranges::all_of(words, [&](const std::string& word) { return space.has(word); })) continue;
    ++figures.answered;
    double best = -2, equal = 0;
    bool right = false;
    for (std::size_t i = 1; i < words.size(); ++i) {
      const double cosine = space.cosine(words[0], words[i]);
      if (cosine > best) right = false, equal = 0;
      if (cosine >= best) right |= i == 1, equal += 1;
      best = std::max(best, cosine);
    }
    figures.right += right ? 1 / equal : 0;
  }
  if (figures.questions == 0) fail<DataError>("[questions] {} has no rows", table.name());
  if (figures.answered > 0) figures.right /= static_cast<double>(figures.answered);
  figures.chance = 1 / static_cast<double>(columns.size() - 1);
  return figures;
}

}  // namespace thalweg
