// The net of the system `voice`: durations add up to the number of frames, and padding changes nothing.

#include "system/voice_net.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "system/acting.hpp"
#include "thalweg/apply.hpp"
#include "thalweg/ops.hpp"

namespace thalweg {
namespace {

constexpr std::int64_t letters = 3, width = 4;

Dataset rows_of(std::int64_t most, std::int64_t steps) {
  Tensor target({2, most}, i32);
  const std::int32_t labels[2][4] = {{1, 2, 2, 3}, {3, 1, 0, 0}};
  const std::int32_t frames[2] = {12, 7};
  Tensor input({2, steps, width});
  for (std::int64_t row = 0; row < 2; ++row) {
    for (std::int64_t i = 0; i < 4; ++i) target.set(row * most + i, labels[row][i]);
    for (std::int64_t t = 0; t < frames[row]; ++t) {
      for (std::int64_t k = 0; k < width; ++k)
        input.set((row * steps + t) * width + k, std::sin(static_cast<double>(1 + t * (k + 2) + 5 * row)));
    }
  }
  Dataset rows;
  rows.set("input", std::move(input));
  rows.set("frames", Tensor::of({12, 7}));
  rows.set("target", std::move(target));
  rows.set("letters", Tensor::of({4, 2}));
  return rows;
}

class VoiceNetTest : public ::testing::Test {
 protected:
  [[nodiscard]] Tensor applied(const std::function<Var(Scope, const Batch&)>& function, const Dataset& rows) const {
    NamedTensors inputs;
    for (const auto& [name, column] : rows.columns()) inputs.emplace_back(name, column);
    return Apply(function, 1)(state_, inputs);
  }
  [[nodiscard]] Tensor durations(const Dataset& rows) const {
    return applied([this](const Scope& s, const Batch& b) { return net_.aligned(s, b).first; }, rows);
  }
  [[nodiscard]] Tensor spoken(const Dataset& rows) const {
    return applied(
        [this](const Scope& s, const Batch& b) {
          return net_.spoken(s, b["target"], b["letters"], net_.aligned(s, b).first, b["frames"], b["input"].dim(1));
        },
        rows);
  }

  VoiceNet net_{{.width = 8, .kernel = 3, .encoder = 1, .decoder = 1, .aligner = 8, .dropout = 0}, letters, width};
  State state_ =
      acting::untrained([this](const Scope& s, const Batch& b) { return net_.loss(s, b); }, rows_of(4, 12), 1);
};

TEST_F(VoiceNetTest, DurationsOfTheAlignmentAddUpToTheFrames) {
  const Tensor lasts = durations(rows_of(4, 12));
  ASSERT_EQ(lasts.shape(), Shape({2, 6}));
  double first = 0, second = 0;
  for (std::int64_t i = 0; i < 6; ++i) {
    first += lasts.at(i);
    second += lasts.at(6 + i);
    EXPECT_GE(lasts.at(i), 1 - 1e-4) << "the alignment visits each token";
  }
  EXPECT_NEAR(first, 12, 1e-4);
  EXPECT_NEAR(second, 7, 1e-4);
  for (std::int64_t i = 4; i < 6; ++i) EXPECT_NEAR(lasts.at(6 + i), 0, 1e-6) << "after the end of the text";
}

/// With as many frames as tokens there is only one alignment.
TEST_F(VoiceNetTest, WithAsManyFramesAsTokensEachTokenLastsOneFrame) {
  Dataset rows = rows_of(4, 12);
  rows.set("frames", Tensor::of({6, 4}));
  const Tensor lasts = durations(rows);
  for (std::int64_t i = 0; i < 6; ++i) {
    EXPECT_NEAR(lasts.at(i), 1, 1e-4);
    EXPECT_NEAR(lasts.at(6 + i), i < 4 ? 1 : 0, 1e-4);
  }
}

TEST_F(VoiceNetTest, PaddingChangesNothing) {
  const Tensor some = spoken(rows_of(4, 12)), more = spoken(rows_of(9, 20));
  const Tensor lasts = durations(rows_of(4, 12)), longer = durations(rows_of(9, 20));
  for (std::int64_t row = 0; row < 2; ++row) {
    for (std::int64_t i = 0; i < (row == 0 ? 12 : 7) * width; ++i)
      EXPECT_NEAR(more.at(row * 20 * width + i), some.at(row * 12 * width + i), 1e-5);
    for (std::int64_t i = 0; i < 6; ++i) EXPECT_NEAR(longer.at(row * 11 + i), lasts.at(row * 6 + i), 1e-4);
  }
}

}  // namespace
}  // namespace thalweg
