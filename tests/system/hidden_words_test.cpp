#include "system/hidden_words.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "allocations.hpp"
#include "data/preprocessing.hpp"
#include "thalweg/ops.hpp"
#include "thalweg/optimizers.hpp"
#include "thalweg/system.hpp"
#include "thalweg/train.hpp"

namespace thalweg {
namespace {

constexpr double share = 0.15;

data::WordPreprocessing ten_words(std::int64_t length = 20) {
  return {.words = {"a", "b", "c", "d", "e", "f", "g", "h", "i", "j"}, .rare = 2, .length = length};
}

/// Rows of the words 5, ..., 14 in turn, with an end of a sentence (2) at every sixth position and a rare word (3) at
/// every seventh. Every fourth row has half of the length.
Dataset rows_of(std::int64_t rows, const data::WordPreprocessing& numbers) {
  Tensor input({rows, numbers.length}, i32), count({rows}, i32);
  for (std::int64_t row = 0; row < rows; ++row) {
    const std::int64_t own = row % 4 == 3 ? numbers.length / 2 : numbers.length;
    count.set(row, static_cast<double>(own));
    for (std::int64_t i = 0; i < own; ++i) {
      const std::int64_t number = i % 6 == 5 ? 2 : i % 7 == 6 ? 3 : numbers.first_word() + (row + i) % 10;
      input.set(row * numbers.length + i, static_cast<double>(number));
    }
  }
  Dataset data;
  data.set("input", std::move(input));
  data.set("count", std::move(count));
  return data;
}

State no_state() {
  State state;
  state.layout = std::make_shared<const Layout>();
  state.parameters = Tensor({0});
  return state;
}

TEST(HiddenWords, EvaluationHidesTheSameWordsEachTime) {
  const data::WordPreprocessing numbers = ten_words();
  const Dataset rows = rows_of(200, numbers);
  const HidingPlaces places(numbers, share, 1);
  const std::vector<HiddenWord> hidden = places(no_state(), rows), again = places(no_state(), rows);
  ASSERT_EQ(hidden.size(), again.size());
  std::set<std::pair<std::int64_t, std::int64_t>> different;
  std::vector<std::int64_t> at_place(20);
  for (std::size_t i = 0; i < hidden.size(); ++i) {
    EXPECT_EQ(hidden[i].place, again[i].place);
    const std::int64_t at = hidden[i].row * numbers.length + hidden[i].place;
    EXPECT_EQ(rows["input"].at(at), static_cast<double>(numbers.first_word() + hidden[i].word));
    EXPECT_LT(hidden[i].place, static_cast<std::int64_t>(rows["count"].at(hidden[i].row)));
    different.emplace(hidden[i].row, hidden[i].place);
    ++at_place[static_cast<std::size_t>(hidden[i].place)];
  }
  EXPECT_EQ(different.size(), hidden.size());
  // three positions of 20, or two of 10, are drawn in each row, but only words are hidden
  EXPECT_GT(hidden.size(), 330U);
  EXPECT_LT(hidden.size(), 480U);
  for (const std::int64_t place : {0, 1, 8, 12, 19}) EXPECT_GT(at_place[static_cast<std::size_t>(place)], 10) << place;
}

TEST(HiddenWords, TrainingHidesTheShareAndChangesNothingElse) {
  const data::WordPreprocessing numbers = ten_words();
  const Objective objective = [numbers](Scope s, const Batch& b) {
    const HiddenWords hidden = hidden_words(s, b["input"], b["count"], numbers, share);
    const Var seen = cast(hidden.words, s.dtype()), before = cast(b["input"], s.dtype());
    const auto part = [&](const Var& of) { return sum(cast(of, s.dtype()), -1); };
    const Var chosen = sum(hidden.places * expand_dims(hidden.weight, -1), 1);  // (batch, length)
    s.report("chosen", part(chosen));
    s.report("masked", part(equal(seen, 1)));
    s.report("outside", part((1 - chosen) * cast(not_equal(seen, before), s.dtype())));
    return Loss::of_samples(sum(before * 0, -1) + s.parameter("p", {}, {}));
  };
  TrainStep step(objective, optim::sgd({.lr = 0.1}), 1);
  const Dataset rows = rows_of(4000, numbers);
  State state = step.init(rows, 3);
  const StepReport report = step(state, rows);
  const auto figure = [&](std::string_view name) {
    return std::ranges::find(report.metrics, name, &Metrics::value_type::first)->second;
  };
  const double chosen = figure("chosen");
  EXPECT_GT(chosen, 2);  // of three places drawn in a row of 20
  EXPECT_EQ(figure("masked"), chosen);
  EXPECT_EQ(figure("outside"), 0);
}

TEST(HiddenWords, AStepOfTheMaskedModelAllocatesNothing) {
  const data::WordPreprocessing numbers = ten_words();
  const auto row = std::ranges::find(systems(), "masked", &SystemRow::name);
  ASSERT_NE(row, systems().end());
  const System system = row->make({.preprocessing = std::make_shared<const data::Preprocessing>(numbers), .threads = 1},
                                  {{"layers", 1}, {"width", 16}, {"heads", 2}});
  TrainStep step(system.objectives[0].loss, optim::adam(), 1);
  const Dataset rows = rows_of(16, numbers);
  State state = step.init(rows, 3);
  for (int i = 0; i < 3; ++i) (void)step(state, rows);
  const long before = testing::allocations();
  for (int i = 0; i < 5; ++i) (void)step(state, rows);
  EXPECT_EQ(testing::allocations(), before);
}

/// Counted by hand for the rows a b c, a b c, a d c: between a and c there is b twice and d once.
TEST(NeighbourCounts, MixTheirFourDistributions) {
  const data::WordPreprocessing numbers = ten_words(3);
  const auto first = static_cast<std::int32_t>(numbers.first_word());
  Dataset rows;
  rows.set("input", Tensor::from(std::vector<std::int32_t>{first, first + 1, first + 2, first, first + 1, first + 2,
                                                           first, first + 3, first + 2},
                                 {3, 3}));
  rows.set("count", Tensor::of({3, 3, 3}));
  NeighbourCounts counts(rows, numbers);
  const HiddenWord middle{.word = 1, .left = first, .right = first + 2};
  const NeighbourCounts::Guess guess =
      counts(middle);  // before tuning, each of the four distributions has a weight of 1/4
  EXPECT_EQ(guess.word, 1);
  EXPECT_NEAR(guess.probability, (3 * 2.0 / 3 + 3.0 / 19) / 4, 1e-12);
  double all = 0;
  for (std::int32_t word = 0; word < 10; ++word) {
    HiddenWord other = middle;
    other.word = word;
    all += counts(other).probability;
  }
  EXPECT_NEAR(all, 1, 1e-12);

  // with unknown neighbours, only the frequency of the word is left
  const NeighbourCounts::Guess alone = counts({.word = 3, .left = first + 9, .right = 1});
  EXPECT_NEAR(alone.probability, 2.0 / 19, 1e-12);
  EXPECT_EQ(alone.word, 0);
}

TEST(NeighbourCounts, TuningMakesOtherRowsLikelier) {
  const data::WordPreprocessing numbers = ten_words();
  const Dataset rows = rows_of(60, numbers), others = rows_of(37, numbers);
  const HidingPlaces places(numbers, share, 1);
  const std::vector<HiddenWord> hidden = places(no_state(), others);
  NeighbourCounts counts(rows, numbers);
  const auto surprise = [&] {
    double sum = 0;
    for (const HiddenWord& word : hidden) sum -= std::log(counts(word).probability);
    return sum / static_cast<double>(hidden.size());
  };
  const double before = surprise();
  counts.tune(hidden);
  EXPECT_LT(surprise(), before);
}

}  // namespace
}  // namespace thalweg
