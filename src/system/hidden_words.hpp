#pragma once
// Hides words in rows, for a model to find them; and the baseline that predicts them from counts of their neighbours.

#include <array>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "data/word_rows.hpp"
#include "thalweg/apply.hpp"
#include "thalweg/scope.hpp"

namespace thalweg {

/// Rows with some of their words hidden.
struct HiddenWords {
  Var words;   ///< i32 (batch, length): the input of the model
  Var places;  ///< (batch, places, length): 1 at each hidden place, so that a product selects it
  Var target;  ///< i32 (batch, places): the hidden words; 0 is the first word with its own number
  Var weight;  ///< (batch, places): 1 where there is such a word, else 0
};

/// Hides a share of each row's words. The row is cut into that many pieces of similar length, and one place in each
/// piece is drawn: so exactly this share is drawn, and every place about equally often. Ends of sentences and words
/// without their own number are never hidden. A hidden word is always replaced by `[MASK]`: that Devlin et al. 2019
/// replaced one in ten by another word, and left one in ten unchanged, brings nothing (Wettig et al. 2023). The draws
/// follow from seed, step and the row's place in the batch, as those of dropout.
[[nodiscard]] HiddenWords hidden_words(Scope s, const Var& words, const Var& count,
                                       const data::WordPreprocessing& numbers, double share);

/// A hidden word of an evaluation.
struct HiddenWord {
  std::int64_t row = 0, place = 0;
  std::int32_t word = 0;             ///< 0 is the first word with its own number
  std::int32_t left = 0, right = 0;  ///< the numbers of its neighbours in the input; 0 beyond the ends of a row
};

/// The words that evaluation hides in rows of "input" and "count", the same at every call: all that have a weight.
class HidingPlaces {
 public:
  HidingPlaces(data::WordPreprocessing numbers, double share, int threads);
  [[nodiscard]] std::vector<HiddenWord> operator()(const State& state, const Dataset& rows) const;

  /// The number of rows that are processed at once. The number of the portion is the seed of its draws.
  static constexpr std::int64_t portion = 64;

 private:
  Apply draw_;
};

/// P(word | neighbours) as interpolated counts (Jelinek and Mercer 1980): a mixture of how often the word occurred
/// between these two neighbours, after the left one, before the right one, and anywhere. The weights depend on how
/// often this pair of neighbours occurred; they are fitted to other rows by expectation maximisation.
class NeighbourCounts {
 public:
  /// Counts rows of "input" and "count".
  NeighbourCounts(const Dataset& rows, const data::WordPreprocessing& numbers);
  void tune(std::span<const HiddenWord> words);

  struct Guess {
    std::int32_t word = 0;   ///< the likeliest word
    double probability = 0;  ///< of the hidden word
  };
  [[nodiscard]] Guess operator()(const HiddenWord& hidden);

 private:
  static constexpr std::size_t parts = 4, levels = 5, buckets = levels * 4;
  using Weights = std::array<double, parts>;

  /// The words of a context with their counts, in the order of their numbers, and the sum of the counts.
  struct Counted {
    std::span<const std::pair<std::int32_t, double>> words = {};
    double total = 0;
    [[nodiscard]] double share(std::int32_t word) const;
  };
  /// The words that occurred in each context.
  class Followers {
   public:
    void add(std::uint64_t context, std::int32_t word) { pairs_.emplace_back(context, word); }
    void close();  ///< must be called before the first `of`
    [[nodiscard]] Counted of(std::uint64_t context) const;

   private:
    struct Context {
      std::uint64_t key;
      std::size_t begin, words;
      double total;
    };
    std::vector<std::pair<std::uint64_t, std::int32_t>> pairs_;
    std::vector<Context> contexts_;
    std::vector<std::pair<std::int32_t, double>> words_;
  };
  struct Contexts {
    std::array<Counted, parts - 1> counted;
    std::size_t bucket = 0;
  };
  [[nodiscard]] Contexts contexts(const HiddenWord& hidden) const;
  /// The probability of a word by each component of the mixture.
  [[nodiscard]] Weights said(const Contexts& contexts, std::int32_t word) const;

  Followers around_, behind_, before_;
  std::vector<double> anywhere_;  // probabilities of the words
  std::int32_t commonest_ = 0;
  std::array<Weights, buckets> weights_;
  std::vector<double> scores_;         // for the words; all 0 between two guesses
  std::vector<std::int32_t> touched_;  // the words whose score is not 0
};

}  // namespace thalweg
