// The system `voice` in the command: trained on texts with sounds, used to speak, and transcribed by a recogniser; bad
// input is refused by name.

#include <cmath>
#include <numbers>

#include "command.hpp"
#include "data/sound.hpp"
#include "thalweg/edit_distance.hpp"
#include "thalweg/medium.hpp"

namespace thalweg::testing {
namespace {

class Voice : public CommandTest {
 protected:
  void SetUp() override {
    CommandTest::SetUp();
    if (!data::reads_sounds()) GTEST_SKIP() << "built without libsndfile";
  }

  /// The sound of a text: each letter is a tone, "a" of 0.1 seconds, "b" of 0.15, ..., with a pause before and after
  /// all.
  static std::string sound_of(const std::string& letters) {
    constexpr std::int64_t pause = 800;
    std::vector<double> samples(pause);
    for (const char letter : letters) {
      const std::int64_t tone = 800 + 400 * (letter - 'a');
      const double frequency = 400 * (1 + letter - 'a');
      for (std::int64_t n = 0; n < tone; ++n)
        samples.push_back(0.5 * std::sin(2 * std::numbers::pi * frequency * static_cast<double>(n) / 8000));
      samples.resize(samples.size() + 160);
    }
    samples.resize(samples.size() + pause);
    Tensor all({std::ssize(samples)});
    for (std::int64_t n = 0; n < all.size(); ++n)
      all.set(n, samples[static_cast<std::size_t>(n)] + 0.01 * std::sin(static_cast<double>(n * n % 7919)));
    return Medium::sound(all, 8000).bytes;
  }

  /// Writes random texts with their sounds. No letter is repeated, because the net leaves no gap between equal letters.
  void write_sounds(const std::string& name, int rows, unsigned state) const {
    std::string table = "file,text\n";
    const auto draw = [&](unsigned below) { return ((state = state * 1664525U + 1013904223U) >> 16) % below; };
    for (int row = 0; row < rows; ++row) {
      std::string letters;
      for (unsigned i = 3 + draw(4), last = 0; i > 0; --i) {
        last = letters.empty() ? draw(4) : (last + 1 + draw(3)) % 4;
        letters += static_cast<char>('a' + last);
      }
      write(name + std::to_string(row) + ".wav", sound_of(letters));
      table += name + std::to_string(row) + ".wav," + letters + "\n";
    }
    write(name + ".csv", table);
  }

