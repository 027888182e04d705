#pragma once
// Words that are hidden in rows, for a model to find them; and what counts of their neighbours say of them.

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
  Var words;   ///< i32 (batch, length): what the model sees
  Var places;  ///< (batch, places, length): 1 at each place that is asked for, so that a product picks what is there
  Var target;  ///< i32 (batch, places): the words there, the first word with a number of its own as 0
  Var weight;  ///< (batch, places): 1 where there is such a word, else 0
};

/// Hides a share of each row's words: the row is cut into that many stretches of like length, and of each stretch one
/// place is drawn (so that just this share is drawn, and every place about as often as any other). Ends of sentences
/// and words without a number of their own stay. In training a word is replaced by `[MASK]` with probability 0.8, by
/// another word with 0.1, and stays as it is with 0.1 (Devlin et al. 2019); in evaluation it is always `[MASK]`. What
/// is drawn follows from seed, step and the row's place in the batch, as dropout does.
[[nodiscard]] HiddenWords hidden_words(Scope s, const Var& words, const Var& count,
                                       const data::WordPreprocessing& numbers, double share);

/// A word that is hidden, as evaluation asks for it.
struct HiddenWord {
  std::int64_t row = 0, place = 0;
  std::int32_t word = 0;             ///< from 0: the first word with a number of its own
  std::int32_t left = 0, right = 0;  ///< the numbers beside it in what is seen; 0 beyond the ends of a row
};

/// The words that evaluation hides in rows of "input" and "count", the same at every call: all that have a weight.
class HidingPlaces {
 public:
  HidingPlaces(data::WordPreprocessing numbers, double share, int threads);
  [[nodiscard]] std::vector<HiddenWord> operator()(const State& state, const Dataset& rows) const;

  /// Rows are looked at in portions of so many; the portion is the seed of what is drawn in it.
  static constexpr std::int64_t portion = 64;

 private:
  Apply draw_;
};

/// P(word | neighbours) = a mixture of how often it stood between these two, behind the left one, before the right one,
/// and anywhere: interpolated counts (Jelinek and Mercer 1980). The weights depend on how often the two neighbours were
/// seen around a word; they are fitted to other rows by expectation maximisation.
class NeighbourCounts {
 public:
  /// Counts rows of "input" and "count".
  NeighbourCounts(const Dataset& rows, const data::WordPreprocessing& numbers);
  void tune(std::span<const HiddenWord> words);

  struct Guess {
    std::int32_t word = 0;   ///< the likeliest
    double probability = 0;  ///< of the word that is hidden
  };
  [[nodiscard]] Guess operator()(const HiddenWord& hidden);

 private:
  static constexpr std::size_t parts = 4, levels = 5, buckets = levels * 4;
  using Weights = std::array<double, parts>;

  /// Words with how often each stood in a context, in the order of their numbers, and the sum.
  struct Counted {
    std::span<const std::pair<std::int32_t, double>> words = {};
    double total = 0;
    [[nodiscard]] double share(std::int32_t word) const;
  };
  /// The words of each context.
  class Followers {
   public:
    void add(std::uint64_t context, std::int32_t word) { pairs_.emplace_back(context, word); }
    void close();  ///< before the first `of`
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
  /// What each part says of a word.
  [[nodiscard]] Weights said(const Contexts& contexts, std::int32_t word) const;

  Followers around_, behind_, before_;
  std::vector<double> anywhere_;  // probabilities of the words
  std::int32_t commonest_ = 0;
  std::array<Weights, buckets> weights_;
  std::vector<double> scores_;         // of the words, zeros between two guesses
  std::vector<std::int32_t> touched_;  // those that are not
};

}  // namespace thalweg
