// Reading sound files, resampling against SciPy, and the preprocessing of sounds.

#include "data/sound.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <numbers>

#include "data/preprocessing.hpp"
#include "reference_file.hpp"
#include "temporary_folder.hpp"
#include "thalweg/error.hpp"

namespace fs = std::filesystem;

namespace thalweg {
namespace {

fs::path seeds() { return fs::path(source_folder()) / "tests" / "fuzz" / "seeds" / "sound"; }

std::vector<std::byte> bytes_of(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  std::vector<std::byte> bytes(text.size());
  std::memcpy(bytes.data(), text.data(), text.size());
  return bytes;
}

std::string refusal(const std::function<void()>& read) {
  try {
    read();
  } catch (const DataError& error) {
    return error.what();
  }
  return "nothing";
}

class Sounds : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!data::reads_sounds()) GTEST_SKIP() << "built without libsndfile";
  }
};

TEST_F(Sounds, OfEveryFormatAreReadToTheRightSamples) {
  const auto expect_tone = [](const char* name, double loudness, double tolerance) {
    SCOPED_TRACE(name);
    const Sound sound = read_sound(seeds() / name);
    EXPECT_EQ(sound.rate, 8000);
    ASSERT_EQ(sound.samples.shape(), (Shape{400}));
    for (std::int64_t n = 0; n < 400; ++n) {
      const double wanted = loudness * std::sin(2 * std::numbers::pi * 440 * static_cast<double>(n) / 8000);
      ASSERT_NEAR(sound.samples.at(n), wanted, tolerance) << n;
    }
  };
  expect_tone("pcm16.wav", 0.4, 4e-5);
  expect_tone("stereo.wav", 0.3, 4e-5);  // the mean of the tone and of half the tone
  expect_tone("float.wav", 0.4, 1e-7);
  expect_tone("ulaw.wav", 0.4, 2e-2);
  expect_tone("pcm16.flac", 0.4, 4e-5);
  expect_tone("stereo24.flac", 0.3, 1e-6);
  expect_tone("vorbis.ogg", 0.4, 5e-2);
  EXPECT_EQ(read_sound(seeds() / "opus.ogg").rate, 48000);
}

TEST_F(Sounds, OfTruncatedFilesAreRefused) {
  for (const char* name : {"pcm16.wav", "stereo.wav", "ulaw.wav", "pcm16.flac", "vorbis.ogg", "opus.ogg"}) {
    const std::vector<std::byte> whole = bytes_of(seeds() / name);
    for (std::size_t size = 0; size + 1 < whole.size(); size += 1 + whole.size() / 40) {
      const std::string what = refusal([&] { (void)data::sound_in(std::span(whole).first(size), "a.wav"); });
      EXPECT_TRUE(what.starts_with("[sound] a.wav")) << name << " of " << size << " bytes: " << what;
    }
  }
}

TEST_F(Sounds, ErrorsNameTheFile) {
  const testing::TemporaryFolder folder;
  const auto refused = [&](std::string_view content) {
    const fs::path path = folder / "a.wav";
    std::ofstream(path, std::ios::binary) << content;
    std::string what = refusal([&] { (void)read_sound(path); });
    const std::size_t place = what.find(path.string());
    return place == std::string::npos ? what : what.replace(place, path.string().size(), "FILE");
  };
  EXPECT_EQ(refused(""), "[sound] FILE is empty. Wanted: a WAV, FLAC or Ogg file");
  EXPECT_EQ(refused("ID3 and music"), "[sound] FILE is no WAV, FLAC or Ogg file: its first bytes are not those of one");
  std::vector<std::byte> none = bytes_of(seeds() / "pcm16.wav");
  none.resize(44);
  for (int i = 40; i < 44; ++i) none[static_cast<std::size_t>(i)] = std::byte{0};
  EXPECT_EQ(refused({reinterpret_cast<const char*>(none.data()), none.size()}), "[sound] FILE holds no samples");
  EXPECT_THROW((void)read_sound(folder / "none.wav"), UsageError);
  std::vector<std::byte> unknown = bytes_of(seeds() / "pcm16.wav");
  unknown[20] = unknown[21] = std::byte{0x77};  // the number of the format
  const std::string what = refused({reinterpret_cast<const char*>(unknown.data()), unknown.size()});
  EXPECT_TRUE(what.starts_with("[sound] FILE cannot be decoded: ")) << what;
  EXPECT_NE(what.find(". Wanted: a WAV, FLAC or Ogg file. Hint: "), std::string::npos) << what;
  EXPECT_EQ(what.find(".."), std::string::npos) << what;
}

TEST_F(Sounds, NumbersThatAreNotFiniteAreRefused) {
  std::vector<std::byte> bytes = bytes_of(seeds() / "float.wav");
  const float nan = std::nanf("");
  std::memcpy(bytes.data() + bytes.size() - 40, &nan, 4);
  EXPECT_EQ(refusal([&] { (void)data::sound_in(bytes, "a.wav"); }),
            "[sound] a.wav: sample 390 is nan. Wanted: finite numbers of at most 2^31");
  const float huge = 1e18F;  // finite, but its square is not
  std::memcpy(bytes.data() + bytes.size() - 40, &huge, 4);
  EXPECT_NE(refusal([&] { (void)data::sound_in(bytes, "a.wav"); }).find("at most 2^31"), std::string::npos);
}

