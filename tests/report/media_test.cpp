#include "report/media.hpp"

#include <gtest/gtest.h>

#include "data/pictures.hpp"
#include "temporary_folder.hpp"
#include "thalweg/error.hpp"

namespace thalweg {
namespace {

std::uint32_t number_at(const std::string& bytes, std::size_t at, int size) {
  std::uint32_t value = 0;
  for (int i = size - 1; i >= 0; --i)
    value = value << 8 | static_cast<unsigned char>(bytes[at + static_cast<std::size_t>(i)]);
  return value;
}

int count(const std::string& text, std::string_view part) {
  int found = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++found;
  return found;
}

TEST(Medium, PicturesAreCombinedInOnePng) {
  Tensor pictures({3, 2, 2, 1});
  for (std::int64_t i = 0; i < 12; ++i) pictures.set(i, static_cast<double>(i) / 5 - 0.2);  // also below 0 and above 1
  const testing::TemporaryFolder folder;
  const auto file = folder.write("p.png", Medium::pictures(pictures, 2).bytes);
  const Tensor sheet = data::read_picture(file);
  ASSERT_EQ(sheet.shape(), (Shape{4, 4, 1}));
  const std::vector<std::uint8_t> wanted = {0,   0,   153, 204,  //
                                            51,  102, 255, 255,  //
                                            255, 255, 0,   0,    //
                                            255, 255, 0,   0};
  EXPECT_TRUE(std::ranges::equal(sheet.values<std::uint8_t>(), wanted));
  EXPECT_THROW((void)Medium::pictures(Tensor({0, 2, 2, 1})), UsageError);
  EXPECT_THROW((void)Medium::pictures(Tensor({2, 2, 2, 2})), UsageError);
}

TEST(Medium, ASoundIsAWavOfSixteenBits) {
  const std::string wav = Medium::sound(Tensor::of({0.f, 1.f, -1.f, 2.f, 0.5f}), 8000).bytes;
  ASSERT_EQ(wav.size(), 44u + 10u);
  EXPECT_EQ(wav.substr(0, 4) + wav.substr(8, 8) + wav.substr(36, 4), "RIFFWAVEfmt data");
  EXPECT_EQ(number_at(wav, 4, 4), 36u + 10u);
  EXPECT_EQ(number_at(wav, 22, 2), 1u);     // channels
  EXPECT_EQ(number_at(wav, 24, 4), 8000u);  // samples per second
  EXPECT_EQ(number_at(wav, 28, 4), 16000u);
  EXPECT_EQ(number_at(wav, 34, 2), 16u);
  EXPECT_EQ(number_at(wav, 40, 4), 10u);
  const std::vector<int> wanted = {0, 32767, -32767, 32767, 16384};
  for (std::size_t i = 0; i < wanted.size(); ++i)
    EXPECT_EQ(static_cast<std::int16_t>(number_at(wav, 44 + 2 * i, 2)), wanted[i]) << i;
  EXPECT_THROW((void)Medium::sound(Tensor::of({0.f}), 0), UsageError);
}

TEST(Medium, ATableMustHaveTheSameNumberOfCellsInEveryRow) {
  EXPECT_EQ(Medium::table({"a", "b"}, {{"1", "2"}}).bytes, R"([["a","b"],["1","2"]])");
  EXPECT_THROW((void)Medium::table({"a", "b"}, {{"1"}}), UsageError);
}

TEST(Media, TheFirstTheLastAndEvenlySpacedOnesBetweenAreChosen) {
  EXPECT_EQ(evenly(1, 8), (std::vector<std::size_t>{0}));
  EXPECT_EQ(evenly(5, 8), (std::vector<std::size_t>{0, 1, 2, 3, 4}));
  EXPECT_EQ(evenly(9, 5), (std::vector<std::size_t>{0, 2, 4, 6, 8}));
  EXPECT_EQ(evenly(100, 4), (std::vector<std::size_t>{0, 33, 66, 99}));
  EXPECT_EQ(evenly(7, 1), (std::vector<std::size_t>{6}));
}

TEST(Media, ThePageHasEveryKindAndKeepsItsSizeLimit) {
  std::vector<MediaSeries> all = {{"sounds <of> it", {}}, {"texts", {}}, {"large", {}}, {"tables", {}}};
  for (int epoch = 1; epoch <= 20; ++epoch) {
    all[0].moments.push_back({epoch, 10 * epoch, Medium::sound(Tensor({2000}), 8000)});
    all[1].moments.push_back({epoch, 10 * epoch, Medium::text("a < b, epoch " + std::to_string(epoch))});
    all[2].moments.push_back({epoch, 10 * epoch, Medium::sound(Tensor({100'000}), 8000)});
    all[3].moments.push_back({epoch, 10 * epoch, Medium::table({"<i>", "b"}, {{"x", "&"}})});
  }
  constexpr std::size_t budget = 100'000;
  const std::string html = media_html(all, budget);
  EXPECT_LT(html.size(), budget);
  EXPECT_EQ(count(html, "<audio"), 4);  // each series may use a quarter of the limit, and a sound has 5.5 kB
  EXPECT_EQ(count(html, "a &lt; b, epoch "), 8);
  EXPECT_NE(html.find("epoch 1<"), std::string::npos);
  EXPECT_NE(html.find("epoch 20<"), std::string::npos);
  EXPECT_NE(html.find("too large for this page"), std::string::npos);
  EXPECT_NE(html.find("<th>&lt;i&gt;</th>"), std::string::npos);
  EXPECT_EQ(html.find("<of>"), std::string::npos);
}

}  // namespace
}  // namespace thalweg
