#include "options/toml.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "options/toml_depth.hpp"
#include "temporary_folder.hpp"
#include "thalweg/error.hpp"

namespace thalweg {
namespace {

std::string set(const std::string& text) {
  ConfigTree tree;
  tree.set_text("key", text);
  return tree.find("key")->str();
}

std::string repeated(const std::string& text, int count) {
  std::string all;
  for (int i = 0; i < count; ++i) all += text;
  return all;
}

TEST(Toml, NumbersOnTheCommandLineMayBeginOrEndWithAPoint) {
  EXPECT_EQ(set(".05"), "0.05");
  EXPECT_EQ(set("-.5e-3"), "-0.0005");
  EXPECT_EQ(set("3."), "3.0");
  EXPECT_EQ(set("[.9, .999]"), "[0.9, 0.999]");
  EXPECT_EQ(set("{ kind = \"sgd\", lr = .1 }"), "{ kind = \"sgd\", lr = 0.1 }");
}

TEST(Toml, TextOnTheCommandLineKeepsItsPoints) {
  for (const char* text : {"t.csv", "a.5", "v1.", "1.2.3", ".", "...", "\"x.5 .5\"x", ".5%", "0123"}) {
    EXPECT_EQ(set(text), OptionValue{std::string(text)}.str()) << text;
  }
  EXPECT_EQ(set("\".5\""), "\".5\"");
}

TEST(Toml, ControlCharactersOfATextReadBack) {
  std::string text = "\"\\";
  for (char c = 1; c < 0x20; ++c) text += c;
  text += '\x7f';
  const ConfigTree tree = parse_toml("a = " + OptionValue{text}.str());
  EXPECT_EQ(*tree.find("a")->get_if<std::string>(), text);
}

TEST(Toml, TheLimitOfNestingIsAboveThatOfRealConfigurations) {
  const auto depth = [](const std::string& text) { return too_deep_at(text).has_value(); };
  EXPECT_FALSE(depth(repeated("a.", 63) + "b = 1"));
  EXPECT_TRUE(depth(repeated("a.", 64) + "b = 1"));
  EXPECT_TRUE(depth("[" + repeated("a.", 64) + "b]"));
  EXPECT_TRUE(depth("[" + repeated("'a' . \"b\".", 32) + "b]"));
  EXPECT_FALSE(depth("x = " + repeated("[", 63) + repeated("]", 63)));
  EXPECT_TRUE(depth("x = " + repeated("[", 64) + repeated("]", 64)));
  EXPECT_TRUE(depth("x = " + repeated("{a.b.c.d = ", 16) + "1" + repeated("}", 16)));
  EXPECT_FALSE(depth(repeated("a = [0.5, 1.5, [2.5, 3.5]] # . . [[[[\n", 200)));
  EXPECT_FALSE(depth("a = \"" + repeated("[.", 200) + "\"\nb = '''\n" + repeated("{.\n", 200) + "'''\n"));
  EXPECT_EQ(too_deep_at("a = 1\n\nb = '''\n\n'''\n" + repeated("c.", 70) + "d = 1\n"), 6);
}

TEST(Toml, TooDeepNestingIsRefused) {
  for (const std::string& text : {repeated("a.", 25'000) + "b = 1", "[" + repeated("a.", 25'000) + "b]",
                                  "x = " + repeated("{a.a.a.a.a=", 10'000)}) {
    EXPECT_THROW((void)parse_toml(text, "deep.toml"), UsageError);
  }
  ConfigTree tree;
  EXPECT_THROW(tree.set_text(repeated("a.", 25'000) + "b", "1"), UsageError);
  EXPECT_THROW(tree.set_text("a", repeated("[", 25'000)), UsageError);
}

class TomlFile : public testing::TemporaryFolderTest {
 protected:
  void expect_refused(const std::string& name, const char* word) const {
    try {
      (void)read_toml(path(name));
      ADD_FAILURE() << name;
    } catch (const UsageError& error) {
      EXPECT_NE(std::string(error.what()).find(word), std::string::npos) << error.what();
    }
  }
};

TEST_F(TomlFile, FilesThatCannotBeConfigurationsAreRefusedBeforeReading) {
  write("empty.toml", "");
  write("blank.toml", " \n\n");
  ASSERT_EQ(::mkfifo(path("pipe.toml").c_str(), 0600), 0);
  expect_refused("empty.toml", "is empty");
  expect_refused("blank.toml", "is empty");
  expect_refused("pipe.toml", "not a plain file");
  expect_refused(".", "not a plain file");
  expect_refused("none.toml", "there is no file");
  EXPECT_THROW((void)read_toml("/dev/zero"), UsageError);
  write("one.toml", "seed = 3\n");
  EXPECT_EQ(read_toml(path("one.toml")).find("seed")->str(), "3");
}

}  // namespace
}  // namespace thalweg
