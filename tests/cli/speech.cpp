// A speech recogniser in the command: trained on sounds with texts, measured, used to transcribe; bad input is refused
// with the file and the place in it.

#include <cmath>
#include <numbers>

#include "command.hpp"
#include "data/sound.hpp"
#include "thalweg/edit_distance.hpp"
#include "thalweg/medium.hpp"

namespace thalweg::testing {
namespace {

class Speech : public CommandTest {
 protected:
  void SetUp() override {
    CommandTest::SetUp();
    if (!data::reads_sounds()) GTEST_SKIP() << "built without libsndfile";
  }

  /// The sound of a text: each letter is a tone of a fifth of a second, followed by a pause.
  static std::string sound_of(const std::string& letters, double tuning) {
    constexpr std::int64_t tone = 1600, pause = 400;
    Tensor samples({std::ssize(letters) * (tone + pause)});
    for (std::size_t i = 0; i < letters.size(); ++i) {
      const double frequency = tuning * 400 * (1 + letters[i] - 'a');
      for (std::int64_t n = 0; n < tone; ++n)
        samples.set(static_cast<std::int64_t>(i) * (tone + pause) + n,
                    0.5 * std::sin(2 * std::numbers::pi * frequency * static_cast<double>(n) / 8000));
    }
    for (std::int64_t n = 0; n < samples.size(); ++n)  // some noise, so that silence is not exactly 0
      samples.set(n, samples.at(n) + 0.01 * std::sin(static_cast<double>(n * n % 7919)));
    return Medium::sound(samples, 8000).bytes;
  }

  /// Writes a table of sounds of two to four letters by two "voices".
  void write_sounds(const std::string& name, int rows, unsigned state) const {
    std::string table = "file,text,speaker\n";
    const auto draw = [&](unsigned below) { return ((state = state * 1664525U + 1013904223U) >> 16) % below; };
    for (int row = 0; row < rows; ++row) {
      std::string letters;
      for (unsigned i = 2 + draw(3); i > 0; --i) letters += static_cast<char>('a' + draw(4));
      const std::string file = name + std::to_string(row) + ".wav";
      write(file, sound_of(letters, row % 2 == 0 ? 1 : 1.05));
      table += file + "," + letters + "," + (row % 2 == 0 ? "low" : "high") + "\n";
    }
    write(name + ".csv", table);
  }

