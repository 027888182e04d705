#pragma once
// Skip-gram with negative samples: word vectors, learned from the neighbours of words in a text.

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

/// The random draws for a text, as in Mikolov et al. 2013 and word2vec: which occurrences of frequent words are left
/// out, the width of the window around each word, and its negative samples. All draws are functions of seed, epoch and
/// place in the text.
class SkipGramDraws {
 public:
  /// `counts` of each word in the text; at least one is above 0.
  SkipGramDraws(const SkipGramOptions& options, std::span<const std::int64_t> counts, std::uint64_t seed);

  /// Whether the word at a place is kept: with probability sqrt(t / f) + t / f, where f is its frequency in the text
  /// and t = `sample`; always if t is 0.
  [[nodiscard]] bool keeps(std::int64_t epoch, std::int64_t place, std::int32_t word) const;
  /// Draws the width of the window, 1, ..., `window` with equal probability, and fills `negatives` with words, whose
  /// probability is proportional to count^0.75.
  [[nodiscard]] std::int64_t centre(std::int64_t epoch, std::int64_t place, std::span<std::int32_t> negatives) const;

 private:
  [[nodiscard]] std::int32_t word_of(std::uint32_t draw) const;

  std::int64_t window_;
  RandomKey keeping_, centres_;
  std::vector<std::uint64_t> kept_below_;  // for each word: a draw of 32 bits below it keeps the word
  std::vector<std::uint32_t>
      own_below_;                    // alias method (Walker 1977): the part of a word's bin that belongs to the word
  std::vector<std::int32_t> alias_;  // and the word to which the rest belongs
};

/// Learns tables of word vectors by steps of stochastic gradient descent, each on a part of the text. The loss of a
/// step is the sum, over the words c of the part, the words w in the window of each c, and the samples n of c, of
///   -log sigmoid(u_w . v_c) - sum_n log sigmoid(-u_w . v_n)
/// with the "input" vectors u and the "output" vectors v; a sample equal to c does not count. All gradients of a step
/// are taken at the same tables. All words of a window share the samples of its middle word (Ji et al. 2016), so that
/// the work is products of small matrices. The part is cut at fixed places, and each row adds the changes of the pieces
/// in their order, so the bits are the same for any number of threads.
class SkipGram {
 public:
  /// Initial tables as in word2vec: input uniform in [-0.5, 0.5) / width, output 0.
  SkipGram(const SkipGramOptions& options, std::span<const std::int64_t> counts, std::uint64_t seed,
           std::int64_t words_a_step);
  ~SkipGram();

  struct Step {
    double loss = 0;  ///< a sum over the pairs (c, w)
    std::int64_t pairs = 0;
    double gradient_norm = 0;  ///< norm of the gradient of the sum, if asked for
  };
  /// A step on the places `begin` to `end` of the text, at most `words_a_step` of them. Throws NumericError where the
  /// loss is not finite; the tables are then unchanged.
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
  std::int64_t words_, stride_,
      samples_;  // `stride_`: a row's length with padding; `samples_`: the middle word and its negatives
  std::vector<float> input_, output_;
  std::vector<std::unique_ptr<Piece>> pieces_;
  std::vector<std::int32_t> slots_;  // for each row of both tables, its place in sums_; -1 for none
  std::vector<float> sums_;
};

}  // namespace thalweg
