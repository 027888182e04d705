// The reader of a detector's data: real images, and as many that a run generates; which ones, and what is refused.

#include <gtest/gtest.h>

#include <algorithm>

#include "data/pictures.hpp"
#include "run/source.hpp"
#include "temporary_folder.hpp"
#include "untrained.hpp"

namespace thalweg {
namespace {

class RealOrMade : public testing::TemporaryFolderTest {
 protected:
  void SetUp() override {
    write_images("train.idx", 12, 1);
    write_images("test.idx", 12, 2);
    testing::write_untrained(path("vae.safetensors"), "vae", small, {4, 4, 1});
    testing::write_untrained(path("other.safetensors"), "vae", {{"width", 3}, {"hidden", OptionList{{4}}}}, {4, 4, 1});
  }

  const OptionMap small = {{"width", 2}, {"hidden", OptionList{{4}}}};

  /// Writes random images of 4 x 4 bytes.
  void write_images(const std::string& name, int rows, std::uint64_t seed) const {
    std::string text("\0\0\x08\x03\0\0\0", 7);
    text += static_cast<char>(rows);
    text += std::string("\0\0\0\4\0\0\0\4", 8);
    const Tensor noise = random_normal({rows * 16}, 128, 40, seed);
    for (std::int64_t i = 0; i < noise.size(); ++i) text += static_cast<char>(std::clamp(noise.at(i), 0., 255.));
    write(name, text);
  }
  [[nodiscard]] OptionValue place(const std::string& images, const OptionValue& made) const {
    return OptionMap{{"images", path(images).string()}, {"made", made}};
  }
  [[nodiscard]] OptionValue file(const std::string& name) const { return path(name).string(); }
  [[nodiscard]] DataOptions options(const OptionValue& train, std::int64_t count = 0) const {
    return {.format = "real_or_made",
            .train = train,
            .test = place("test.idx", file("vae.safetensors")),
            .validation = {0.0},
            .own = {{"count", count}, {"augment", OptionMap{}}}};
  }
  [[nodiscard]] static Tensor pixels(const Dataset& rows, std::int64_t begin, std::int64_t end) {
    return rows["input"].rows(begin, end);
  }
  /// Expects that reading fails with an error that contains these words.
  static void expect_refused(const DataOptions& options, const std::string& words) {
    try {
      (void)DataSource(options).parts(1);
      ADD_FAILURE() << "nothing was thrown: " << words;
    } catch (const UsageError& error) {
      EXPECT_NE(std::string(error.what()).find(words), std::string::npos) << error.what();
    }
  }
};

TEST_F(RealOrMade, TheContentOfTheRealImagesIsTheSeedOfTheGeneratedOnes) {
  const Parts parts = DataSource(options(place("train.idx", file("vae.safetensors")))).parts(1);
  const Tensor real = data::idx(path("train.idx")).reshape({12, 4, 4, 1});
  ASSERT_EQ(parts.train.rows(), 24);
  EXPECT_EQ(parts.preprocessing.classes(), (std::vector<std::string>{"real", "made"}));
  EXPECT_TRUE(identical(pixels(parts.train, 0, 12), real));
  const TrainedSystem vae = load_system(path("vae.safetensors"), registry());
  const std::uint64_t seed = content_of(std::span(real.raw(), real.bytes()));
  const Generated made = vae.system.generate(vae.state, {.count = 12, .seed = seed});
  for (std::int64_t i = 0; i < 12; ++i) {
    EXPECT_EQ(parts.train["target"].at(i), 0);
    EXPECT_EQ(parts.train["target"].at(12 + i), 1);
    const Tensor picture = data::read_png(made.items[static_cast<std::size_t>(i)].bytes).reshape({1, 4, 4, 1});
    EXPECT_TRUE(identical(pixels(parts.train, 12 + i, 13 + i), picture)) << i;
  }
  ASSERT_TRUE(parts.test);
  EXPECT_FALSE(identical(pixels(*parts.test, 12, 24), pixels(parts.train, 12, 24)));
}

TEST_F(RealOrMade, RealImagesAreSpreadOverTheFileAndSeveralRunsGenerateAPartEach) {
  const OptionValue both = OptionList{file("vae.safetensors"), file("other.safetensors")};
  const auto rows = [&](const OptionValue& made) { return DataSource(options(place("train.idx", made), 4)).parts(1); };
  const Dataset shared = rows(both).train, first = rows(file("vae.safetensors")).train,
                second = rows(file("other.safetensors")).train;
  ASSERT_EQ(shared.rows(), 8);
  const Tensor real = data::idx(path("train.idx")).reshape({12, 4, 4, 1});
  for (const std::int64_t i : {0, 1, 2, 3})
    EXPECT_TRUE(identical(pixels(shared, i, i + 1), real.rows(3 * i, 3 * i + 1)));
  EXPECT_TRUE(identical(pixels(shared, 4, 6), pixels(first, 4, 6)));
  EXPECT_TRUE(identical(pixels(shared, 6, 8), pixels(second, 4, 6)));
}

TEST_F(RealOrMade, RealImagesMayBePicturesInFolders) {
  const Tensor real = data::idx(path("train.idx")).reshape({12, 4, 4, 1});
  std::filesystem::create_directories(path("pictures/some"));
  for (std::int64_t i = 0; i < 12; ++i) {
    const std::vector<std::byte> png = data::png_of(real.rows(i, i + 1).reshape({4, 4, 1}));
    write(fmt::format("pictures/some/{:02}.png", i), {reinterpret_cast<const char*>(png.data()), png.size()});
  }
  const auto rows = [&](const std::string& images) {
    return DataSource(options(place(images, file("vae.safetensors")))).parts(1).train["input"];
  };
  EXPECT_TRUE(identical(rows("pictures"), rows("train.idx")));
}

TEST_F(RealOrMade, AnotherRunIsComparedWithTheRealImagesOfTheTestData) {
  const DataOptions own = options(place("train.idx", file("vae.safetensors")));
  const Parts parts = DataSource(own).parts(1);
  std::vector<std::string> warnings;
  const Dataset rows = encode_place(parts.preprocessing, file("other.safetensors"), own, warnings);
  EXPECT_TRUE(identical(pixels(rows, 0, 12), pixels(*parts.test, 0, 12)));
  EXPECT_FALSE(identical(pixels(rows, 12, 24), pixels(*parts.test, 12, 24)));
  DataOptions without = own;
  without.test = {""};
  EXPECT_THROW((void)encode_place(parts.preprocessing, file("other.safetensors"), without, warnings), UsageError);
}

TEST_F(RealOrMade, RunsThatDoNotGenerateSuchImagesAreRefusedByName) {
  const auto refuse = [&](const std::string& run, const std::string& words) {
    expect_refused(options(place("train.idx", file(run))), words);
  };
  testing::write_untrained(path("large.safetensors"), "vae", small, {6, 4, 1});
  testing::write_untrained(path("coloured.safetensors"), "vae", small, {4, 4, 3});
  refuse("large.safetensors", "large.safetensors\": images of (6, 4, 1), but the real images are (4, 4, 1)");
  refuse("coloured.safetensors", "images of (4, 4, 3)");
  refuse("nowhere", "nowhere\": there is no such folder");
  std::filesystem::create_directories(path("empty"));
  refuse("empty", "empty is not a run folder");
  expect_refused(options(place("train.idx", OptionList{})), "Wanted: { images");
  expect_refused(options(place("test.idx", file("vae.safetensors"))), "the real images are the training images");
}

}  // namespace
}  // namespace thalweg
