#include "run/media_log.hpp"

#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "temporary_folder.hpp"

namespace thalweg {
namespace {

TEST(MediaLog, ReturnsMediaByNameAndRemovesThoseAfterAResume) {
  const testing::TemporaryFolder folder;
  for (std::int64_t epoch : {1, 2, 3}) {
    MediaLog log(folder / "");  // each epoch is in a sitting of its own
    log.add(epoch, 10 * epoch,
            {{"said", Medium::text("at " + std::to_string(epoch))},
             {"drawn/../x", Medium::pictures(Tensor({1, 2, 2, 1}))}});
  }
  MediaLog log(folder / "");
  std::vector<MediaSeries> series = log.series();
  ASSERT_EQ(series.size(), 2u);
  EXPECT_EQ(series[0].name, "said");
  ASSERT_EQ(series[0].moments.size(), 3u);
  EXPECT_EQ(series[0].moments[2].medium.bytes, "at 3");
  EXPECT_EQ(series[1].moments[0].medium.kind, Medium::Kind::pictures);
  log.cut_after(20);
  EXPECT_EQ(log.series()[0].moments.size(), 2u);

  std::filesystem::remove(folder / "media/000000010-1.txt");
  folder.write("media.jsonl", testing::read_text(folder / "media.jsonl") + "{\"epoch\": 3, \"na");
  series = log.series();                    // a file is missing, and the last line is truncated
  EXPECT_EQ(series[0].name, "drawn/../x");  // the first series that still has a medium at its first moment
  EXPECT_EQ(series[0].moments.size(), 2u);
  EXPECT_EQ(series[1].moments.size(), 1u);
}

TEST(MediaLog, SkipsLinesWithNumbersThatAreNotWhole) {
  const testing::TemporaryFolder folder;
  MediaLog log(folder / "");
  log.add(1, 7, {{"first", Medium::text("one")}});
  std::string text;
  std::getline(std::ifstream(folder / "media.jsonl"), text);
  const auto line = nlohmann::json::parse(text);
  for (const char* key : {"epoch", "step"}) {
    for (const double value : {1.5, 1e111}) {
      nlohmann::json damaged = line;
      damaged[key] = value;
      std::ofstream(folder / "media.jsonl", std::ios::app) << damaged.dump() << "\n";
    }
  }
  ASSERT_EQ(log.series().size(), 1u);
  EXPECT_EQ(log.series()[0].moments.size(), 1u);
}

TEST(MediaLog, KeepsAllMediaOfOneStep) {
  const testing::TemporaryFolder folder;
  MediaLog log(folder / "");
  log.add(1, 7, {{"first", Medium::text("one")}});
  log.add(1, 7, {{"second", Medium::text("two")}});
  MediaLog(folder / "").add(1, 7, {{"third", Medium::text("three")}});  // a later sitting that resumes at this step
  log.add(2, 8, {{"first", Medium::text("four")}});
  log.cut_after(7);
  log.add(1, 7, {{"fourth", Medium::text("five")}});
  const std::vector<MediaSeries> series = log.series();
  ASSERT_EQ(series.size(), 4u);
  const char* said[] = {"one", "two", "three", "five"};
  for (std::size_t i = 0; i < 4; ++i) EXPECT_EQ(series[i].moments.front().medium.bytes, said[i]);
  EXPECT_EQ(series[0].moments.size(), 1u);
  EXPECT_TRUE(log.has("second", Medium::text("two")));
  EXPECT_FALSE(log.has("second", Medium::text("one")));
}

}  // namespace
}  // namespace thalweg
