// The same checks for every row of the table of readers, on a small sample of its data.

#include "run/reader.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <set>

#include "data/pictures.hpp"
#include "data/sound.hpp"
#include "options/toml.hpp"
#include "run/config.hpp"
#include "run/source.hpp"
#include "temporary_folder.hpp"
#include "thalweg/medium.hpp"
#include "untrained.hpp"

namespace thalweg {
namespace {

constexpr int rows = 20;

class Readers : public testing::TemporaryFolderTest {
 protected:
  void SetUp() override {
    std::string pairs = "source,target\n", table = "a,b,y\n", images("\0\0\x08\x03\0\0\0\x14\0\0\0\x02\0\0\0\x02", 16),
                labels("\0\0\x08\x01\0\0\0\x14", 8), text, documents, sentences = "class,text\n";
    for (int i = 0; i < rows; ++i) {
      table += fmt::format("{},{},{}\n", i, i % 7, i % 2 ? "odd" : "even");
      pairs += fmt::format("{},{}\n", i, i % 2 ? "O D D" : "E V E N");
      for (int pixel = 0; pixel < 4; ++pixel) images += static_cast<char>(i * 10 + pixel);
      labels += static_cast<char>(i % 2);
      text += "eight by";  // as long as a window
      documents += fmt::format("{} by {}\n\n", i, i % 7);
      sentences += fmt::format("{},{} by {}\n", i % 2 ? "odd" : "even", i, i % 7);
      write_picture(i);
      write_sound(i);
    }
    write("t.csv", table);
    write("p.csv", pairs);
    write("i.idx", images);
    write("l.idx", labels);
    write("t.txt", text);
    write("d.txt", documents);
    write("s.csv", sentences);
    write_preferences();
    testing::write_untrained(path("v.safetensors"), "vae", {{"width", 2}, {"hidden", OptionList{{4}}}}, {2, 2, 1});
  }

  /// By the name of the row: what `[data]` has besides the format.
  const std::map<std::string_view, std::string> samples{
      {"csv", "train = \"t.csv\"\ntarget = \"y\"\n"},
      {"documents", "train = \"d.txt\"\nlength = 8\n"},
      {"idx", "train = { images = \"i.idx\", labels = \"l.idx\" }\n"},
      {"images", "train = \"pictures\"\n"},
      {"preferences", "train = \"f.csv\"\nsequence_length = 16\n"},
      {"real_or_made", "train = { images = \"i.idx\", made = \"v.safetensors\" }\ncount = 10\n"},
      {"sentences", "train = \"s.csv\"\nlength = 8\n"},
      {"sequences", "train = \"p.csv\"\n"},
      {"speech", "train = \"sounds\"\nbands = 8\n"},
      {"text", "train = \"t.txt\"\nsequence_length = 8\nstride = 8\n"},
  };
  /// All readers except the one of systems that make their own rows (tests/cli/playing.cpp).
  [[nodiscard]] static std::vector<ReaderRow> reading() {
    std::vector<ReaderRow> all = readers();
    std::erase_if(all, [](const ReaderRow& row) { return row.name == "none"; });
    return all;
  }
  /// The same without the reader of sounds if the library was built without libsndfile.
  [[nodiscard]] static std::vector<ReaderRow> able() {
    std::vector<ReaderRow> all = reading();
    if (!data::reads_sounds()) std::erase_if(all, [](const ReaderRow& row) { return row.name == "speech"; });
    return all;
  }
  static void expect_same(const Dataset& some, const Dataset& others) {
    EXPECT_EQ(some.names(), others.names());
    for (const std::string& name : some.names()) EXPECT_TRUE(identical(some[name], others[name])) << name;
  }
  [[nodiscard]] DataOptions options_of(const ReaderRow& row, const std::string& more = "") const {
    const std::string format = "[data]\nformat = \"" + std::string(row.name) + "\"\n";
    return read_data_options(parse_toml(format + samples.at(row.name) + more, "c.toml"), path());
  }

