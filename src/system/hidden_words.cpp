#include "system/hidden_words.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "thalweg/batch.hpp"
#include "thalweg/ops.hpp"

namespace thalweg {

namespace {

/// For rows of each length 0, 1, ..., the pieces into which they are cut, (lengths, pieces): the begin and the length
/// of each piece, and whether it exists.
struct Stretches {
  Tensor begins, sizes, exist;

  Stretches(std::int64_t length, double share, DType dtype) {
    const std::int64_t most = count(length, share);
    begins = sizes = exist = Tensor({length + 1, most}, dtype);
    for (std::int64_t n = 0; n <= length; ++n) {
      const std::int64_t own = n == 0 ? 0 : count(n, share);
      for (std::int64_t j = 0; j < most; ++j) {
        const std::int64_t begin = j < own ? j * n / own : 0, end = j < own ? (j + 1) * n / own : 1;
        begins.set(n * most + j, static_cast<double>(begin));
        sizes.set(n * most + j, static_cast<double>(end - begin));
        exist.set(n * most + j, j < own ? 1 : 0);
      }
    }
  }
  static std::int64_t count(std::int64_t n, double share) {
    return std::clamp<std::int64_t>(std::llround(share * static_cast<double>(n)), 1, n);
  }
};

}  // namespace

HiddenWords hidden_words(Scope s, const Var& words, const Var& count, const data::WordPreprocessing& numbers,
                         double share) {
  const DType dtype = s.dtype();
  const Stretches stretches(numbers.length, share, dtype);
  const std::int64_t batch = words.dim(0), places = stretches.exist.shape()[1];
  const auto of_rows = [&](const Tensor& table) { return gather(constant(table), count); };
  const Var size = of_rows(stretches.sizes);
  const Var along = minimum(floor(s.uniform("place", {batch, places}) * size), size - 1);
  const Var hot = one_hot(cast(of_rows(stretches.begins) + along, i32), numbers.length, dtype);
  const Var seen = cast(words, dtype);                    // (batch, length)
  const Var there = sum(hot * expand_dims(seen, 1), -1);  // (batch, places)
  const auto first = static_cast<double>(numbers.first_word());
  const Var weight = of_rows(stretches.exist) * cast(there >= first, dtype);
  const Var change = sum(hot * expand_dims(weight * (data::WordPreprocessing::mask - there), -1), 1);
  return {.words = cast(seen + change, i32),
          .places = hot,
          .target = cast(maximum(there - first, 0), i32),
          .weight = weight};
}

HidingPlaces::HidingPlaces(data::WordPreprocessing numbers, double share, int threads)
    : draw_(
          [numbers = std::move(numbers), share](Scope s, const Batch& b) -> NamedVars {
            const HiddenWords hidden = hidden_words(s / "hidden", b["input"], b["count"], numbers, share);
            return {{"words", hidden.words},
                    {"places", argmax(hidden.places)},
                    {"target", hidden.target},
                    {"weight", hidden.weight}};
          },
          threads) {}

std::vector<HiddenWord> HidingPlaces::operator()(const State& state, const Dataset& rows) const {
  std::vector<HiddenWord> all;
  for (std::int64_t begin = 0; begin < rows.rows(); begin += portion) {
    const std::int64_t end = std::min(rows.rows(), begin + portion);
    const NamedTensors drawn =
        draw_.all(state, {{"input", rows["input"].rows(begin, end)}, {"count", rows["count"].rows(begin, end)}},
                  static_cast<std::uint64_t>(begin / portion));
    const Tensor &words = drawn[0].second, &places = drawn[1].second, &target = drawn[2].second,
                 &weight = drawn[3].second;
    const std::int64_t asked = places.shape()[1], length = words.shape()[1];
    for (std::int64_t i = 0; i < places.size(); ++i) {
      if (weight.at(i) == 0) continue;
      const std::int64_t row = i / asked, place = static_cast<std::int64_t>(places.at(i));
      const auto number = [&](std::int64_t at) {
        return at < 0 || at >= length ? 0 : static_cast<std::int32_t>(words.at(row * length + at));
      };
      all.push_back({.row = begin + row,
                     .place = place,
                     .word = static_cast<std::int32_t>(target.at(i)),
                     .left = number(place - 1),
                     .right = number(place + 1)});
    }
  }
  return all;
}

namespace {

std::uint64_t both(std::int32_t left, std::int32_t right) {
  return static_cast<std::uint64_t>(static_cast<std::uint32_t>(left)) << 32U | static_cast<std::uint32_t>(right);
}

}  // namespace

void NeighbourCounts::Followers::close() {
  std::ranges::sort(pairs_);
  for (const auto& [context, word] : pairs_) {
    if (contexts_.empty() || contexts_.back().key != context) contexts_.push_back({context, words_.size(), 0, 0});
    Context& own = contexts_.back();
    if (own.words == 0 || words_.back().first != word) {
      words_.emplace_back(word, 0);
      ++own.words;
    }
    words_.back().second += 1;
    own.total += 1;
  }
  pairs_ = {};
}

NeighbourCounts::Counted NeighbourCounts::Followers::of(std::uint64_t context) const {
  const auto found = std::ranges::lower_bound(contexts_, context, {}, &Context::key);
  if (found == contexts_.end() || found->key != context) return {};
  return {std::span(words_).subspan(found->begin, found->words), found->total};
}

double NeighbourCounts::Counted::share(std::int32_t word) const {
  const auto found = std::ranges::lower_bound(words, word, {}, &std::pair<std::int32_t, double>::first);
  return found == words.end() || found->first != word ? 0 : found->second / total;
}

NeighbourCounts::NeighbourCounts(const Dataset& rows, const data::WordPreprocessing& numbers)
    : anywhere_(numbers.words.size(), 1.0), scores_(numbers.words.size(), 0.0) {
  const auto words = rows["input"].values<std::int32_t>(), counts = rows["count"].values<std::int32_t>();
  const auto first = static_cast<std::int32_t>(numbers.first_word());
  for (std::int64_t row = 0; row < rows.rows(); ++row) {
    const std::int64_t begin = row * numbers.length, count = counts[static_cast<std::size_t>(row)];
    const auto number = [&](std::int64_t at) {
      return at < 0 || at >= count ? 0 : words[static_cast<std::size_t>(begin + at)];
    };
    for (std::int64_t i = 0; i < count; ++i) {
      const std::int32_t word = number(i) - first, left = number(i - 1), right = number(i + 1);
      if (word < 0) continue;
      anywhere_[static_cast<std::size_t>(word)] += 1;
      if (left > 0) behind_.add(static_cast<std::uint64_t>(left), word);
      if (right > 0) before_.add(static_cast<std::uint64_t>(right), word);
      if (left > 0 && right > 0) around_.add(both(left, right), word);
    }
  }
  for (Followers* each : {&around_, &behind_, &before_}) each->close();
  const double all = std::accumulate(anywhere_.begin(), anywhere_.end(), 0.0);
  for (double& each : anywhere_) each /= all;
  commonest_ = static_cast<std::int32_t>(std::ranges::max_element(anywhere_) - anywhere_.begin());
  for (std::size_t bucket = 0; bucket < buckets; ++bucket) {
    weights_[bucket] = {bucket / 4 > 0 ? 1.0 : 0.0, (bucket & 1U) != 0 ? 1.0 : 0.0, (bucket & 2U) != 0 ? 1.0 : 0.0, 1};
    const double sum = std::accumulate(weights_[bucket].begin(), weights_[bucket].end(), 0.0);
    for (double& weight : weights_[bucket]) weight /= sum;
  }
}

NeighbourCounts::Contexts NeighbourCounts::contexts(const HiddenWord& hidden) const {
  Contexts found;
  found.counted = {around_.of(both(hidden.left, hidden.right)), behind_.of(static_cast<std::uint64_t>(hidden.left)),
                   before_.of(static_cast<std::uint64_t>(hidden.right))};
  const double seen = found.counted[0].total;
  const std::size_t level = seen == 0 ? 0 : seen == 1 ? 1 : seen < 4 ? 2 : seen < 10 ? 3 : 4;
  found.bucket = 4 * level + (found.counted[1].total > 0 ? 1U : 0U) + (found.counted[2].total > 0 ? 2U : 0U);
  return found;
}

NeighbourCounts::Weights NeighbourCounts::said(const Contexts& contexts, std::int32_t word) const {
  Weights each{};
  for (std::size_t part = 0; part + 1 < parts; ++part) each[part] = contexts.counted[part].share(word);
  each[parts - 1] = anywhere_[static_cast<std::size_t>(word)];
  return each;
}

void NeighbourCounts::tune(std::span<const HiddenWord> words) {
  constexpr int rounds = 30;
  std::array<std::vector<Weights>, buckets> said_in;
  for (const HiddenWord& hidden : words) {
    const Contexts found = contexts(hidden);
    said_in[found.bucket].push_back(said(found, hidden.word));
  }
  for (std::size_t bucket = 0; bucket < buckets; ++bucket) {
    for (int round = 0; round < rounds && !said_in[bucket].empty(); ++round) {
      Weights next{};
      for (const Weights& each : said_in[bucket]) {
        const double sum = std::inner_product(each.begin(), each.end(), weights_[bucket].begin(), 0.0);
        for (std::size_t part = 0; part < parts; ++part) next[part] += weights_[bucket][part] * each[part] / sum;
      }
      for (double& weight : next) weight /= static_cast<double>(said_in[bucket].size());
      weights_[bucket] = next;
    }
    weights_[bucket][parts - 1] = std::max(weights_[bucket][parts - 1], 1e-3);  // no word is impossible
    const double sum = std::accumulate(weights_[bucket].begin(), weights_[bucket].end(), 0.0);
    for (double& weight : weights_[bucket]) weight /= sum;
  }
}

NeighbourCounts::Guess NeighbourCounts::operator()(const HiddenWord& hidden) {
  const Contexts found = contexts(hidden);
  const Weights& weights = weights_[found.bucket];
  const auto anywhere = [&](std::int32_t word) {
    return weights[parts - 1] * anywhere_[static_cast<std::size_t>(word)];
  };
  touched_.assign(1, commonest_);
  for (std::size_t part = 0; part + 1 < parts; ++part) {
    for (const auto& [word, count] : found.counted[part].words) {
      double& score = scores_[static_cast<std::size_t>(word)];
      if (score == 0) touched_.push_back(word);
      score += weights[part] * count / found.counted[part].total;
    }
  }
  const auto all = [&](std::int32_t word) { return scores_[static_cast<std::size_t>(word)] + anywhere(word); };
  Guess guess{.word = commonest_, .probability = all(hidden.word)};
  double best = all(commonest_);
  for (const std::int32_t word : touched_) {
    if (const double own = all(word); own > best || (own == best && word < guess.word)) {
      best = own;
      guess.word = word;
    }
  }
  for (const std::int32_t word : touched_) scores_[static_cast<std::size_t>(word)] = 0;
  return guess;
}

}  // namespace thalweg
