#include "sparse/skip_gram.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/error.hpp"
#include "kernels/sampled_pairs.hpp"
#include "kernels/small_products.hpp"

namespace thalweg {

namespace {

constexpr std::int64_t piece_words = 64;  // words of the text for one task
constexpr std::int64_t shards = 16;       // groups of rows; one task adds to all rows of a group
constexpr std::int64_t padding = 8;       // a row's length is a multiple of this number of floats
constexpr double two_to_32 = 4294967296.0;
constexpr std::int32_t no_word = -1;

/// A score so far on the correct side that it has no loss and no gradient.
constexpr float settled = -1000;

}  // namespace

Fields SkipGramOptions::fields() {
  return {{"width", &width, "size of a word's vector", {.low = 1, .high = 4096}},
          {"window",
           &window,
           "largest number of words on each side from which a word is predicted",
           {.low = 1, .high = 100}},
          {"negatives",
           &negatives,
           "negative samples: words drawn for each word, from which it must be distinguished",
           {.low = 1, .high = 100}},
          {"sample", &sample, "words that make up more than this fraction of the text are left out at random; 0: none",
           unit_interval}};
}

SkipGramDraws::SkipGramDraws(const SkipGramOptions& options, std::span<const std::int64_t> counts, std::uint64_t seed)
    : window_(options.window),
      keeping_(RandomKey{seed}.fold("skip-gram/keep")),
      centres_(RandomKey{seed}.fold("skip-gram/centre")) {
  const double total = static_cast<double>(std::accumulate(counts.begin(), counts.end(), std::int64_t{0}));
  std::vector<double> weights;
  for (const std::int64_t count : counts) {
    const double ratio = options.sample * total / static_cast<double>(std::max<std::int64_t>(count, 1));
    const double kept = options.sample > 0 ? std::min(1.0, std::sqrt(ratio) + ratio) : 1;
    kept_below_.push_back(static_cast<std::uint64_t>(kept * two_to_32));
    weights.push_back(std::pow(static_cast<double>(count), 0.75));
  }
  // Vose's algorithm (1991): a bin with less than its share is filled up from a word with more than its share
  const double scale = static_cast<double>(weights.size()) / std::accumulate(weights.begin(), weights.end(), 0.0);
  std::vector<std::size_t> less, more;
  for (std::size_t i = 0; i < weights.size(); ++i) (((weights[i] *= scale) < 1) ? less : more).push_back(i);
  own_below_.assign(weights.size(), 0xffffffffU);
  alias_.resize(weights.size());
  std::iota(alias_.begin(), alias_.end(), 0);
  while (!less.empty() && !more.empty()) {
    const std::size_t small = less.back(), large = more.back();
    less.pop_back();
    own_below_[small] = static_cast<std::uint32_t>(std::min(weights[small] * two_to_32, two_to_32 - 1));
    alias_[small] = static_cast<std::int32_t>(large);
    weights[large] -= 1 - weights[small];
    if (weights[large] >= 1) continue;
    more.pop_back();
    less.push_back(large);
  }
}

bool SkipGramDraws::keeps(std::int64_t epoch, std::int64_t place, std::int32_t word) const {
  const std::uint64_t below = kept_below_[static_cast<std::size_t>(word)];
  if (below >= static_cast<std::uint64_t>(two_to_32)) return true;
  const auto at = static_cast<std::uint64_t>(place);
  const RandomKey key{keeping_.seed, keeping_.purpose + static_cast<std::uint64_t>(epoch)};
  return random_words(key, at / 4)[at % 4] < below;
}

/// The bin of a draw and the position in it: the high and the low half of draw * words.
std::int32_t SkipGramDraws::word_of(std::uint32_t draw) const {
  const std::uint64_t place = std::uint64_t{draw} * alias_.size();
  const auto bin = static_cast<std::size_t>(place >> 32U);
  return static_cast<std::uint32_t>(place) < own_below_[bin] ? static_cast<std::int32_t>(bin) : alias_[bin];
}

std::int64_t SkipGramDraws::centre(std::int64_t epoch, std::int64_t place, std::span<std::int32_t> negatives) const {
  const std::uint64_t calls = (negatives.size() + 4) / 4;
  const RandomKey key{centres_.seed, centres_.purpose + static_cast<std::uint64_t>(epoch)};
  auto draws = random_words(key, static_cast<std::uint64_t>(place) * calls);
  const auto width =
      static_cast<std::int64_t>(std::uint64_t{draws[0]} * static_cast<std::uint64_t>(window_) >> 32U) + 1;
  for (std::size_t i = 0; i < negatives.size(); ++i) {
    if ((i + 1) % 4 == 0) draws = random_words(key, static_cast<std::uint64_t>(place) * calls + (i + 1) / 4);
    negatives[i] = word_of(draws[(i + 1) % 4]);
  }
  return width;
}

/// One task's part of a step: the kept words of its part of the text and around it, copies of their rows, and the
/// changes to add to rows.
struct SkipGram::Piece {
  Piece(std::int64_t window, std::int64_t samples, std::int64_t stride) {
    const auto around = static_cast<std::size_t>(piece_words + 2 * window), own = static_cast<std::size_t>(piece_words),
               row = static_cast<std::size_t>(stride), each = static_cast<std::size_t>(samples);
    words.reserve(around);
    places.reserve(around);
    rows.resize(around * row);
    changes.resize((around + own * each) * row);
    sampled.resize(each * row);
    scores.resize(static_cast<std::size_t>(2 * window + 1) * each);
    drawn.resize(each);
    uses.reserve(around + own * each);
    by_shard.resize(around + own * each);
  }

