#pragma once
// Skip-gram with negative samples: rows of numbers for words, learned from their neighbours in a text.

#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "core/random.hpp"
#include "core/workers.hpp"
#include "thalweg/options.hpp"
#include "thalweg/tensor.hpp"

namespace thalweg {

/// Options of a `[system]`.
struct SkipGramOptions {
  std::int64_t width = 100;
  std::int64_t window = 5;
  std::int64_t negatives = 5;
  double sample = 1e-3;

  [[nodiscard]] Fields fields();
};

/// What is drawn for a text (Mikolov et al. 2013, and what word2vec makes of it): which occurrences of frequent words
/// are left out, how wide the window is around each, and which words are its negative samples. All are functions of
/// seed, epoch and the place in the text.
class SkipGramDraws {
 public:
  /// `counts` of each word in the text, some above 0.
  SkipGramDraws(const SkipGramOptions& options, std::span<const std::int64_t> counts, std::uint64_t seed);

  /// Whether the word at a place is kept: with probability sqrt(t / f) + t / f, where f is its part of the text and
  /// t = `sample`; always where t is 0.
  [[nodiscard]] bool keeps(std::int64_t epoch, std::int64_t place, std::int32_t word) const;
  /// 1, ..., `window`, each equally likely: how many kept words on either side are predicted from. Then as many words
  /// as `negatives` has room for, each with a probability in proportion to its count^0.75.
  [[nodiscard]] std::int64_t centre(std::int64_t epoch, std::int64_t place, std::span<std::int32_t> negatives) const;

 private:
  [[nodiscard]] std::int32_t word_of(std::uint32_t draw) const;

  std::int64_t window_;
  RandomKey keeping_, centres_;
  std::vector<std::uint64_t> kept_below_;  // of each word: draws of 32 bits below it keep the word
  std::vector<std::uint32_t> own_below_;   // alias method (Walker 1977): of each word's bin, what is its own
  std::vector<std::int32_t> alias_;        // and whose the rest is
};

/// Learns tables of word vectors by steps on a part of the text each. A step is stochastic gradient descent on the sum,
/// over the part's words c, the words w in the window of each, and the samples n of c, of
///   -log sigmoid(u_w . v_c) - sum_n log sigmoid(-u_w . v_n)
/// with u the "input" and v the "output" vectors; a sample that is c itself does not count. All gradients of a step
/// are taken at the same tables. Every word of a window has the samples of its middle (Ji et al. 2016), so that they
/// are products of small matrices. The part is cut at fixed places, and each row adds up what the pieces have for it in
/// their order: the bits are the same for any number of threads.
class SkipGram {
 public:
  /// Tables as word2vec begins: input uniform in [-0.5, 0.5) / width, output 0.
  SkipGram(const SkipGramOptions& options, std::span<const std::int64_t> counts, std::uint64_t seed,
           std::int64_t words_a_step);
  ~SkipGram();

  struct Step {
    double loss = 0;  ///< a sum over the pairs (c, w)
    std::int64_t pairs = 0;
    double gradient_norm = 0;  ///< of the sum, where it was asked for
  };
  /// A step on the places `begin` to `end` of the text, at most `words_a_step`. Throws NumericError, with the tables as
  /// they were, where its loss is not finite.
  Step step(std::span<const std::int32_t> text, std::int64_t epoch, std::int64_t begin, std::int64_t end, double rate,
            bool wants_norm, Workers& workers);

  /// (words, width).
  [[nodiscard]] Tensor input() const { return unpadded(input_); }
  [[nodiscard]] Tensor output() const { return unpadded(output_); }
  /// Throws ModelError for tables of another shape.
  void set(const Tensor& input, const Tensor& output);
  [[nodiscard]] const SkipGramDraws& draws() const { return draws_; }

 private:
  struct Piece;
  [[nodiscard]] Tensor unpadded(const std::vector<float>& table) const;
  void fill(std::vector<float>& table, const Tensor& values) const;
  void gather(Piece& piece, std::span<const std::int32_t> text, std::int64_t epoch, std::int64_t begin,
              std::int64_t end) const;
  void differentiate(Piece& piece, std::int64_t epoch, double rate) const;
  void differentiate_at(Piece& piece, std::size_t at, std::int64_t epoch, double rate) const;
  void scatter(std::int64_t shard, std::int64_t pieces);
  [[nodiscard]] double norm_of(std::int64_t pieces, double rate);

  SkipGramOptions options_;
  SkipGramDraws draws_;
  std::int64_t words_, stride_, samples_;  // a row's numbers with its padding; the middle and its negatives
  std::vector<float> input_, output_;
  std::vector<std::unique_ptr<Piece>> pieces_;
  std::vector<std::int32_t> slots_;  // of each row of both tables, its place in sums_; -1 for none
  std::vector<float> sums_;
};

}  // namespace thalweg
