// Spectra of sounds and log-mel frames against SciPy, and their derivatives.

#include <gtest/gtest.h>

#include <cmath>

#include "evaluate.hpp"
#include "far_cpu.hpp"
#include "reference_file.hpp"
#include "thalweg/error.hpp"
#include "thalweg/ops.hpp"
#include "thalweg/sound.hpp"

namespace thalweg {
namespace {

Tensor sound_of(std::int64_t count) {
  Tensor sound({1, count}, f64);
  for (std::int64_t i = 0; i < count; ++i) {
    const auto n = static_cast<double>(i);
    sound.set(i, 0.5 * std::sin(0.05 * n) + 0.3 * std::cos(0.9 * n + 0.001 * n * n));
  }
  return sound;
}

SpectrumOptions spectrum_of(const nlohmann::json& item) {
  return {.window = item.at("window"), .hop = item.at("hop"), .size = item.at("size")};
}

TEST(Spectrum, MatchesSciPy) {
  const auto sounds = testing::reference("sound");
  for (const auto& item : sounds.at("stft")) {
    SCOPED_TRACE(item.at("window").dump());
    const Tensor got =
        evaluate([&](const std::vector<Var>& x) { return std::vector<Var>{stft(x[0], spectrum_of(item))}; },
                 {sound_of(item.at("count"))})[0];
    const std::int64_t frames = item.at("frames"), bins = item.at("size").get<std::int64_t>() / 2 + 1;
    ASSERT_EQ(got.shape(), (Shape{1, frames, 2, bins}));
    for (std::int64_t i = 0; i < frames * bins; ++i) {
      const std::int64_t place = i / bins * 2 * bins + i % bins;
      EXPECT_NEAR(got.at(place), item.at("real")[static_cast<std::size_t>(i)].get<double>(), 1e-12);
      EXPECT_NEAR(got.at(place + bins), item.at("imaginary")[static_cast<std::size_t>(i)].get<double>(), 1e-12);
    }
  }
}

TEST(Spectrum, LogMelMatchesSciPy) {
  const auto sounds = testing::reference("sound");
  for (const auto& item : sounds.at("log_mel")) {
    SCOPED_TRACE(item.at("window").dump());
    const MelOptions mel{
        .rate = item.at("rate"), .bands = item.at("bands"), .low = item.at("low"), .high = item.at("high")};
    const auto run = [&](DType dtype) {
      return evaluate(
          [&](const std::vector<Var>& x) { return std::vector<Var>{log_mel(x[0], spectrum_of(item), mel)}; },
          {sound_of(item.at("count")).to(dtype)})[0];
    };
    const Tensor wide = run(f64), narrow = run(f32);
    const double quiet = testing::is_on_a_gpu() ? 5e-2 : 1e-2;  // of a quiet band few digits are left
    ASSERT_EQ(wide.size(), std::ssize(item.at("values")));
    for (std::int64_t i = 0; i < wide.size(); ++i) {
      const double wanted = item.at("values")[static_cast<std::size_t>(i)];
      EXPECT_NEAR(wide.at(i), wanted, 1e-9);
      EXPECT_NEAR(narrow.at(i), wanted, quiet);
    }
  }
}

TEST(Spectrum, DerivativesAreThoseOfDifferences) {
  const SpectrumOptions small{.window = 8, .hop = 3, .size = 16};
  const auto value = [&](const std::vector<Var>& x) {
    return sum(log_mel(x[0], small, {.rate = 100, .bands = 3}) * constant(random_uniform({2, 5, 3}, 0.5, 1.5, 3, f64)));
  };
  const Tensor x = random_normal({2, 21}, 1, f64);
  const Tensor gradient =
      evaluate([&](const std::vector<Var>& v) { return std::vector<Var>{gradients(value(v), {v[0]})[0]}; }, {x})[0];
  for (std::int64_t i = 0; i < x.size(); ++i) {
    constexpr double h = 1e-6;
    const auto moved = [&](double by) {
      Tensor y = x;
      y.set(i, x.at(i) + by);
      return evaluate([&](const std::vector<Var>& v) { return std::vector<Var>{value(v)}; }, {y})[0].item();
    };
    EXPECT_NEAR(gradient.at(i), (moved(h) - moved(-h)) / (2 * h), 1e-6) << i;
  }
}

TEST(Spectrum, SamplesAfterTheLastFrameAreIgnored) {
  const SpectrumOptions small{.window = 8, .hop = 3, .size = 8};
  const auto run = [&](const Tensor& x) {
    return evaluate([&](const std::vector<Var>& v) { return std::vector<Var>{stft(v[0], small)}; }, {x})[0];
  };
  const Tensor x =
      random_normal({1, 16}, 1, f64);  // the frames begin at 0, 3 and 6; the last one ends before sample 14
  Tensor other = x;
  other.set(14, 100);
  other.set(15, 100);
  EXPECT_EQ(run(x).shape(), (Shape{1, 3, 2, 5}));
  EXPECT_TRUE(identical(run(x), run(other)));
}

TEST(Spectrum, RefusesSoundsShorterThanAFrame) {
  const auto run = [](const Shape& shape, const SpectrumOptions& options, const MelOptions& mel) {
    (void)evaluate([&](const std::vector<Var>& v) { return std::vector<Var>{log_mel(v[0], options, mel)}; },
                   {Tensor(shape)});
  };
  const SpectrumOptions small{.window = 8, .hop = 3, .size = 16};
  EXPECT_NO_THROW(run({1, 8}, small, {.rate = 100, .bands = 2}));
  EXPECT_THROW(run({1, 7}, small, {.rate = 100, .bands = 2}), UsageError);
  EXPECT_THROW(run({8}, small, {.rate = 100, .bands = 2}), UsageError);
  EXPECT_THROW(run({1, 8}, {.window = 8, .hop = 0, .size = 16}, {}), UsageError);
  EXPECT_THROW(run({1, 8}, {.window = 8, .hop = 3, .size = 7}, {}), UsageError);
  EXPECT_THROW(run({1, 8}, small, {.rate = 100, .bands = 2, .high = 51}), UsageError);
  EXPECT_THROW(run({1, 8}, small, {.rate = 100, .bands = 2, .floor = 0}), UsageError);
}

}  // namespace
}  // namespace thalweg
