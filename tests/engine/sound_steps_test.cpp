// SoundSteps: the standardised log-mel frames that a speech recogniser gets as input.

#include <gtest/gtest.h>

#include <cmath>

#include "thalweg/apply.hpp"
#include "thalweg/error.hpp"
#include "thalweg/sound.hpp"

namespace thalweg {
namespace {

constexpr StepOptions small{.rate = 8000, .bands = 10, .window = 200, .hop = 80, .frames = 3};

Sound noise(std::int64_t samples, std::int64_t rate = 8000) { return {random_normal({samples}, 5), rate}; }

TEST(SoundSteps, HoldTheWholeSound) {
  const SoundSteps steps(small);
  EXPECT_EQ(steps(noise(1)).shape(), (Shape{1, 30}));
  EXPECT_EQ(steps(noise(200 + 2 * 80)).shape(), (Shape{1, 30}));
  EXPECT_EQ(steps(noise(200 + 2 * 80 + 1)).shape(), (Shape{2, 30}));
  EXPECT_EQ(steps(noise(2 * 8000, 16000)).shape(), steps(noise(8000)).shape());
}

TEST(SoundSteps, EachBandHasMeanZeroAndDeviationOne) {
  const Tensor steps = SoundSteps(small)(noise(200 + 80 * 299));  // 300 frames
  ASSERT_EQ(steps.shape(), (Shape{100, 30}));
  for (std::int64_t band = 0; band < 10; ++band) {
    double sum = 0, squares = 0;
    for (std::int64_t frame = 0; frame < 300; ++frame) {
      const double x = steps.at(frame * 10 + band);
      sum += x;
      squares += x * x;
    }
    EXPECT_NEAR(sum / 300, 0, 1e-5);
    EXPECT_NEAR(squares / 300, 1, 1e-4);
  }
}

/// A long sound is processed in portions, with the same result as for the whole sound at once.
TEST(SoundSteps, AreTheLogMelFramesOfALongSoundStandardised) {
  constexpr std::int64_t frames = 300, bands = 10;
  const Sound sound = noise(200 + 80 * (frames - 1));
  const Apply whole(
      [](Scope, const Batch& b) {
        return log_mel(b["x"], {.window = 200, .hop = 80, .size = 256}, {.rate = 8000, .bands = bands});
      },
      1);
  State state;
  state.layout = std::make_shared<const Layout>();
  state.parameters = Tensor({0});
  const Tensor all = whole(state, {{"x", sound.samples.reshape({1, sound.samples.size()})}});
  const Tensor steps = SoundSteps(small)(sound);
  ASSERT_EQ(all.size(), steps.size());
  for (std::int64_t band = 0; band < bands; ++band) {
    double sum = 0, squares = 0;
    for (std::int64_t i = 0; i < frames; ++i) sum += all.at(i * bands + band) / frames;
    for (std::int64_t i = 0; i < frames; ++i) squares += std::pow(all.at(i * bands + band) - sum, 2) / frames;
    for (std::int64_t i = 0; i < frames; ++i)
      ASSERT_NEAR(steps.at(i * bands + band), (all.at(i * bands + band) - sum) / std::sqrt(squares), 1e-4) << i;
  }
}

/// Energies are clamped to a floor, so a sound below it becomes constant frames, which are standardised to 0.
TEST(SoundSteps, ASoundBelowTheFloorIsSilence) {
  Sound faint = noise(4000);
  for (std::int64_t i = 0; i < faint.samples.size(); ++i) faint.samples.set(i, 1e-9 * faint.samples.at(i));
  const Tensor steps = SoundSteps(small)(faint);
  for (std::int64_t i = 0; i < steps.size(); ++i) ASSERT_EQ(steps.at(i), 0) << i;
}

TEST(SoundSteps, DoNotDependOnTheLoudness) {
  const Sound sound = noise(5000);
  Sound quiet = sound;
  for (std::int64_t i = 0; i < quiet.samples.size(); ++i) quiet.samples.set(i, 0.125 * sound.samples.at(i));
  const Tensor a = SoundSteps(small)(sound), b = SoundSteps(small)(quiet);
  for (std::int64_t i = 0; i < a.size(); ++i) EXPECT_NEAR(a.at(i), b.at(i), 1e-3);
}

TEST(SoundSteps, SilenceIsZeros) {
  const Tensor steps = SoundSteps(small)({Tensor({4000}), 8000});
  for (std::int64_t i = 0; i < steps.size(); ++i) EXPECT_EQ(steps.at(i), 0);
}

TEST(SoundSteps, RefuseInvalidSizes) { EXPECT_THROW(SoundSteps({.frames = 0}), UsageError); }

}  // namespace
}  // namespace thalweg
