#include "run/run.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>

#include "temporary_folder.hpp"
#include "thalweg/error.hpp"

namespace thalweg {
namespace {

class MetricsLogs : public testing::TemporaryFolderTest {
 protected:
  /// A log of three steps and an epoch.
  [[nodiscard]] std::string whole() const {
    std::filesystem::remove(path("metrics.jsonl"));
    MetricsLog log(path("metrics.jsonl"));
    for (std::int64_t step = 1; step <= 3; ++step)
      log.add({.step = step, .total_steps = 9, .epoch = 1, .loss = 0.5, .samples = 4, .layer_norms = {1, 2}},
              {"a", "b"});
    log.add(EpochReport{.epoch = 1, .step = 3, .metrics = {{"loss", 0.25}}, .seconds = 2});
    return read("metrics.jsonl");
  }
};

TEST_F(MetricsLogs, DamagedLinesAreSkipped) {
  const std::string deep = std::string(100'000, '[') + std::string(100'000, ']');
  for (const std::string& damaged :
       {std::string("{\"step\":"), std::string("7"), std::string("null"), std::string("[]"), std::string("{}"),
        std::string("{\"step\":-1}"), std::string("{\"step\":1e300,\"metrics\":{}}"),
        std::string("{\"step\":18446744073709551615}"), std::string("{\"step\":\"x\",\"metrics\":3}"),
        std::string("{\"step\":2,\"epoch\":null}"), std::string("\xff\xfe\0\x01", 4), deep,
        "{\"step\":1,\"epoch\":" + deep + "}"}) {
    const std::string good = whole();
    write("metrics.jsonl", damaged + "\n" + good + damaged + "\n");
    MetricsLog log(path("metrics.jsonl"));
    const History history = log.history();
    EXPECT_EQ(history.steps.size(), 3U) << damaged.substr(0, 40);
    EXPECT_EQ(history.epochs.size(), 1U) << damaged.substr(0, 40);
    log.cut_after(2);
    EXPECT_EQ(log.history().steps.size(), 2U) << damaged.substr(0, 40);
    EXPECT_TRUE(log.history().epochs.empty());
  }
}

TEST_F(MetricsLogs, LooksWithNumbersThatAreNotWholeAreSkipped) {
  MetricsLog log(path("metrics.jsonl"));
  log.add(Look{.step = 2, .epoch = 1, .batch_size = 4, .layers = {{"a", 0.5, {.bins = {{-12, 3}}, .unmoved = 1}}}});
  const std::string good = read("metrics.jsonl");
  ASSERT_EQ(log.looks().size(), 1U);
  EXPECT_EQ(log.looks()[0].layers[0].rates.bins, (std::map<int, std::int64_t>{{-12, 3}}));
  for (const auto& [from, to] :
       std::vector<std::pair<std::string, std::string>>{{"\"first\":-12", "\"first\":1e111"},
                                                        {"\"first\":-12", "\"first\":-1.5"},
                                                        {"\"first\":-12", "\"first\":2147483647"},
                                                        {"[3]", "[2.5]"},
                                                        {"[3]", "[-3]"},
                                                        {"\"unmoved\":1", "\"unmoved\":1e111"}}) {
    std::string damaged = good;
    ASSERT_NE(damaged.find(from), std::string::npos) << good;
    damaged.replace(damaged.find(from), from.size(), to);
    write("metrics.jsonl", damaged + good);
    EXPECT_EQ(log.looks().size(), 1U) << damaged;
  }
}

TEST_F(MetricsLogs, NormsOfOtherLayersAreLeftOut) {
  write("metrics.jsonl", whole() +
                             R"({"step":4,"epoch":1,"loss":1,"gradient_norm":1,"lr":1,"samples":1,"total_steps":9,)"
                             R"("layer_norms":{"a":1,"b":2,"c":3}})"
                             "\n");
  const History history = MetricsLog(path("metrics.jsonl")).history();
  ASSERT_EQ(history.steps.size(), 4U);
  EXPECT_EQ(history.layers, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(history.steps[0].layer_norms.size(), 2U);
  EXPECT_TRUE(history.steps[3].layer_norms.empty());
}

TEST_F(MetricsLogs, TheTimeIsThatOfTheLastLineOfAnyKind) {
  write("metrics.jsonl", whole());
  MetricsLog log(path("metrics.jsonl"));
  EXPECT_EQ(log.history().seconds, 2);
  log.add({.step = 4, .total_steps = 9, .epoch = 2}, {}, 2.5);
  EXPECT_EQ(log.history().seconds, 2.5);
  log.add_time(5, 3);
  const History history = log.history();
  EXPECT_EQ(history.seconds, 3);
  EXPECT_EQ(history.steps.size(), 4U);  // a line with only a time is not a step
}

TEST_F(MetricsLogs, TheTimeOfRemovedStepsStillCounts) {
  write("metrics.jsonl", whole());
  MetricsLog log(path("metrics.jsonl"));
  log.add({.step = 4, .total_steps = 9, .epoch = 2}, {}, 7);
  log.add_time(5, 8);
  log.cut_after(3);
  const History history = log.history();
  EXPECT_EQ(history.seconds, 8);
  EXPECT_EQ(history.steps.size(), 3U);
  EXPECT_EQ(history.epochs.size(), 1U);
  const std::string text = read("metrics.jsonl");
  EXPECT_EQ(std::ranges::count(text, '\n'), 4);  // as many lines as an uninterrupted run has
  log.cut_after(0);
  EXPECT_EQ(log.history().seconds, 8);
}

using RunFolders = testing::TemporaryFolderTest;

TEST_F(RunFolders, ATrailingSlashIsIgnored) {
  const RunFolder first = RunFolder::create(path("run/"));
  EXPECT_EQ(first.path(), path("run"));
  write("other", "");
  std::filesystem::create_directory(path("full"));
  write("full/file", "");
  EXPECT_EQ(RunFolder::create(path("full/")).path(), path("full-2"));
}

TEST_F(RunFolders, ADotIsTheCurrentFolderIfItIsEmpty) {
  std::filesystem::create_directory(path("empty"));
  EXPECT_EQ(RunFolder::create(path("empty/.")).path(), std::filesystem::canonical(path("empty")));
  std::filesystem::create_directory(path("full"));
  write("full/file", "");
  EXPECT_THROW((void)RunFolder::create(path("full/.")), UsageError);
  EXPECT_FALSE(std::filesystem::exists(path("full/.-2")));
}

}  // namespace
}  // namespace thalweg
