#pragma once
// Embeddings of words: their configuration, and queries on trained vectors.

#include "data/words.hpp"
#include "run/loop_config.hpp"
#include "sparse/skip_gram.hpp"

namespace thalweg {

class EmbeddingsConfig final : public LoopConfig {
 public:
  std::string train = {}, questions = {};
  std::int64_t min_count = 5;
  SkipGramOptions skip_gram = {};

  EmbeddingsConfig();
  [[nodiscard]] std::string_view kind() const override { return "embeddings"; }
  [[nodiscard]] Fields data_fields() override;
  [[nodiscard]] Fields system_fields() override { return skip_gram.fields(); }
  [[nodiscard]] std::vector<std::string*> places() override { return {&train, &questions}; }
  [[nodiscard]] OptionMap optimizer_defaults() const override { return {{"lr", {0.05}}}; }
  void check() const override;
};

/// Vectors of words, scaled to length 1 (zero vectors are not changed), so that their products are cosines.
class WordSpace {
 public:
  /// `vectors` f32 (words, width).
  WordSpace(data::Vocabulary vocabulary, const Tensor& vectors);
  WordSpace(WordSpace&&) = default;  // its numbers point to its words
  WordSpace(const WordSpace&) = delete;

  struct Neighbour {
    std::string word;
    double cosine;
  };
  /// The words whose vectors are nearest to that of a word, the nearest first, without the word itself. Throws
  /// UsageError for an unknown word, naming words with a similar spelling.
  [[nodiscard]] std::vector<Neighbour> neighbours(const std::string& word, std::int64_t count) const;
  /// The cosine of two words; 0 if one of them is unknown.
  [[nodiscard]] double cosine(const std::string& a, const std::string& b) const;
  [[nodiscard]] bool has(const std::string& word) const { return numbers_[word] >= 0; }
  [[nodiscard]] const data::Vocabulary& vocabulary() const { return vocabulary_; }

 private:
  [[nodiscard]] std::span<const float> row(std::int32_t number) const;
  data::Vocabulary vocabulary_;
  data::WordNumbers numbers_;
  Tensor vectors_;
};

/// The results on multiple-choice questions.
struct ChoiceFigures {
  std::int64_t questions = 0, answered = 0;  ///< all questions; those whose words are all known
  double right = 0;                          ///< the fraction answered correctly; a tie of k answers counts 1/k
  double chance = 0;                         ///< the fraction expected by chance
};
/// Questions in a table with the columns word, answer, and more columns whose names begin with "other": the answer with
/// the vector nearest to that of the word is chosen. Throws DataError for a table without such columns or rows.
[[nodiscard]] ChoiceFigures answer_choices(const WordSpace& space, const std::filesystem::path& table);

}  // namespace thalweg
