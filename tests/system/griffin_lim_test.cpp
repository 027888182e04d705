// The Griffin-Lim algorithm, which finds a sound for the magnitudes of a spectrum.

#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

#include "thalweg/apply.hpp"
#include "thalweg/error.hpp"
#include "thalweg/ops.hpp"
#include "thalweg/sound.hpp"

namespace thalweg {
namespace {

constexpr SpectrumOptions options{.window = 200, .hop = 50, .size = 256};

/// The magnitudes (frames, bins) of a sound (samples).
Tensor magnitudes_of(const Tensor& sound) {
  const Apply spectrum([](Scope, const Batch& b) { return sqrt(sum(square(stft(b["x"], options)), 2)); }, 1);
  State state;
  state.layout = std::make_shared<const Layout>();
  state.parameters = Tensor({0});
  const Tensor all = spectrum(state, {{"x", sound.reshape({1, sound.size()})}});
  return all.reshape({all.shape()[1], all.shape()[2]});
}

/// The relative error |difference| / |wanted| of a sound's magnitudes.
double error_of(const Tensor& sound, const Tensor& wanted) {
  const Tensor got = magnitudes_of(sound);
  double difference = 0, size = 0;
  for (std::int64_t i = 0; i < wanted.size(); ++i) {
    difference += std::pow(got.at(i) - wanted.at(i), 2);
    size += std::pow(wanted.at(i), 2);
  }
  return std::sqrt(difference / size);
}

Tensor sweep() {
  Tensor sound({200 + 50 * 60});
  for (std::int64_t n = 0; n < sound.size(); ++n) {
    const auto t = static_cast<double>(n) / 8000;
    sound.set(n, 0.5 * std::sin(2 * std::numbers::pi * (300 + 900 * t) * t) + 0.2 * std::sin(9000 * t));
  }
  return sound;
}

TEST(GriffinLim, FindsASoundWithTheSpectrum) {
  const Tensor wanted = magnitudes_of(sweep());
  const Tensor none = griffin_lim(wanted, options, 0), some = griffin_lim(wanted, options, 10),
               many = griffin_lim(wanted, options, 60);
  EXPECT_EQ(many.shape(), sweep().shape());
  EXPECT_GT(error_of(none, wanted), 0.3);
  EXPECT_LT(error_of(some, wanted), error_of(none, wanted));
  EXPECT_LT(error_of(many, wanted), 0.1);
}

TEST(GriffinLim, DependsOnTheSeed) {
  const Tensor wanted = magnitudes_of(sweep());
  EXPECT_TRUE(identical(griffin_lim(wanted, options, 2), griffin_lim(wanted, options, 2)));
  EXPECT_FALSE(identical(griffin_lim(wanted, options, 2), griffin_lim(wanted, options, 2, 0.99, 2)));
}

TEST(GriffinLim, SilenceStaysSilent) {
  const Tensor sound = griffin_lim(Tensor({3, 129}), options, 2);
  for (std::int64_t i = 0; i < sound.size(); ++i) EXPECT_EQ(sound.at(i), 0);
}

TEST(GriffinLim, RefusesShapesThatDoNotFit) {
  EXPECT_THROW((void)griffin_lim(Tensor({3, 128}), options), UsageError);
  EXPECT_THROW((void)griffin_lim(Tensor({0, 129}), options), UsageError);
  EXPECT_THROW((void)griffin_lim(Tensor({3, 129}), options, -1), UsageError);
}

/// The bands are those of a pure tone, so neighbouring bands differ by factors of thousands.
TEST(GriffinLim, MagnitudesOfMelHaveItsBands) {
  const MelOptions mel{.rate = 8000, .bands = 20};
  const Tensor wanted = magnitudes_of(sweep()), filters = mel_filters(options, mel);
  const std::int64_t frames = wanted.shape()[0], bins = wanted.shape()[1];
  const auto bands_of = [&](const Tensor& magnitudes) {
    Tensor bands({frames, mel.bands});
    for (std::int64_t i = 0; i < bands.size(); ++i) {
      double energy = 0;
      for (std::int64_t k = 0; k < bins; ++k)
        energy += std::pow(magnitudes.at(i / mel.bands * bins + k), 2) * filters.at(k * mel.bands + i % mel.bands);
      bands.set(i, std::log(std::max(energy, mel.floor)));
    }
    return bands;
  };
  const Tensor bands = bands_of(wanted), found = magnitudes_of_mel(bands, options, mel), again = bands_of(found);
  double off = 0;
  for (std::int64_t i = 0; i < bands.size(); ++i) off += std::abs(again.at(i) - bands.at(i));
  EXPECT_LT(off / static_cast<double>(bands.size()), 0.1);  // the bands are logarithms from -23 to 5
  for (std::int64_t i = 0; i < found.size(); ++i) EXPECT_GE(found.at(i), 0);
  EXPECT_THROW((void)magnitudes_of_mel(bands, options, {.rate = 8000, .bands = 21}), UsageError);
}

}  // namespace
}  // namespace thalweg
