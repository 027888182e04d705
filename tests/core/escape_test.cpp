#include "core/escape.hpp"

#include <gtest/gtest.h>

#include <cstdio>

#include "core/nesting.hpp"
#include "core/utf8.hpp"

namespace thalweg {
namespace {

const std::string odd("a\x1b[31m\xff\n\t\0\xc2\x9b'\"\\<&", 17);  // an escape, a byte that is not UTF-8, a NUL, U+009B

TEST(Escape, ShownTextIsOneLineWithoutControlCharacters) {
  EXPECT_EQ(shown(odd), "a\\x1b[31m\\xff\\n\\t\\x00\\xc2\\x9b'\"\\<&");
  EXPECT_EQ(shown("Größe, 大きさ"), "Größe, 大きさ");
  EXPECT_EQ(shown(""), "");
}

TEST(Escape, ALongTextIsCutBetweenCharacters) {
  EXPECT_EQ(shown("aaaa", 4), "aaaa");
  EXPECT_EQ(shown("aaaaa", 4), "aaaa... (5 bytes)");
  EXPECT_EQ(shown("aaaä", 4), "aaa... (5 bytes)");
  EXPECT_EQ(shown("aaa\x1b", 4), "aaa... (4 bytes)");
  EXPECT_LT(shown(std::string(1'000'000, 'x')).size(), 230U);
}

TEST(Escape, StoredTextIsUtf8) {
  EXPECT_TRUE(is_utf8(as_utf8(odd)));
  EXPECT_EQ(as_utf8("\xff"
                    "é\n"),
            "\\xffé\n");
}

TEST(Utf8, TheBeginningOfACharacterIsFoundAtTheEnd) {
  EXPECT_EQ(utf8_begun("a\xc3"), 1U);
  EXPECT_EQ(utf8_begun("a\xf0\x9f\x98"), 3U);
  for (const char* whole : {"", "a", "é", "😀", "\xff", "\x80", "\x80\x80\x80\x80"})
    EXPECT_EQ(utf8_begun(whole), 0U) << whole;
}

TEST(Escape, TomlReadsBackTheSameText) {
  EXPECT_EQ(toml_quoted("a\"b\\c\nd\te"), R"("a\"b\\c\nd\te")");
  EXPECT_EQ(toml_quoted("\x1b\x7f\r\xc2\x9b"), R"("\u001B\u007F\u000D\u009B")");
  EXPECT_EQ(toml_quoted("\xff"), R"("\\xff")");
}

TEST(Escape, XmlHasNoMarkupAndNoControlCharacters) {
  EXPECT_EQ(escape_xml("<a href='x'>\"&\x1b\x00"), "&lt;a href=&#39;x&#39;&gt;&quot;&amp;\\x1b");
  EXPECT_EQ(escape_xml("two\nlines"), "two\nlines");
}

/// The word after a shell has interpreted it.
std::string echoed(const std::string& word) {
  std::string out;
  std::FILE* const pipe = ::popen(("bash -c \"$(cat <<'END'\nprintf %s " + word + "\nEND\n)\"").c_str(), "r");
  for (int c = std::fgetc(pipe); c != EOF; c = std::fgetc(pipe)) out += static_cast<char>(c);
  ::pclose(pipe);
  return out;
}

TEST(Escape, AShellReadsBackTheSameWord) {
  EXPECT_EQ(shell_quoted("runs/houses-2"), "runs/houses-2");
  EXPECT_EQ(shell_quoted("-rf"), "./-rf");
  for (const std::string word : {"two words", "it's", "$(touch x)", "a;b", "*", "", "\"", "back\\slash", "tab\there",
                                 "line\nbreak", "\x1b[31mred", "bad\xff", "it's\x01\\", "~", "#c", "Größe"}) {
    const std::string quoted = shell_quoted(word);
    EXPECT_EQ(quoted.find('\x1b'), std::string::npos);
    EXPECT_EQ(quoted.find('\n'), std::string::npos);
    EXPECT_EQ(echoed(quoted), word) << quoted;
  }
}

TEST(Nesting, IsCountedOutsideOfStrings) {
  EXPECT_TRUE(nests_within(R"({"a":["[[[[\"[[[[",{}]})", 3));
  EXPECT_FALSE(nests_within(R"({"a":["[[[[",{}]})", 2));
  EXPECT_FALSE(nests_within(std::string(100'000, '['), 64));
  EXPECT_TRUE(nests_within("[][][][][][]", 1));
  EXPECT_TRUE(nests_within("\"\\", 1));
}

}  // namespace
}  // namespace thalweg
