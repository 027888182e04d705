// Skip-gram: a step agrees with plain loops over its pairs, drawn words have the distributions of word2vec, and the
// bits do not depend on the number of threads.

#include "sparse/skip_gram.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "allocations.hpp"
#include "thalweg/error.hpp"

namespace thalweg {
namespace {

constexpr std::int64_t words = 30;

/// A text in which word i occurs about 40 / (i + 1) times in each of `rounds`, in sentences of several lengths.
std::vector<std::int32_t> text_of(int rounds) {
  std::vector<std::int32_t> text;
  std::uint32_t state = 1;
  for (int i = 0; i < 100 * rounds; ++i) {
    state = state * 1664525U + 1013904223U;
    const double u = (state >> 8) / 16777216.0;
    text.push_back(static_cast<std::int32_t>(std::pow(static_cast<double>(words), u) - 1));
    if (i % 13 == 12 || i % 29 == 28) text.push_back(-1);
  }
  return text;
}

std::vector<std::int64_t> counts_in(const std::vector<std::int32_t>& text) {
  std::vector<std::int64_t> counts(words, 1);
  for (const std::int32_t word : text) {
    if (word >= 0) ++counts[static_cast<std::size_t>(word)];
  }
  return counts;
}

using Rows = std::vector<std::vector<double>>;

Rows rows_of(const Tensor& table) {
  Rows rows(static_cast<std::size_t>(table.shape()[0]));
  for (std::int64_t i = 0; i < table.size(); ++i)
    rows[static_cast<std::size_t>(i / table.shape()[1])].push_back(table.at(i));
  return rows;
}

double dot(const std::vector<double>& a, const std::vector<double>& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

struct Plain {
  Rows input, output;  // what a step with rate 1 adds to each table
  double loss = 0;
  std::int64_t pairs = 0;
};

/// The changes of a step in plain code, pair after pair, in f64.
Plain plain_step(const SkipGram& model, const SkipGramOptions& o, const std::vector<std::int32_t>& text,
                 std::int64_t epoch, std::int64_t begin, std::int64_t end) {
  const Rows u = rows_of(model.input()), v = rows_of(model.output());
  Plain plain{Rows(u.size(), std::vector<double>(u[0].size())), Rows(v.size(), std::vector<double>(v[0].size()))};
  const auto kept = [&](std::int64_t at) {
    const std::int32_t word = text[static_cast<std::size_t>(at)];
    return word < 0 || model.draws().keeps(epoch, at, word);
  };
  const auto pair = [&](std::int32_t in, std::int32_t out, double label) {
    const auto a = static_cast<std::size_t>(in), b = static_cast<std::size_t>(out);
    const double score = dot(u[a], v[b]), pull = label - 1 / (1 + std::exp(-score));
    plain.loss += std::log1p(std::exp(label > 0 ? -score : score));
    for (std::size_t i = 0; i < u[a].size(); ++i) {
      plain.input[a][i] += pull * v[b][i];
      plain.output[b][i] += pull * u[a][i];
    }
  };
  std::vector<std::int32_t> negatives(static_cast<std::size_t>(o.negatives));
  for (std::int64_t at = begin; at < end; ++at) {
    const std::int32_t middle = text[static_cast<std::size_t>(at)];
    if (middle < 0 || !kept(at)) continue;
    const std::int64_t width = model.draws().centre(epoch, at, negatives);
    for (const int side : {-1, 1}) {
      std::int64_t found = 0;
      for (std::int64_t other = at + side; found < width && other >= 0 && other < std::ssize(text); other += side) {
        const std::int32_t word = text[static_cast<std::size_t>(other)];
        if (word < 0) break;
        if (!kept(other)) continue;
        ++found;
        ++plain.pairs;
        pair(word, middle, 1);
        for (const std::int32_t negative : negatives) {
          if (negative != middle) pair(word, negative, 0);
        }
      }
    }
  }
  return plain;
}

class SkipGramSteps : public ::testing::TestWithParam<SkipGramOptions> {};

TEST_P(SkipGramSteps, AgreeWithPlainLoopsOverTheirPairs) {
  const SkipGramOptions o = GetParam();
  const auto text = text_of(6);
  SkipGram model(o, counts_in(text), 3, 300);
  Workers workers(2);
  (void)model.step(text, 0, 0, 300, 0.05, false, workers);  // a first step, because the output table is 0 at the start
  const Rows before_u = rows_of(model.input()), before_v = rows_of(model.output());
  const Plain plain = plain_step(model, o, text, 1, 250, 541);
  const double rate = 0.1;
  const SkipGram::Step step = model.step(text, 1, 250, 541, rate, true, workers);
  EXPECT_EQ(step.pairs, plain.pairs);
  EXPECT_NEAR(step.loss / plain.loss, 1, 1e-5);
  const Rows u = rows_of(model.input()), v = rows_of(model.output());
  double squares = 0;
  for (std::size_t word = 0; word < u.size(); ++word) {
    for (std::size_t i = 0; i < u[word].size(); ++i) {
      EXPECT_NEAR(u[word][i], before_u[word][i] + rate * plain.input[word][i], 2e-6) << word;
      EXPECT_NEAR(v[word][i], before_v[word][i] + rate * plain.output[word][i], 2e-6) << word;
      squares += plain.input[word][i] * plain.input[word][i] + plain.output[word][i] * plain.output[word][i];
    }
  }
  EXPECT_NEAR(step.gradient_norm / std::sqrt(squares), 1, 1e-5);
}

INSTANTIATE_TEST_SUITE_P(Shapes, SkipGramSteps,
                         ::testing::Values(SkipGramOptions{.width = 10, .window = 3, .negatives = 5, .sample = 0},
                                           SkipGramOptions{.width = 16, .window = 5, .negatives = 3, .sample = 2e-2},
                                           SkipGramOptions{.width = 100, .window = 1, .negatives = 1, .sample = 1e-1},
                                           SkipGramOptions{.width = 7, .window = 8, .negatives = 13, .sample = 1e-2}));

TEST(SkipGram, HasTheSameBitsForAnyNumberOfThreads) {
  const auto text = text_of(30);
  const SkipGramOptions o{.width = 20, .sample = 1e-2};
  std::vector<std::pair<Tensor, Tensor>> tables;
  for (const int threads : {1, 2, 3}) {
    SkipGram model(o, counts_in(text), 3, 512);
    Workers workers(threads);
    for (std::int64_t begin = 0; begin < std::ssize(text); begin += 512)
      (void)model.step(text, 0, begin, std::min(begin + 512, std::ssize(text)), 0.05, threads == 2, workers);
    tables.emplace_back(model.input(), model.output());
  }
  for (const auto& [input, output] : tables) {
    EXPECT_TRUE(identical(input, tables[0].first));
    EXPECT_TRUE(identical(output, tables[0].second));
  }
}

TEST(SkipGram, AStepAllocatesNothing) {
  const auto text = text_of(30);
  SkipGram model({.width = 20, .sample = 1e-2}, counts_in(text), 3, 256);
  Workers workers(1);
  (void)model.step(text, 0, 0, 256, 0.05, true, workers);
  const long before = testing::allocations();
  (void)model.step(text, 0, 256, 512, 0.05, true, workers);
  EXPECT_EQ(testing::allocations(), before);
}

TEST(SkipGram, ALossThatIsNotFiniteDoesNotChangeTheTables) {
  const auto text = text_of(6);
  SkipGram model({.width = 8, .sample = 0}, counts_in(text), 3, 256);
  Workers workers(1);
  (void)model.step(text, 0, 0, 256, 0.05, false, workers);
  Tensor broken = model.input();
  broken.set(0, std::nan(""));
  model.set(broken, model.output());
  const Tensor before = model.output();
  EXPECT_THROW((void)model.step(text, 0, 256, 512, 0.05, false, workers), NumericError);
  EXPECT_TRUE(identical(model.output(), before));
  EXPECT_THROW(model.set(Tensor({3, 8}), before), ModelError);
}

TEST(SkipGramDraws, KeepWordsByTheirFrequency) {
  const std::vector<std::int64_t> counts = {60'000, 6'000, 600, 60};
  const SkipGramOptions o{.sample = 1e-3};
  const SkipGramDraws draws(o, counts, 7);
  for (std::int32_t word = 0; word < 4; ++word) {
    const double f = static_cast<double>(counts[static_cast<std::size_t>(word)]) / 66'660;
    const double wanted = std::min(1.0, std::sqrt(o.sample / f) + o.sample / f);  // word2vec.c: (sqrt(f/t) + 1) t/f
    int kept = 0;
    for (std::int64_t place = 0; place < 100'000; ++place) kept += draws.keeps(2, place, word) ? 1 : 0;
    EXPECT_NEAR(kept / 1e5, wanted, 4 * std::sqrt(wanted * (1 - wanted) / 1e5) + 1e-9) << word;
  }
}

TEST(SkipGramDraws, OfNegativesFollowCountsToThePowerOfThreeQuarters) {
  const std::vector<std::int64_t> counts = {1000, 500, 100, 20, 3, 0};
  const SkipGramDraws draws({.window = 4, .negatives = 7}, counts, 7);
  std::vector<double> seen(counts.size()), windows(5);
  std::vector<std::int32_t> negatives(7);
  constexpr int places = 100'000;
  for (int place = 0; place < places; ++place) {
    windows[static_cast<std::size_t>(draws.centre(0, place, negatives))] += 1.0 / places;
    for (const std::int32_t word : negatives) seen[static_cast<std::size_t>(word)] += 1.0 / (7.0 * places);
  }
  double total = 0;
  for (const std::int64_t count : counts) total += std::pow(static_cast<double>(count), 0.75);
  for (std::size_t word = 0; word < counts.size(); ++word) {
    const double p = std::pow(static_cast<double>(counts[word]), 0.75) / total;
    EXPECT_NEAR(seen[word], p, 4 * std::sqrt(p * (1 - p) / (7.0 * places)) + 1e-9) << word;
  }
  for (std::size_t width = 1; width < windows.size(); ++width) EXPECT_NEAR(windows[width], 0.25, 0.006) << width;
  EXPECT_EQ(windows[0], 0);
}

}  // namespace
}  // namespace thalweg
