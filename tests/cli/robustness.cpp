// Unusual names, long values, and a machine with tight limits: each case ends with the right exit code, or in a
// sensible run.

#include "command.hpp"
#include "sanitized.hpp"

namespace thalweg::testing {
namespace {

class Robustness : public CommandTest {
 protected:
  /// Expects no control characters except line ends, and no line longer than a few thousand bytes.
  static void expect_plain(const std::string& text) {
    std::size_t line = 0;
    for (const char c : text) {
      line = c == '\n' ? 0 : line + 1;
      EXPECT_TRUE(c == '\n' || (static_cast<unsigned char>(c) >= 0x20 && c != 0x7f)) << static_cast<int>(c);
      ASSERT_LT(line, 4000U) << text.substr(0, 300);
    }
  }
  /// The rest of the line that begins with `word`.
  [[nodiscard]] static std::string line_of(const Ran& ran, const std::string& word) {
    const auto begin = ran.out.find("\n" + word + " ");
    if (begin == std::string::npos) return {};
    const auto text = ran.out.find_first_not_of(' ', begin + 1 + word.size());
    return ran.out.substr(text, ran.out.find('\n', text) - text);
  }
  const std::string short_train_ = " --target y --epochs 2 --model linear ";
};

TEST_F(Robustness, ControlCharactersInNamesArePrintedEscaped) {
  std::string table = "\"a\x1b[31m\",\"<b>'\"\"\",y\n";
  for (int i = 0; i < 40; ++i)
    table += std::to_string(i) + "," + std::to_string(i * 7 % 5) + (i % 2 ? ",\"n\x1b]0;x\x07\"\n" : ",<script>\n");
  write("t.csv", table);
  const Ran ran = run("train t.csv" + short_train_ + "--out r");
  EXPECT_EQ(ran.code, 0) << ran.err;
  expect_plain(ran.out + ran.err);
  const std::string report = read("r/report.html");
  EXPECT_EQ(report.find('\x1b'), std::string::npos);
  EXPECT_EQ(report.find("<script>,"), std::string::npos);
  EXPECT_EQ(run("inspect r").code, 0);
  expect_plain(run("inspect r").out);
  EXPECT_EQ(run("predict r --data t.csv").code, 0);
  const Ran wrong = run("train t.csv --target no");
  EXPECT_EQ(wrong.code, 2);
  expect_plain(wrong.err);
}

TEST_F(Robustness, AMessageIsNotCutAtANul) {
  write_table("t.csv");
  write("c.toml", "[data]\ntrain = \"t.csv\"\ntarget = \"a\\u0000b\"\n");
  const Ran ran = run("train c.toml");
  EXPECT_GE(ran.code, 2);
  EXPECT_NE(ran.err.find("a\\x00b'"), std::string::npos) << ran.err;
  EXPECT_NE(ran.err.find("t.csv has none. Hint: "), std::string::npos) << ran.err;
  expect_plain(ran.err);
}

TEST_F(Robustness, SuggestedCommandsCanBePasted) {
  write_table("new.csv");
  for (const std::string name : {"two words", "it's; touch gone", "-rf", "$HOME", "tab\there", "bad\xff"}) {
    write("out", name);
    const Ran ran = shell("o=\"$(cat out)\"; " + command() + " train new.csv" + short_train_ + "--out=\"$o\"");
    ASSERT_EQ(ran.code, 0) << ran.err;
    expect_plain(ran.out + ran.err);
    std::string next = line_of(ran, "next");
    ASSERT_TRUE(next.starts_with("thalweg predict ")) << ran.out;
    write("next.sh", command() + next.substr(std::string("thalweg").size()) + "\n");
    const Ran pasted = shell("bash next.sh");
    EXPECT_EQ(pasted.code, 0) << next << pasted.err;
    EXPECT_FALSE(std::filesystem::exists(path("gone")));
  }
}

TEST_F(Robustness, NoMessageEchoesMoreThanALine) {
  write_table("t.csv");
  const std::string lengthy(100'000, 'x');
  for (const std::string& arguments :
       {"train t.csv --target " + lengthy, "train " + lengthy + ".csv --target y",
        "train t.csv --target y --set " + lengthy + "=1", "train t.csv --target y --set optimizer.lr=" + lengthy,
        "train t.csv --target y --optimizer " + lengthy, lengthy, "minimize " + lengthy, "train t.csv --" + lengthy}) {
    const Ran ran = run(arguments);
    EXPECT_GE(ran.code, 2) << arguments.substr(0, 60);
    EXPECT_LE(ran.code, 6) << arguments.substr(0, 60);
    EXPECT_LT(ran.err.size(), 4000U) << arguments.substr(0, 60);
  }
}

TEST_F(Robustness, AClosedOutputStreamDoesNotDamageTheRun) {
  write_table("t.csv");
  const Ran ran = shell(command() + " train t.csv" + short_train_ + "--out r 2>&-");
  EXPECT_EQ(ran.code, 0);
  EXPECT_EQ(run("predict r --data t.csv").code, 0);
  EXPECT_EQ(shell(command() + " list ops >&-").code, 6);
  EXPECT_EQ(shell(command() + " train t.csv" + short_train_ + "--out q -q >&-").code, 6);
  EXPECT_EQ(run("predict q --data t.csv").code, 0) << "the model is written before the error";
}

TEST_F(Robustness, ARunIsNotWrittenIntoAFolderWithOtherFiles) {
  write_table("t.csv");
  for (const char* taken : {".", "./", "/", "//", "/.", "/.."}) {
    const Ran ran = run("train t.csv" + short_train_ + "--out=" + taken);
    EXPECT_EQ(ran.code, 2) << taken;
    EXPECT_NE(ran.err.find("is not empty"), std::string::npos) << taken << ran.err;
  }
  EXPECT_EQ(shell("mkdir e && cd e && " + command() + " train ../t.csv" + short_train_ + "--out .").code, 0);
  EXPECT_TRUE(std::filesystem::exists(path("e/model.safetensors")));
}

TEST_F(Robustness, SmallStacksAndManyThreadsWork) {
  write_table("t.csv");
  const std::string train = command() + " train t.csv --target y --epochs 2 -q --out ";
  EXPECT_EQ(shell("ulimit -s 128; " + train + "small").code, 0);
  EXPECT_EQ(shell("ulimit -s 128; " + command() + " predict small --data t.csv").code, 0);
  if (address_sanitizer || thread_sanitizer) return;  // they reserve more address space than the limit
  const int much = shell("ulimit -v 2000000; " + train + "much --threads 1000").code;
  EXPECT_TRUE(much == 0 || much == 7) << much;
}

TEST_F(Robustness, OtherSignalsEndARunCleanlyToo) {
  write_table("t.csv");
  for (const auto& [signal, code] : {std::pair("HUP", 129), std::pair("XFSZ", 153)}) {
    const std::string out = std::string("run-") + signal;
    const Ran ran = shell("timeout --preserve-status -s " + std::string(signal) + " 3 " + command() +
                          " train t.csv --target y --epochs 1000000 --set train.early_stopping=false --out " + out);
    EXPECT_EQ(ran.code, code) << ran.err;
    EXPECT_NE(ran.out.find("thalweg train " + out + " --resume"), std::string::npos) << ran.out;
    EXPECT_FALSE(std::filesystem::is_empty(path(out) / "checkpoints"));
  }
}

TEST_F(Robustness, AFileSizeLimitIsAnError) {
  write_table("t.csv");
  EXPECT_EQ(shell("ulimit -f 1; " + command() + " train t.csv --target y --epochs 50 -q --out r").code, 6);
}

TEST_F(Robustness, LargeNumbersAreValidLabels) {
  std::string table = "x,y\n";
  for (int i = 0; i < 200; ++i)
    table += std::to_string(i) + "," +
             (i % 40 == 0   ? "1000000"
              : i % 40 == 1 ? "2147483648"
                            : std::to_string(i % 8)) +
             "\n";
  write("t.csv", table);
  const Ran ran = run("train t.csv --target y --task multiclass --epochs 2 --out r");
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_NE(run("predict r --data t.csv").out.find("p(2147483648)"), std::string::npos);
}

TEST_F(Robustness, EmptyFilesAndNamesAreRefused) {
  write("empty.csv", "");
  write("empty.toml", "");
  write("t.csv", "a,,y\n1,2,3\n4,5,6\n");
  EXPECT_EQ(run("train empty.csv --target y").code, 3);
  EXPECT_EQ(run("train empty.toml").code, 2);
  EXPECT_EQ(run("train ''").code, 2);
  const Ran unnamed = run("train t.csv --target ''");
  EXPECT_GE(unnamed.code, 2);
  EXPECT_LE(unnamed.code, 3);
  EXPECT_EQ(run("predict ''").code, 2);
  EXPECT_GE(run("minimize ''").code, 2);
}

TEST_F(Robustness, NanIsRefusedInOptions) {
  write_table("t.csv");
  for (const char* arguments :
       {"train t.csv --target y --lr nan", "train t.csv --target y --set data.validation=nan",
        "train t.csv --target y --set train.epochs=nan", "train t.csv --target y --stop-after nan",
        "lr t.csv --target y --start nan", "lr t.csv --target y --end nan", "lr t.csv --target y --smoothing nan",
        "schedule cosine --lr nan", "minimize rosenbrock --lr nan", "minimize rosenbrock --x0 nan,1",
        "compare rosenbrock --rates nan", "compare rosenbrock --factor nan", "compare rosenbrock --spread nan"}) {
    EXPECT_EQ(run(arguments).code, 2) << arguments;
  }
}

}  // namespace
}  // namespace thalweg::testing
