// Beam search against a search over all sequences, on a model that is small enough for it.

#include "system/beam.hpp"

#include <algorithm>
#include <cmath>
#include <map>

#include <gtest/gtest.h>

#include "core/random.hpp"
#include "thalweg/error.hpp"

namespace thalweg {
namespace {

using Tokens = std::vector<std::int32_t>;

/// A model with random probabilities of four tokens after each prefix, which depend on the row and the prefix.
struct Model {
  static constexpr std::int64_t tokens = 4;

  [[nodiscard]] std::vector<float> next(std::int64_t row, const Tokens& begun) const {
    RandomKey key = RandomKey{11}.fold(static_cast<std::uint64_t>(row));
    for (const std::int32_t token : begun) key = key.fold(static_cast<std::uint64_t>(token));
    std::vector<double> weights;
    double total = 0;
    for (std::uint64_t i = 0; i < tokens; ++i) {
      weights.push_back(std::exp(2 * random_gauss(key, i)));
      total += weights.back();
    }
    std::vector<float> logarithms;
    for (const double weight : weights) logarithms.push_back(static_cast<float>(std::log(weight / total)));
    return logarithms;
  }

  /// The function that the search calls for each step; it tracks the prefixes by their parents.
  [[nodiscard]] Advance advance(std::int64_t rows, std::int64_t width) const {
    return [*this, width, begun = std::vector<Tokens>(static_cast<std::size_t>(rows * width)), first = true](
               std::span<const std::int32_t> parents, std::span<const std::int32_t> chosen) mutable {
      std::vector<Tokens> after;
      Tensor all({std::ssize(parents), tokens});
      for (std::size_t i = 0; i < parents.size(); ++i) {
        after.push_back(begun[static_cast<std::size_t>(parents[i])]);
        if (!first) after.back().push_back(chosen[i]);
        const std::vector<float> logarithms = next(static_cast<std::int64_t>(i) / width, after.back());
        std::ranges::copy(logarithms, all.mutable_values<float>().begin() + static_cast<std::ptrdiff_t>(i * tokens));
      }
      begun = std::move(after);
      first = false;
      return all;
    };
  }

  /// Finds every sequence of a row, ended or cut off at `longest`, with its log-probability.
  void enumerate(std::int64_t row, std::int64_t longest, const Tokens& begun, double log_probability,
                 std::map<Tokens, double>& into) const {
    if (std::ssize(begun) == longest) {
      into[begun] = log_probability;
      return;
    }
    const std::vector<float> logarithms = next(row, begun);
    into[begun] = log_probability + static_cast<double>(logarithms[0]);
    for (std::int32_t token = 1; token < tokens; ++token) {
      Tokens grown = begun;
      grown.push_back(token);
      enumerate(row, longest, grown, log_probability + static_cast<double>(logarithms[static_cast<std::size_t>(token)]),
                into);
    }
  }
};

constexpr std::int64_t rows = 40, longest = 4;

double score_of(const Tokens& tokens, double log_probability, double power) {
  const auto length = static_cast<double>(std::ssize(tokens) + (std::ssize(tokens) < longest ? 1 : 0));
  return log_probability / std::pow((5 + length) / 6, power);
}

/// The best of all sequences of a row.
Hypothesis best_of_all(const Model& model, std::int64_t row, double power) {
  std::map<Tokens, double> all;
  model.enumerate(row, longest, {}, 0, all);
  Hypothesis best{.tokens = {}, .log_probability = 0, .score = -1e30};
  for (const auto& [tokens, log_probability] : all) {
    const double score = score_of(tokens, log_probability, power);
    if (score > best.score) best = {tokens, log_probability, score};
  }
  return best;
}

TEST(BeamSearch, WideEnoughForAllSequencesFindsTheBest) {
  const Model model;
  for (const double power : {0., 0.7, 2.}) {
    const std::int64_t width = 128;  // there are 81 sequences that are cut off and 40 that end
    const auto found =
        beam_search(rows, {.width = width, .longest = longest, .length_power = power}, model.advance(rows, width));
    for (std::int64_t row = 0; row < rows; ++row) {
      const Hypothesis best = best_of_all(model, row, power), &own = found[static_cast<std::size_t>(row)].front();
      EXPECT_EQ(own.tokens, best.tokens) << row;
      EXPECT_NEAR(own.log_probability, best.log_probability, 1e-12);
      EXPECT_NEAR(own.score, best.score, 1e-12);
    }
  }
}

TEST(BeamSearch, OfWidthOneIsGreedy) {
  const Model model;
  const auto found = beam_search(rows, {.width = 1, .longest = longest}, model.advance(rows, 1));
  for (std::int64_t row = 0; row < rows; ++row) {
    Tokens greedy;
    while (std::ssize(greedy) < longest) {
      const std::vector<float> next = model.next(row, greedy);
      const auto token = static_cast<std::int32_t>(std::ranges::max_element(next) - next.begin());
      if (token == 0) break;
      greedy.push_back(token);
    }
    EXPECT_EQ(found[static_cast<std::size_t>(row)].front().tokens, greedy);
  }
}

/// The mean log-probability of the found sequences does not decrease with the width, and reaches that of the best ones.
TEST(BeamSearch, FindsLikelierSequencesWithALargerWidth) {
  const Model model;
  double before = -1e30, best = 0;
  for (std::int64_t row = 0; row < rows; ++row) best += best_of_all(model, row, 0).log_probability;
  for (const std::int64_t width : {1, 2, 4, 16}) {
    double sum = 0;
    for (const auto& row : beam_search(rows, {.width = width, .longest = longest}, model.advance(rows, width)))
      sum += row.front().log_probability;
    EXPECT_GE(sum, before) << width;
    EXPECT_LE(sum, best + 1e-9);
    before = sum;
  }
  EXPECT_GT(before, best - 0.5);
}

/// The result of a row does not depend on the other rows of the batch.
TEST(BeamSearch, RowsAreIndependent) {
  const Model model;
  const auto together = beam_search(rows, {.width = 3, .longest = longest}, model.advance(rows, 3));
  const auto few = beam_search(5, {.width = 3, .longest = longest}, model.advance(5, 3));
  for (std::size_t row = 0; row < few.size(); ++row) {
    EXPECT_EQ(few[row].front().tokens, together[row].front().tokens);
    EXPECT_EQ(few[row].front().log_probability, together[row].front().log_probability);
  }
}

TEST(BeamSearch, RefusesInvalidArguments) {
  const Advance none = [](std::span<const std::int32_t>, std::span<const std::int32_t>) { return full({1, 2}, NAN); };
  EXPECT_THROW((void)beam_search(1, {.width = 0}, none), UsageError);
  EXPECT_THROW((void)beam_search(1, {.longest = 0}, none), UsageError);
  EXPECT_THROW((void)beam_search(1, {.length_power = NAN}, none), UsageError);
  EXPECT_THROW((void)beam_search(1, {}, none), NumericError);
  EXPECT_TRUE(beam_search(0, {}, none).empty());
}

}  // namespace
}  // namespace thalweg