/// Impossible sampling rates in a header are refused, because time and memory of resampling grow with the rate.
TEST_F(Sounds, ImpossibleRatesAreRefused) {
  std::vector<std::byte> bytes = bytes_of(seeds() / "pcm16.wav");
  for (const std::uint32_t rate : {1U, 2'000'000'000U}) {
    std::memcpy(bytes.data() + 24, &rate, 4);
    EXPECT_NE(refusal([&] { (void)data::sound_in(bytes, "a.wav"); }).find("at 1000 to 1000000"), std::string::npos)
        << rate;
  }
}

Sound sound_of(std::int64_t count, std::int64_t rate) {
  Sound sound{Tensor({count}), rate};
  for (std::int64_t i = 0; i < count; ++i) {
    const auto n = static_cast<double>(i);
    sound.samples.set(i, 0.5 * std::sin(0.05 * n) + 0.3 * std::cos(0.9 * n + 0.001 * n * n));
  }
  return sound;
}

TEST(Resampling, MatchesSciPy) {
  const auto sounds = testing::reference("sound");
  for (const auto& item : sounds.at("resampled")) {
    SCOPED_TRACE(item.at("rate").dump() + " to " + item.at("to").dump());
    const Sound got = resampled(sound_of(item.at("count"), item.at("rate")), item.at("to"));
    const auto& wanted = item.at("samples");
    EXPECT_EQ(got.rate, item.at("to"));
    ASSERT_EQ(got.samples.size(), std::ssize(wanted));
    for (std::int64_t i = 0; i < got.samples.size(); ++i)
      EXPECT_NEAR(got.samples.at(i), wanted[static_cast<std::size_t>(i)].get<double>(), 2e-7) << i;
  }
}

TEST(Resampling, ToTheSameRateChangesNothing) {
  const Sound sound = sound_of(20, 8000);
  EXPECT_TRUE(identical(resampled(sound, 8000).samples, sound.samples));
  EXPECT_THROW((void)resampled(sound, 0), UsageError);
}

TEST(SoundPreprocessing, IsTheSameAfterWritingAndReadingJson) {
  const data::Preprocessing sound(
      data::SoundPreprocessing{.steps = {8000, 40, 200, 80, 3}, .letters = {" ", "a", "\u00e9"}});
  const data::Preprocessing back = data::Preprocessing::from_json(sound.json());
  EXPECT_EQ(back, sound);
  EXPECT_EQ(back.classes().size(), 3U);
  const auto labels = back.sound()->labels_of("a \u00e9", "x");
  EXPECT_EQ(labels, (std::vector<std::int32_t>{2, 1, 3}));
  EXPECT_EQ(back.sound()->text_of(labels), "a \u00e9");
  EXPECT_EQ(refusal([&] { (void)back.sound()->labels_of("aB", "t.csv, line 3"); }),
            "[speech] t.csv, line 3: 'B' is none of the 3 letters. Hint: they are those of the training texts, or of "
            "alphabet in [data] where the model is trained.");
}

TEST(SoundPreprocessing, DamagedJsonIsRefused) {
  const std::string whole =
      data::Preprocessing(data::SoundPreprocessing{.steps = {8000, 40, 200, 80, 3}, .letters = {"a"}}).json();
  const auto damaged = [&](const std::string& from, const std::string& to) {
    std::string text = whole;
    text.replace(text.find(from), from.size(), to);
    return text;
  };
  EXPECT_THROW((void)data::Preprocessing::from_json(damaged("8000", "0")), ModelError);
  EXPECT_THROW((void)data::Preprocessing::from_json(damaged("200", "900000")), ModelError);
  EXPECT_THROW((void)data::Preprocessing::from_json(damaged("\"a\"", "\"ab\"")), ModelError);
}

/// Mean and deviation of each band are over all training sounds, so loud sounds stay louder than quiet ones.
TEST(SoundPreprocessing, StandardisesByTheTrainingSounds) {
  data::SoundPreprocessing fitted{.steps = {.rate = 8000, .bands = 2, .frames = 1, .floor = 1e-3, .standardise = false},
                                  .letters = {"a"}};
  const Tensor quiet = Tensor::from(std::vector<float>{0, 4, 2, 4}, {2, 2}),
               loud = Tensor::from(std::vector<float>{4, 4}, {1, 2});
  const Tensor* const both[] = {&quiet, &loud};
  fitted.fit(both);
  EXPECT_EQ(fitted.mean, (std::vector<double>{2, 4}));
  EXPECT_DOUBLE_EQ(fitted.deviation[0], std::sqrt(8. / 3));
  EXPECT_GT(fitted.deviation[1], 0);  // although this band is constant
  Tensor scaled = Tensor::from(std::vector<float>{0, 4, 2, 4}, {2, 2});
  fitted.scale(scaled.mutable_values<float>());
  EXPECT_FLOAT_EQ(static_cast<float>(scaled.at(0)), -2 / std::sqrt(8.F / 3));
  const Tensor back = fitted.frames_of(scaled);
  for (std::int64_t i = 0; i < back.size(); ++i) EXPECT_NEAR(back.at(i), quiet.at(i), 1e-6);
  const Tensor low = fitted.frames_of(Tensor::from(std::vector<float>{-1e9F, 1e9F}, {1, 2}));
  EXPECT_NEAR(low.at(0), std::log(1e-3), 1e-5);
  EXPECT_LE(low.at(1), 40);

  const std::string json = data::Preprocessing(fitted).json();
  EXPECT_EQ(*data::Preprocessing::from_json(json).sound(), fitted);
  const auto refuses = [&](auto&& damage) {
    data::SoundPreprocessing damaged = fitted;
    damage(damaged);
    EXPECT_THROW((void)data::Preprocessing::from_json(data::Preprocessing(damaged).json()), ModelError);
  };
  refuses([](auto& sound) { sound.mean.push_back(1); });
  refuses([](auto& sound) { sound.deviation[1] = 0; });
  refuses([](auto& sound) { sound.deviation[0] = -1; });
  refuses([](auto& sound) { sound.steps.floor = 0; });
}

}  // namespace
}  // namespace thalweg