  void write_files() const {
    write_sounds("train", 96, 1);
    write_sounds("test", 30, 2);
    write("s.toml",
          "[data]\nformat = \"speech\"\ntrain = \"train.csv\"\ntest = \"test.csv\"\nvalidation = 0.1\nbands = 20\n"
          "[system]\nkind = \"speech_recogniser\"\nfilters = 24\nunits = 24\nlayers = 1\ndropout = 0\n"
          "[optimizer]\nkind = \"adam\"\nlr = 0.01\n[train]\nepochs = 12\nbatch_size = 8\n");
  }
  [[nodiscard]] std::string model(const std::string& folder) const {
    return read_text(path(folder + "/model.safetensors"));
  }
  /// Runs `thalweg train` on a table with this row added.
  [[nodiscard]] Ran refused(const std::string& row) const {
    write("bad.csv", read_text(path("train.csv")) + row + "\n");
    return run("train s.toml --quiet --set data.train=bad.csv");
  }
};

TEST_F(Speech, IsTrainedMeasuredAndTranscribes) {
  write_files();
  const Ran trained = run("train s.toml --quiet --out r --threads 1");
  ASSERT_EQ(trained.code, 0) << trained.err;
  const Ran measured = run("evaluate r --json");
  ASSERT_EQ(measured.code, 0) << measured.err;
  const nlohmann::json figures = measured.json();
  EXPECT_EQ(figures.at("rows"), 30);
  EXPECT_LT(figures.at("character error rate").get<double>(), 0.05) << measured.out;
  EXPECT_LT(figures.at("word error rate").get<double>(), 0.2);
  EXPECT_GT(figures.at("baselines").at("a training text unheard").at("character error rate").get<double>(), 0.5);
  EXPECT_TRUE(figures.contains("character error rate of low"));
  EXPECT_TRUE(figures.contains("character error rate of high"));
  EXPECT_EQ(figures.at("shown").size(), 2U);
  EXPECT_NE(read_text(path("r/report.html")).find("said and heard"), std::string::npos);

  write("abc.wav", sound_of("abc", 1));
  write("da.wav", sound_of("da", 1.05));
  EXPECT_EQ(run("transcribe r abc.wav").out, "abc\n");
  EXPECT_EQ(run("transcribe r abc.wav da.wav --beam 8").out, "abc.wav\tabc\nda.wav\tda\n");
  EXPECT_EQ(run("transcribe r da.wav --json").json().at("text"), "da");
}

TEST_F(Speech, TheRunRecordsItsSounds) {
  write_files();
  ASSERT_EQ(run("train s.toml --quiet --out r --set train.epochs=1").code, 0);
  const std::string before = read_text(path("test3.wav"));
  std::string other = before;
  other.back() = static_cast<char>(other.back() ^ 1);
  write("test3.wav", other);
  const Ran changed = run("evaluate r");
  EXPECT_EQ(changed.code, 3);
  EXPECT_NE(changed.err.find("test.csv has other content"), std::string::npos) << changed.err;
  std::filesystem::remove(path("test3.wav"));
  const Ran gone = run("evaluate r");
  EXPECT_EQ(gone.code, 3);
  EXPECT_NE(gone.err.find("in 29 files, and had 30"), std::string::npos) << gone.err;
  write("test3.wav", before);
  EXPECT_EQ(run("evaluate r").code, 0);
}

TEST_F(Speech, PaddingDoesNotChangeATranscription) {
  write_files();
  ASSERT_EQ(run("train s.toml --quiet --out r --set train.epochs=3").code, 0);  // so few that some errors remain
  std::string files;
  std::vector<std::string> said;
  std::istringstream table(read_text(path("test.csv")));
  std::string line;
  std::getline(table, line);
  while (std::getline(table, line)) {
    const std::string file = line.substr(0, line.find(',')), rest = line.substr(file.size() + 1);
    files += " " + file;
    said.push_back(rest.substr(0, rest.find(',')));
  }
  Edits alone;
  std::istringstream lines(run("transcribe r" + files).out);
  for (const std::string& text : said) {
    std::getline(lines, line);
    alone += character_edits(line.substr(line.find('\t') + 1), text);
  }
  const double together = run("evaluate r --json").json().at("character error rate");
  EXPECT_DOUBLE_EQ(alone.rate(), together);
  EXPECT_GT(alone.errors(), 0);
}

TEST_F(Speech, HasTheSameBitsForAnyThreadsAndAfterAResume) {
  write_files();
  const std::string few = " --set train.epochs=2 --set system.dropout=0.2";
  ASSERT_EQ(run("train s.toml --quiet --out one --threads 1" + few).code, 0);
  ASSERT_EQ(run("train s.toml --quiet --out two --threads 2" + few).code, 0);
  EXPECT_EQ(model("one"), model("two"));
  ASSERT_EQ(run("train s.toml --quiet --out parts --threads 2 --stop-after 15" + few).code, 0);  // in the second epoch
  const Ran resumed = run("train parts --resume --quiet --threads 2");
  ASSERT_EQ(resumed.code, 0) << resumed.err;
  EXPECT_EQ(model("one"), model("parts"));
  EXPECT_EQ(read_text(path("one/media.jsonl")), read_text(path("parts/media.jsonl")));
}

TEST_F(Speech, AFolderWithATextFilePerSoundWorksLikeATable) {
  write_files();
  std::istringstream table(read_text(path("test.csv")));
  std::string line;
  std::getline(table, line);
  while (std::getline(table, line)) {
    const std::string file = line.substr(0, line.find(',')), rest = line.substr(file.size() + 1),
                      text = rest.substr(0, rest.find(',')), speaker = rest.substr(text.size() + 1);
    std::filesystem::create_directories(path("folder/" + speaker));
    write("folder/" + speaker + "/" + file, read_text(path(file)));
    write("folder/" + speaker + "/" + file.substr(0, file.size() - 4) + ".txt", text + "\n");
  }
  ASSERT_EQ(run("train s.toml --quiet --out r --set train.epochs=3").code, 0);
  const Ran folder = run("evaluate r --data folder --json");
  ASSERT_EQ(folder.code, 0) << folder.err;
  const nlohmann::json a = run("evaluate r --json").json(), b = folder.json();
  for (const char* name : {"rows", "character error rate", "character error rate of low"})
    EXPECT_EQ(a.at(name), b.at(name));
}

/// Training refuses the sizes that loading a model would refuse.
TEST_F(Speech, InvalidWindowsAreRefused) {
  write_files();
  const Ran ran = run("train s.toml --quiet --set data.window=0.8 --set data.hop=0.1 --out w");
  EXPECT_EQ(ran.code, 2) << ran.err;
  EXPECT_NE(ran.err.find("a smaller window"), std::string::npos) << ran.err;
}

TEST_F(Speech, EqualAdjacentLettersNeedAnExtraStep) {
  write_files();
  Tensor samples({800});  // a tenth of a second: about three steps
  for (std::int64_t i = 0; i < samples.size(); ++i) samples.set(i, 0.1 * std::sin(0.3 * static_cast<double>(i)));
  write("short.wav", Medium::sound(samples, 8000).bytes);
  EXPECT_EQ(refused("short.wav,aaa,low").code, 3);
  EXPECT_EQ(refused("short.wav,aaa,low").err.find("3 letters needs 5 steps") == std::string::npos, false);
  EXPECT_EQ(refused("short.wav,abc,low").code, 0);
}

TEST_F(Speech, RefusesBadInputWithFileAndPlace) {
  write_files();
  const auto expect = [&](const std::string& row, const std::string& message) {
    const Ran ran = refused(row);
    EXPECT_EQ(ran.code, 3) << ran.err;
    EXPECT_NE(ran.err.find("bad.csv, line 98"), std::string::npos) << ran.err;
    EXPECT_NE(ran.err.find(message), std::string::npos) << ran.err;
    EXPECT_EQ(std::ranges::count(ran.err, '\n'), 1) << ran.err;
  };
  write("empty.wav", "");
  expect("empty.wav,ab,low", "empty.wav is empty");
  write("cut.wav", sound_of("ab", 1).substr(0, 900));
  expect("cut.wav,ab,low", "cut.wav is cut short");
  write("text.wav", "no sound at all");
  expect("text.wav,ab,low", "no WAV, FLAC or Ogg file");
  expect("none.wav,ab,low", "none.wav");
  write("ab.wav", sound_of("ab", 1));
  expect("ab.wav,abababababababababababab,low", "a text of 24 letters needs 24 steps");

  const Ran letter = run("train s.toml --quiet --set data.alphabet=abc");
  EXPECT_EQ(letter.code, 3);
  EXPECT_NE(letter.err.find("'d' is none of the 3 letters"), std::string::npos) << letter.err;
  EXPECT_NE(letter.err.find("train.csv, line "), std::string::npos) << letter.err;

  const Ran column = run("train s.toml --quiet --set data.text=said");
  EXPECT_EQ(column.code, 3);
  EXPECT_NE(column.err.find("no column 'said'"), std::string::npos) << column.err;
}

TEST_F(Speech, NeedsDataOfSounds) {
  write_files();
  EXPECT_NE(run("list systems").out.find("speech_recogniser"), std::string::npos);
  write_table("t.csv");
  write("t.toml", "[data]\ntrain = \"t.csv\"\ntarget = \"y\"\n[system]\nkind = \"speech_recogniser\"\n");
  const Ran table = run("train t.toml --quiet");
  EXPECT_EQ(table.code, 2);
  EXPECT_NE(table.err.find("format = \"speech\""), std::string::npos) << table.err;
  const Ran images = run("train s.toml --quiet --set system.kind=vae");
  EXPECT_EQ(images.code, 2) << images.err;
  ASSERT_EQ(run("train s.toml --quiet --out r --set train.epochs=1").code, 0);
  EXPECT_EQ(run("transcribe r none.wav").code, 2);
  EXPECT_EQ(run("generate r").code, 2);
  ASSERT_EQ(run("train t.csv --target y --quiet --out t --epochs 1").code, 0);
  EXPECT_NE(run("transcribe t x.wav").code, 0);
}

}  // namespace
}  // namespace thalweg::testing