 private:
  void write_picture(int i) const {
    const std::string folder = i % 2 ? "pictures/odd" : "pictures/even";
    std::filesystem::create_directories(path(folder));
    Tensor picture({2, 2, 1}, u8);
    for (std::int64_t place = 0; place < 4; ++place) picture.set(place, static_cast<double>(i * 10 + place));
    const std::vector<std::byte> png = data::png_of(picture);
    write(folder + "/" + std::to_string(i) + ".png", {reinterpret_cast<const char*>(png.data()), png.size()});
  }
  void write_preferences() const {
    std::string pairs = "first,first_score,second,second_score\n";
    for (int i = 0; i < rows; ++i) pairs += fmt::format("good {},{},bad {},{}\n", i, i % 3, i, i % 3 - 1);
    write("f.csv", pairs);
  }
  void write_sound(int i) const {
    std::filesystem::create_directories(path("sounds"));
    const Tensor noise = random_normal({3000 + 100 * i}, 0, 0.1, static_cast<std::uint64_t>(i + 1));
    write("sounds/" + std::to_string(i) + ".wav", Medium::sound(noise, 8000).bytes);
    write("sounds/" + std::to_string(i) + ".txt", i % 2 ? "odd\n" : "even\n");
  }
};

TEST_F(Readers, EachReadsItsSampleAndHoldsOutTheRequestedFraction) {
  for (const ReaderRow& row : able()) {
    SCOPED_TRACE(row.name);
    const DataSource source(options_of(row, "validation = 0.25\n"));
    const Parts parts = source.parts(1);
    ASSERT_TRUE(parts.validation);
    EXPECT_TRUE(row.suits(parts.preprocessing));
    EXPECT_FALSE(source.notes().empty());
    // a window of text needs one more token than its length
    const std::int64_t lost = row.name == "text" ? 2 : 0;
    EXPECT_EQ(parts.train.rows() + parts.validation->rows(), rows - lost);
    EXPECT_EQ(parts.validation->rows(), rows / 4 - lost / 2);
  }
}

TEST_F(Readers, EachEncodesFilesInTheSameWayForATrainedModel) {
  for (const ReaderRow& row : able()) {
    SCOPED_TRACE(row.name);
    const DataOptions options = options_of(row, "validation = 0\n");
    const Parts parts = DataSource(options).parts(1);
    std::vector<std::string> warnings;
    const Dataset again = encode_place(parts.preprocessing, options.train, options, warnings);
    expect_same(again, parts.train);
    EXPECT_TRUE(warnings.empty());
  }
}

TEST_F(Readers, OfPicturesWarnAboutSkippedFiles) {
  write("pictures/odd/broken.gif", "GIF89a");
  const DataOptions options{.format = "images", .train = {path("pictures").string()}, .validation = {0.0}};
  const DataSource source(options);
  ASSERT_EQ(source.warnings().size(), 1u);
  EXPECT_NE(source.warnings()[0].find("1 file that is no PNG or JPEG, 'broken.gif' first"), std::string::npos);
  std::vector<std::string> warnings;
  (void)encode_place(source.parts(1).preprocessing, options.train, options, warnings);
  EXPECT_EQ(warnings, source.warnings());
}

TEST_F(Readers, EachFindsTheRowsItHeldOutByTheirContent) {
  for (const ReaderRow& row : able()) {
    SCOPED_TRACE(row.name);
    const DataOptions options = options_of(row, "validation = 0.25\n");
    const Parts parts = DataSource(options).parts(1);
    std::vector<std::string> warnings;
    const Dataset again = encode_held_out(parts.preprocessing, parts.held_out, options, warnings);
    expect_same(again, *parts.validation);
    std::vector<std::uint64_t> others = parts.held_out;
    others.push_back(12345);
    EXPECT_THROW((void)encode_held_out(parts.preprocessing, others, options, warnings), DataError);
    EXPECT_EQ(row.paths(options.train).size(), row.name == "idx" || row.name == "real_or_made" ? 2u : 1u);
  }
}

TEST_F(Readers, EachIsChosenByTheFormatOrByTheFile) {
  for (const ReaderRow& row : reading()) EXPECT_EQ(options_of(row).format, row.name);
  const auto format_of = [&](const std::string& section) {
    return read_data_options(parse_toml("[data]\n" + section), path()).format;
  };
  EXPECT_EQ(format_of(samples.at("csv")), "csv");
  EXPECT_EQ(format_of(samples.at("idx")), "idx");
}

TEST_F(Readers, EachAcceptsItsOwnKeysAndRefusesThoseOfOthers) {
  std::set<std::string> all;
  for (const ReaderRow& row : reading()) {
    for (const OptionDoc& option : row.options) all.insert(option.name);
  }
  for (const ReaderRow& row : reading()) {
    SCOPED_TRACE(row.name);
    const OptionMap own = options_of(row).own;
    EXPECT_EQ(own.size(), row.options.size());
    for (const OptionDoc& option : row.options) EXPECT_TRUE(own.contains(option.name)) << option.name;
    for (const std::string& key : all) {
      if (own.contains(key)) continue;
      EXPECT_THROW((void)options_of(row, key + " = 1\n"), OptionError) << key;
    }
  }
}

TEST_F(Readers, AFileOfAnotherFormIsRefusedWithTheFormWanted) {
  for (const ReaderRow& row : reading()) {
    SCOPED_TRACE(row.name);
    const bool table = row.takes(OptionValue{OptionMap{{"images", {"i"}}, {"labels", {"l"}}}});
    const std::string other = table ? "\"a path\"" : "{ images = \"i\", labels = \"l\" }";
    try {
      (void)options_of(row, "test = " + other + "\n");
      ADD_FAILURE() << "nothing was thrown";
    } catch (const OptionError& error) {
      EXPECT_EQ(error.key(), "test");
      EXPECT_NE(std::string(error.what()).find(row.place), std::string::npos) << error.what();
    }
  }
}

TEST_F(Readers, AModelReadsFilesOfEveryFormThatSuitsIt) {
  for (const ReaderRow& row : able()) {
    SCOPED_TRACE(row.name);
    const DataOptions options = options_of(row, "validation = 0\n");
    const Parts parts = DataSource(options).parts(1);
    EXPECT_EQ(options_for(parts.preprocessing, options.train, {})->format, row.name);
    for (const ReaderRow& other : reading()) {
      const DataOptions theirs = options_of(other, "validation = 0\n");
      const auto chosen = options_for(parts.preprocessing, theirs.train, options);
      EXPECT_TRUE(!chosen || reader_named(chosen->format).suits(parts.preprocessing));
    }
  }
}

}  // namespace
}  // namespace thalweg
