// Text of models on a terminal and in a pipe.

#include "cli/text_output.hpp"

#include "command.hpp"

namespace thalweg::testing {
namespace {

TEST(TextOutput, LeavesBytesForAPipeAsTheyAre) {
  cli::TextOutput output(false);
  EXPECT_EQ(output.shown_for("a\x1b[31m\xff\r\n"), "a\x1b[31m\xff\r\n");
  EXPECT_EQ(output.shown_for("\xc3"), "\xc3");
}

TEST(TextOutput, ShowsControlCharactersOnATerminal) {
  cli::TextOutput output(true);
  EXPECT_EQ(output.shown_for("a\tb\n"), "a\tb\n");
  EXPECT_EQ(output.shown_for("\x1b[31m\r\x7f\xc2\x9b\xff"), "\\x1b[31m\\r\\x7f\\xc2\\x9b\\xff");
}

TEST(TextOutput, JoinsTheBytesOfACharacter) {
  cli::TextOutput output(true);
  EXPECT_EQ(output.shown_for("a\xe5\xa4"), "a");
  EXPECT_EQ(output.shown_for("\xa7"), "大");
  EXPECT_EQ(output.shown_for("\xc3"), "");
  EXPECT_EQ(output.shown_for("\n"), "\\xc3\n") << "no more bytes of it came";
}

class OnATerminal : public CommandTest {
 protected:
  /// Expects no control characters but tabs and the line ends of a terminal.
  static void expect_plain(const std::string& text) {
    for (std::size_t at = 0; at < text.size(); ++at) {
      const auto c = static_cast<unsigned char>(text[at]);
      const bool ends_line = c == '\n' || (c == '\r' && at + 1 < text.size() && text[at + 1] == '\n');
      EXPECT_TRUE(ends_line || c == '\t' || (c >= 0x20 && c != 0x7f)) << static_cast<int>(c) << " at " << at;
    }
  }
};

TEST_F(OnATerminal, GeneratedTextAndPredictionsAreShownEscaped) {
  if (shell("script -V").code != 0) GTEST_SKIP() << "there is no `script`, which makes a terminal";
  std::string text, table = "a,y\n";
  for (int i = 0; i < 200; ++i) text += "\x1b[31m\xff\a\b\x01";
  for (int i = 0; i < 40; ++i) table += std::to_string(i) + (i % 2 ? ",\"n\x1b]0;x\a\"\n" : ",m\n");
  write("text.txt", text);
  write("t.csv", table);
  write("text.toml",
        "[data]\nformat = \"text\"\ntrain = \"text.txt\"\nsequence_length = 16\n[model]\nkind = \"gpt\"\nlayers = 1\n"
        "width = 16\nheads = 2\ncontext = 16\n[train]\nepochs = 1\n");
  ASSERT_EQ(run("train text.toml -q").code, 0);
  ASSERT_EQ(run("train t.csv --target y --epochs 1 -q").code, 0);
  for (const std::string call : {" generate runs/text --tokens 100", " predict runs/t --data t.csv"}) {
    const Ran bytes = run(call);
    EXPECT_EQ(bytes.code, 0) << bytes.err;
    EXPECT_NE(bytes.out.find_first_of("\x1b\a"), std::string::npos) << "a pipe gets them";
    const Ran seen = shell("script -qec '" + command() + call + "' /dev/null </dev/null");
    EXPECT_EQ(seen.code, 0) << seen.out;
    EXPECT_NE(seen.out.find("\\x"), std::string::npos) << seen.out;
    expect_plain(seen.out);
  }
}

}  // namespace
}  // namespace thalweg::testing