  void write_files() const {
    write_sounds("train", 64, 1);
    write_sounds("test", 20, 2);
    write("ear.toml",
          "[data]\nformat = \"speech\"\ntrain = \"train.csv\"\ntest = \"test.csv\"\nvalidation = 0.1\nbands = 20\n"
          "[system]\nkind = \"speech_recogniser\"\nfilters = 24\nunits = 24\nlayers = 1\ndropout = 0\n"
          "[optimizer]\nkind = \"adam\"\nlr = 0.01\n[train]\nepochs = 15\nbatch_size = 8\n");
    write("v.toml",
          "[data]\nformat = \"speech\"\ntrain = \"train.csv\"\ntest = \"test.csv\"\nvalidation = 0.1\nbands = 32\n"
          "window = 0.032\nhop = 0.01\nstack = 2\nfloor = 1e-3\nstandardise = \"training\"\n"
          "[system]\nkind = \"voice\"\nwidth = 32\nkernel = 3\nencoder = 1\ndecoder = 2\naligner = 16\ndropout = 0\n"
          "[optimizer]\nkind = \"adam\"\nlr = 0.01\n[train]\nepochs = 60\nbatch_size = 8\n");
  }
  [[nodiscard]] std::string model(const std::string& folder) const {
    return read_text(path(folder + "/model.safetensors"));
  }
  /// Expects that a command exits with this code and prints one line of errors that contains the message.
  void expect_refusal(const std::string& command, int code, const std::string& message) const {
    const Ran ran = run(command);
    EXPECT_EQ(ran.code, code) << command << "\n" << ran.err;
    EXPECT_NE(ran.err.find(message), std::string::npos) << command << "\n" << ran.err;
    EXPECT_EQ(std::ranges::count(ran.err, '\n'), 1) << ran.err;
  }
};

TEST_F(Voice, ARecogniserTranscribesTextsOutsideTheTrainingData) {
  write_files();
  ASSERT_EQ(run("train ear.toml --quiet --out ear --threads 1").code, 0);
  const Ran trained = run("train v.toml --quiet --out v --threads 1 --set system.recogniser=ear");
  ASSERT_EQ(trained.code, 0) << trained.err;
  const Ran measured = run("evaluate v --json");
  ASSERT_EQ(measured.code, 0) << measured.err;
  const nlohmann::json figures = measured.json(), &beside = figures.at("baselines");
  EXPECT_EQ(figures.at("rows"), 20);
  EXPECT_LT(figures.at("character error rate").get<double>(), 0.1) << measured.out;
  EXPECT_LT(beside.at("the recordings").at("character error rate").get<double>(), 0.1) << measured.out;
  EXPECT_LT(beside.at("their spectra as sound").at("character error rate").get<double>(), 0.1) << measured.out;
  EXPECT_LT(figures.at("log-mel error").get<double>(),
            0.5 * beside.at("the mean of the training sounds").at("log-mel error").get<double>());
  EXPECT_LT(figures.at("length error").get<double>(), 0.1);

  const Ran said = run("generate v --text abcd --json");
  ASSERT_EQ(said.code, 0) << said.err;
  EXPECT_EQ(run("transcribe ear v/generated/00000.wav").out, "abcd\n");
  const Sound sound = read_sound(path("v/generated/00000.wav"));
  EXPECT_EQ(sound.rate, 8000);
  EXPECT_NEAR(sound.seconds(), 0.98, 0.1);  // 0.7 seconds of tones, and pauses
  const std::string report = read_text(path("v/report.html"));
  EXPECT_NE(report.find("data:audio/wav"), std::string::npos);
  EXPECT_NE(report.find("recorded"), std::string::npos);
}

TEST_F(Voice, HasTheSameBitsForAnyThreadsAndAfterAResume) {
  write_files();
  const std::string few = " --set train.epochs=2 --set system.dropout=0.2";
  ASSERT_EQ(run("train v.toml --quiet --out one --threads 1" + few).code, 0);
  ASSERT_EQ(run("train v.toml --quiet --out two --threads 2" + few).code, 0);
  EXPECT_EQ(model("one"), model("two"));
  ASSERT_EQ(run("train v.toml --quiet --out parts --threads 2 --stop-after 11" + few).code, 0);  // in the second epoch
  const Ran resumed = run("train parts --resume --quiet --threads 2");
  ASSERT_EQ(resumed.code, 0) << resumed.err;
  EXPECT_EQ(model("one"), model("parts"));
  EXPECT_EQ(read_text(path("one/media.jsonl")), read_text(path("parts/media.jsonl")));
}

TEST_F(Voice, RefusesInvalidTextsByName) {
  write_files();
  ASSERT_EQ(run("train v.toml --quiet --out v --set train.epochs=1 --set system.longest=20").code, 0);
  expect_refusal("generate v", 2, "--text");
  expect_refusal("generate v --text \"\"", 2, "--text");
  expect_refusal("generate v --text abxd", 3, "'x' is none of the 4 letters");
  expect_refusal("generate v --text " + std::string(21, 'a'), 2, "21 letters. Wanted: at most 20");
  expect_refusal("generate v --text ab --count 3", 2, "--count");
  EXPECT_EQ(run("generate v --text a").code, 0);
  expect_refusal("transcribe v test0.wav", 2, "cannot read sounds");
}

TEST_F(Voice, NeedsSoundsStandardisedOverTheTrainingDataAndAnExistingRecogniser) {
  write_files();
  expect_refusal("train v.toml --quiet --set data.standardise=sound", 2, "standardise = \"training\"");
  expect_refusal("train v.toml --quiet --set system.recogniser=none", 2, "there is no such folder");
  ASSERT_EQ(run("train v.toml --quiet --out v --set train.epochs=1").code, 0);
  expect_refusal("train v.toml --quiet --set system.recogniser=v", 2, "it is a run of voice");
  ASSERT_EQ(run("train ear.toml --quiet --out ear --set train.epochs=1").code, 0);
  ASSERT_EQ(run("train v.toml --quiet --out w --set train.epochs=1 --set system.recogniser=ear").code, 0);
  std::filesystem::remove_all(path("ear"));
  expect_refusal("evaluate w", 3, "there is no such folder");
}

/// A model file with NaNs is refused as damaged; huge parameters do not lead to an endless sound.
TEST_F(Voice, AModelWithNansIsRefused) {
  write_files();
  ASSERT_EQ(run("train v.toml --quiet --out v --set train.epochs=1").code, 0);
  const std::string bytes = model("v");
  const auto floats_of = [&](float value) {
    std::string damaged = bytes;
    for (const std::string key : {"thalweg.checksum", "thalweg.header_checksum"})
      damaged.replace(damaged.find(key), 7, "another");  // so that the file has no checksum
    std::uint64_t header = 0;
    std::memcpy(&header, damaged.data(), sizeof header);
    for (std::size_t i = 8 + header; i + sizeof value <= damaged.size(); i += sizeof value)
      std::memcpy(damaged.data() + i, &value, sizeof value);
    return damaged;
  };
  for (const float value : {std::numeric_limits<float>::quiet_NaN(), 1e30F}) {
    write("v/model.safetensors", floats_of(value));
    const Ran ran = run("generate v --text abc");
    EXPECT_EQ(ran.code, 4) << ran.err;
    const char* reason = std::isfinite(value) ? "[voice] the model gives" : "is nan at place 0";
    EXPECT_NE(ran.err.find(reason), std::string::npos) << ran.err;
  }
}

}  // namespace
}  // namespace thalweg::testing