  /// A used row, numbered 2 word in the input table and 2 word + 1 in the output table, and its place in `changes`.
  struct Use {
    std::int32_t row, change;
  };
  std::vector<std::int32_t> words;  // no_word between sentences
  std::vector<std::int64_t> places;
  std::size_t first = 0, last = 0;  // the range of the task's own words
  std::vector<float> rows, changes, sampled, scores;
  std::vector<std::int32_t> drawn;
  std::vector<Use> uses, by_shard;
  std::int32_t shard_ends[shards + 1] = {};
  double loss = 0;
  std::int64_t pairs = 0;

  void sort_uses() {
    std::ranges::fill(shard_ends, 0);
    for (const Use& use : uses) ++shard_ends[use.row / 2 % shards + 1];
    std::partial_sum(std::begin(shard_ends), std::end(shard_ends), std::begin(shard_ends));
    std::int32_t next[shards];
    std::copy_n(shard_ends, shards, next);
    for (const Use& use : uses) by_shard[static_cast<std::size_t>(next[use.row / 2 % shards]++)] = use;
  }
  [[nodiscard]] std::span<const Use> of_shard(std::int64_t shard) const {
    return {by_shard.data() + shard_ends[shard], by_shard.data() + shard_ends[shard + 1]};
  }
};

SkipGram::SkipGram(const SkipGramOptions& options, std::span<const std::int64_t> counts, std::uint64_t seed,
                   std::int64_t words_a_step)
    : options_(options),
      draws_(options, counts, seed),
      words_(std::ssize(counts)),
      stride_((options.width + padding - 1) / padding * padding),
      samples_(options.negatives + 1),
      input_(static_cast<std::size_t>(words_ * stride_)),
      output_(input_.size()),
      slots_(static_cast<std::size_t>(2 * words_), -1) {
  const RandomKey key = RandomKey{seed}.fold("skip-gram/input");
  for (std::int64_t i = 0; i < words_ * options.width; ++i) {
    const double start = (random_unit(key, static_cast<std::uint64_t>(i)) - 0.5) / static_cast<double>(options.width);
    input_[static_cast<std::size_t>(i / options.width * stride_ + i % options.width)] = static_cast<float>(start);
  }
  const std::int64_t pieces = (words_a_step + piece_words - 1) / piece_words;
  for (std::int64_t i = 0; i < pieces; ++i)
    pieces_.push_back(std::make_unique<Piece>(options.window, samples_, stride_));
  const std::int64_t most = pieces * (2 * options.window + piece_words * (samples_ + 1));
  sums_.resize(static_cast<std::size_t>(std::min(most, 2 * words_) * stride_));
}

SkipGram::~SkipGram() = default;

/// The kept words of a part, with as many words before and after it as a window reaches; the end of a sentence ends it.
void SkipGram::gather(Piece& piece, std::span<const std::int32_t> text, std::int64_t epoch, std::int64_t begin,
                      std::int64_t end) const {
  const auto word_at = [&](std::int64_t place) { return text[static_cast<std::size_t>(place)]; };
  const auto add = [&](std::int64_t place) {
    const std::int32_t word = word_at(place);
    if (word >= 0 && !draws_.keeps(epoch, place, word)) return;
    piece.words.push_back(word >= 0 ? word : no_word);
    piece.places.push_back(place);
  };
  const auto window = static_cast<std::size_t>(options_.window);
  piece.words.clear();
  piece.places.clear();
  for (std::int64_t place = begin - 1; place >= 0 && word_at(place) >= 0 && piece.words.size() < window; --place)
    add(place);
  std::ranges::reverse(piece.words);
  std::ranges::reverse(piece.places);
  piece.first = piece.words.size();
  for (std::int64_t place = begin; place < end; ++place) add(place);
  piece.last = piece.words.size();
  const auto full = piece.last + window;
  for (std::int64_t place = end; place < std::ssize(text) && word_at(place) >= 0 && piece.words.size() < full; ++place)
    add(place);
  for (std::size_t i = 0; i < piece.words.size(); ++i) {
    if (piece.words[i] != no_word)
      std::copy_n(input_.data() + piece.words[i] * stride_, stride_,
                  piece.rows.data() + static_cast<std::int64_t>(i) * stride_);
  }
}

/// Trains the word at a place of the piece with its negative samples and the words in its window.
void SkipGram::differentiate_at(Piece& piece, std::size_t at, std::int64_t epoch, double rate) const {
  const std::int32_t middle = piece.words[at];
  piece.drawn[0] = middle;
  const auto width =
      static_cast<std::size_t>(draws_.centre(epoch, piece.places[at], std::span(piece.drawn).subspan(1)));
  std::size_t low = at, high = at + 1;
  while (at - low < width && low > 0 && piece.words[low - 1] != no_word) --low;
  while (high - at <= width && high < piece.words.size() && piece.words[high] != no_word) ++high;
  const auto count = static_cast<std::int64_t>(high - low);
  if (count == 1) return;
  for (std::size_t j = 0; j < piece.drawn.size(); ++j)
    std::copy_n(output_.data() + piece.drawn[j] * stride_, stride_,
                piece.sampled.data() + static_cast<std::int64_t>(j) * stride_);
  float* const scores = piece.scores.data();
  const float* const rows = piece.rows.data() + static_cast<std::int64_t>(low) * stride_;
  row_products(rows, piece.sampled.data(), stride_, scores, count, samples_, stride_);
  // the loss is the softplus of each score, with the sign changed for the middle word; scores that do not count are
  // settled
  for (std::int64_t i = 0; i < count; ++i) scores[i * samples_] = -scores[i * samples_];
  for (std::int64_t j = 1; j < samples_; ++j) {
    if (piece.drawn[static_cast<std::size_t>(j)] != middle) continue;
    for (std::int64_t i = 0; i < count; ++i) scores[i * samples_ + j] = settled;
  }
  float* const own = scores + static_cast<std::int64_t>(at - low) * samples_;  // no word predicts itself
  std::fill_n(own, samples_, settled);
  piece.loss += static_cast<double>(softplus_sum(scores, count * samples_));
  piece.pairs += count - 1;
  std::fill_n(own, samples_, 0.F);
  for (std::int64_t i = 0; i < count * samples_; ++i) scores[i] *= static_cast<float>(i % samples_ == 0 ? rate : -rate);
  const auto used = static_cast<std::int64_t>(piece.uses.size());
  float* const to_rows = piece.changes.data() + static_cast<std::int64_t>(low) * stride_;
  float* const to_sampled = piece.changes.data() + used * stride_;
  small_product({scores, samples_, 1, piece.sampled.data(), stride_, to_rows, count, stride_, samples_, true});
  small_product({scores, 1, samples_, rows, stride_, to_sampled, samples_, stride_, count});
  for (const std::int32_t word : piece.drawn)
    piece.uses.push_back({2 * word + 1, static_cast<std::int32_t>(piece.uses.size())});
}

void SkipGram::differentiate(Piece& piece, std::int64_t epoch, double rate) const {
  piece.loss = 0;
  piece.pairs = 0;
  piece.uses.clear();
  std::fill_n(piece.changes.begin(), static_cast<std::ptrdiff_t>(piece.words.size()) * stride_, 0.F);
  for (std::size_t i = 0; i < piece.words.size(); ++i)
    piece.uses.push_back({piece.words[i] == no_word ? 0 : 2 * piece.words[i], static_cast<std::int32_t>(i)});
  for (std::size_t at = piece.first; at < piece.last; ++at) {
    if (piece.words[at] != no_word) differentiate_at(piece, at, epoch, rate);
  }
  std::size_t kept = 0;  // places between sentences have no rows
  for (const Piece::Use& use : piece.uses) {
    const auto place = static_cast<std::size_t>(use.change);
    if (place >= piece.words.size() || piece.words[place] != no_word) piece.uses[kept++] = use;
  }
  piece.uses.resize(kept);
  piece.sort_uses();
}

void SkipGram::scatter(std::int64_t shard, std::int64_t pieces) {
  for (std::int64_t p = 0; p < pieces; ++p) {
    const Piece& piece = *pieces_[static_cast<std::size_t>(p)];
    for (const Piece::Use& use : piece.of_shard(shard)) {
      std::vector<float>& table = use.row % 2 == 0 ? input_ : output_;
      add_to_row(table.data() + use.row / 2 * stride_, piece.changes.data() + use.change * stride_, stride_);
    }
  }
}

/// The norm of the changes of all pieces, divided by the learning rate; changes to the same row are added first.
double SkipGram::norm_of(std::int64_t pieces, double rate) {
  std::int32_t used = 0;
  const auto each = [&](const auto& see) {
    for (std::int64_t p = 0; p < pieces; ++p) {
      for (const Piece::Use& use : pieces_[static_cast<std::size_t>(p)]->uses)
        see(slots_[static_cast<std::size_t>(use.row)],
            pieces_[static_cast<std::size_t>(p)]->changes.data() + use.change * stride_);
    }
  };
  each([&](std::int32_t& slot, const float* change) {
    if (slot < 0) {
      slot = used++;
      std::fill_n(sums_.data() + slot * stride_, stride_, 0.F);
    }
    add_to_row(sums_.data() + slot * stride_, change, stride_);
  });
  each([](std::int32_t& slot, const float*) { slot = -1; });
  double sum = 0;
  for (std::int64_t i = 0; i < used * stride_; ++i) {
    const auto value = static_cast<double>(sums_[static_cast<std::size_t>(i)]);
    sum += value * value;
  }
  return std::sqrt(sum) / rate;
}

SkipGram::Step SkipGram::step(std::span<const std::int32_t> text, std::int64_t epoch, std::int64_t begin,
                              std::int64_t end, double rate, bool wants_norm, Workers& workers) {
  const std::int64_t pieces = (end - begin + piece_words - 1) / piece_words;
  workers.run(pieces, [&](std::int64_t p) {
    Piece& piece = *pieces_[static_cast<std::size_t>(p)];
    const std::int64_t first = begin + p * piece_words;
    gather(piece, text, epoch, first, std::min(end, first + piece_words));
    differentiate(piece, epoch, rate);
  });
  Step step;
  for (std::int64_t p = 0; p < pieces; ++p) {
    step.loss += pieces_[static_cast<std::size_t>(p)]->loss;
    step.pairs += pieces_[static_cast<std::size_t>(p)]->pairs;
  }
  if (!std::isfinite(step.loss))
    fail<NumericError>("[embeddings] the loss is not finite at place {} of the text, epoch {}. Hint: a lower lr.",
                       begin, epoch + 1);
  if (wants_norm && rate > 0) step.gradient_norm = norm_of(pieces, rate);
  workers.run(shards, [&](std::int64_t shard) { scatter(shard, pieces); });
  return step;
}

Tensor SkipGram::unpadded(const std::vector<float>& table) const {
  Tensor values({words_, options_.width});
  float* into = values.mutable_values<float>().data();
  for (std::int64_t word = 0; word < words_; ++word)
    std::copy_n(table.data() + word * stride_, options_.width, into + word * options_.width);
  return values;
}

void SkipGram::fill(std::vector<float>& table, const Tensor& values) const {
  const Shape wanted{words_, options_.width};
  if (values.dtype() != f32 || values.shape() != wanted)
    fail<ModelError>("[embeddings] the table is {} {}. Wanted: f32 {}", values.dtype(), values.shape(), wanted);
  const float* from = values.values<float>().data();
  for (std::int64_t word = 0; word < words_; ++word)
    std::copy_n(from + word * options_.width, options_.width, table.data() + word * stride_);
}

void SkipGram::set(const Tensor& input, const Tensor& output) {
  fill(input_, input);
  fill(output_, output);
}

}  // namespace thalweg
