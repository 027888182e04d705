// Folders from elsewhere and places that are no plain files: nothing is written through a planted link, and nothing
// waits for a pipe or reads a device without end.

#include <sys/stat.h>

#include <filesystem>
#include <utility>

#include "command.hpp"

namespace thalweg::testing {
namespace {

namespace fs = std::filesystem;

class Planted : public CommandTest {
 protected:
  void train() const {
    write_table("t.csv");
    ASSERT_EQ(run("train t.csv --target y --epochs 2 -q --out r").code, 0);
  }
  /// Puts a pipe that nobody writes to, or a file without an end, in the place of a file.
  static void plant(const fs::path& place, bool is_endless) {
    fs::remove(place);
    if (is_endless) return fs::create_symlink("/dev/zero", place);
    ASSERT_EQ(::mkfifo(place.c_str(), 0600), 0);
  }
};

TEST_F(Planted, AReportIsNotWrittenThroughLinks) {
  train();
  write("victim", "precious");
  for (const char* name : {"r/report.html", "r/report.html.tmp"}) {
    fs::remove(path(name));
    fs::create_symlink(path("victim"), path(name));
    EXPECT_EQ(run("report r -q").code, 0);
    EXPECT_EQ(read("victim"), "precious") << name;
  }
  EXPECT_TRUE(fs::is_regular_file(fs::symlink_status(path("r/report.html"))));
  // the temporary name has the number of the process, which may be guessed
  fs::remove(path("r/report.html.tmp"));
  const Ran guessed = shell("ln -s ../victim r/report.html.$$.tmp && exec " + command() + " report r -q");
  EXPECT_EQ(guessed.code, 0) << guessed.err;
  EXPECT_EQ(read("victim"), "precious");
  for (const auto& entry : fs::directory_iterator(path("r"))) EXPECT_NE(entry.path().extension(), ".tmp") << entry;
}

/// A report reads two of them and writes the third anew.
TEST_F(Planted, LogsThatAreNoPlainFilesAreRefusedOrNotRead) {
  train();
  const std::pair<const char*, int> logs[] = {{"metrics.jsonl", 2}, {"media.jsonl", 0}, {"outcome.json", 0}};
  for (const auto& [name, code] : logs) {
    for (const bool is_endless : {false, true}) {
      fs::remove_all(path("s"));
      fs::copy(path("r"), path("s"), fs::copy_options::recursive);
      plant(path("s") / name, is_endless);
      const Ran ran = shell("timeout 20 " + command() + " report s -q");
      EXPECT_EQ(ran.code, code) << name << is_endless << ran.err;
      EXPECT_EQ(ran.err.find("is not a plain file") != std::string::npos, code != 0) << name << ran.err;
    }
  }
  EXPECT_TRUE(fs::is_regular_file(fs::symlink_status(path("s/outcome.json"))));
}

/// A run of variants that goes on reads the outcomes of those that have finished.
TEST_F(Planted, AnOutcomeThatIsNoPlainFileIsNotRead) {
  write_table("t.csv");
  write("v.toml",
        "[data]\ntrain = \"t.csv\"\ntarget = \"y\"\n[[variants]]\nname = \"short\"\ntrain = { epochs = 1 }\n"
        "[[variants]]\nname = \"long\"\ntrain = { epochs = 9 }\n");
  for (const bool is_endless : {false, true}) {
    ASSERT_EQ(run("train v.toml -q --stop-after 12 --out v").code, 0);
    ASSERT_TRUE(fs::exists(path("v/short/outcome.json")) && !fs::exists(path("v/long/outcome.json")));
    plant(path("v/short/outcome.json"), is_endless);
    const Ran ran = shell("timeout 20 " + command() + " train v --resume -q");
    EXPECT_EQ(ran.code, 0) << is_endless << ran.err;
    EXPECT_TRUE(fs::exists(path("v/report.html")));
    fs::remove_all(path("v"));
  }
}

TEST_F(Planted, ADrawingGoesWhereItsNameLeads) {
  write("drawing.svg", "old");
  write("drawing.svg.tmp", "mine");
  fs::create_symlink("drawing.svg", path("p.svg"));
  ASSERT_EQ(run("minimize 'x^2 + y^2' --svg p.svg -q").code, 0);
  EXPECT_TRUE(fs::is_symlink(fs::symlink_status(path("p.svg"))));
  EXPECT_NE(read("drawing.svg").find("<svg"), std::string::npos);
  EXPECT_EQ(read("drawing.svg.tmp"), "mine");
  ASSERT_EQ(::mkfifo(path("pipe.svg").c_str(), 0600), 0);
  const Ran piped = shell("timeout 20 cat pipe.svg > copy.svg & " + command() +
                          " minimize 'x^2 + y^2' --svg pipe.svg -q; code=$?; wait; exit $code");
  EXPECT_EQ(piped.code, 0) << piped.err;
  EXPECT_EQ(read("copy.svg"), read("drawing.svg"));
  EXPECT_TRUE(fs::is_fifo(fs::status(path("pipe.svg"))));
}

TEST_F(Planted, NamesOfFilesReachTheTerminalWithoutControls) {
  train();
  fs::copy(path("t.csv"), path("\x1b[31mred.csv"));
  const Ran ran = shell(command() + " evaluate r --data '\x1b[31mred.csv'");
  ASSERT_EQ(ran.code, 0) << ran.err;
  EXPECT_EQ((ran.out + ran.err).find('\x1b'), std::string::npos) << ran.out;
  EXPECT_NE(ran.out.find("\\x1b[31mred.csv"), std::string::npos) << ran.out;
  const Ran swept = shell(command() + " lr '\x1b[31mred.csv' --target y --trials 0 --steps 20");
  EXPECT_EQ((swept.out + swept.err).find('\x1b'), std::string::npos) << swept.out;
  EXPECT_NE(swept.out.find("\\x1b[31mred"), std::string::npos) << swept.out;
}

}  // namespace
}  // namespace thalweg::testing
