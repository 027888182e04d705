// Folders from elsewhere and places that are no plain files: nothing is written through a planted link, and nothing
// waits for a pipe or reads a device without end.

#include <sys/stat.h>

#include <filesystem>

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
}

TEST_F(Planted, LogsThatAreNoPlainFilesAreRefusedOrEmpty) {
  train();
  for (const char* name : {"metrics.jsonl", "media.jsonl", "outcome.json"}) {
    const fs::path log = path("r") / name;
    fs::remove(log);
    ASSERT_EQ(::mkfifo(log.c_str(), 0600), 0);
    const Ran ran = shell("timeout 20 " + command() + " report r -q");
    EXPECT_TRUE(ran.code == 0 || ran.code == 2) << name << ran.code << ran.err;
    fs::remove(log);
    fs::create_symlink("/dev/zero", log);
    const Ran endless = shell("timeout 20 " + command() + " report r -q");
    EXPECT_TRUE(endless.code == 0 || endless.code == 2) << name << endless.code << endless.err;
    fs::remove(log);
    if (std::string(name) == "metrics.jsonl") write("r/metrics.jsonl", "");
  }
}

TEST_F(Planted, ADrawingGoesWhereItsNameLeads) {
  write("drawing.svg", "old");
  write("p.svg.tmp", "mine");
  fs::create_symlink("drawing.svg", path("p.svg"));
  ASSERT_EQ(run("minimize 'x^2 + y^2' --svg p.svg -q").code, 0);
  EXPECT_TRUE(fs::is_symlink(fs::symlink_status(path("p.svg"))));
  EXPECT_NE(read("drawing.svg").find("<svg"), std::string::npos);
  EXPECT_EQ(read("p.svg.tmp"), "mine");
  ASSERT_EQ(::mkfifo(path("pipe.svg").c_str(), 0600), 0);
  const Ran piped =
      shell("timeout 20 cat pipe.svg > copy.svg & " + command() + " minimize 'x^2 + y^2' --svg pipe.svg -q; wait");
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
  EXPECT_EQ(swept.out.find('\x1b'), std::string::npos) << swept.out;
}

}  // namespace
}  // namespace thalweg::testing
