#include "report/report.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "plot/page_chart.hpp"
#include "thalweg/error.hpp"

namespace thalweg {
namespace {

bool contains(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

int count(const std::string& text, std::string_view part) {
  int found = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++found;
  return found;
}

ReportData sample(int classes = 3) {
  ReportData data;
  data.title = "iris";
  data.subtitle = "mlp on iris.csv";
  data.tiles = {{"test accuracy", "0.9667", "30 rows"}};
  for (int i = 1; i <= 100; ++i) {
    data.history.steps.push_back(
        {.step = i, .total_steps = 100, .loss = 1.0 / i, .gradient_norm = 2.0 / i, .lr = 0.01});
  }
  for (int i = 1; i <= 5; ++i) {
    data.history.epochs.push_back(
        {.epoch = i,
         .step = 20 * i,
         .metrics = {{"loss", 1.0 / i}, {"validation.loss", 1.1 / i}, {"validation.accuracy", 0.9}}});
  }
  data.history.best_epoch = 4;
  data.verdict = judge(data.history);
  data.evaluation = {{"accuracy", 0.9667}};
  data.evaluated_on = "test, 30 rows";
  ConfusionMatrix matrix;
  for (int c = 0; c < classes; ++c) matrix.classes.push_back("class " + std::to_string(c));
  for (int i = 0; i < classes * classes; ++i) matrix.counts.push_back(i % (classes + 1) == 0 ? 9 : i % 3);
  data.confusion = matrix;
  data.predictions = PredictedAgainstTrue{"medv", {1, 2, 3}, {1.1, 1.9, 3}};
  data.parameters = {{.name = "layer1/weight", .shape = {4, 16}},
                     {.name = "layer1/bias", .shape = {16}, .frozen = true}};
  data.config = "seed = 1\n";
  data.environment = {{"version", "0.1.0"}};
  return data;
}

/// Every element is closed by its own name, in order; `>` stands in no attribute.
::testing::AssertionResult balanced(const std::string& html) {
  std::vector<std::string> open;
  for (std::size_t at = html.find('<'); at != std::string::npos; at = html.find('<', at + 1)) {
    const std::size_t end = html.find('>', at);
    const std::string tag = html.substr(at + 1, end - at - 1);
    if (tag.starts_with("!") || tag.starts_with("meta") || tag.ends_with("/")) continue;
    if (!tag.starts_with("/")) {
      open.push_back(tag.substr(0, tag.find_first_of(" \n")));
      if (tag == "script" || tag == "style") at = html.find("</" + tag, at) - 1;
    } else if (open.empty() || "/" + open.back() != tag) {
      return ::testing::AssertionFailure()
             << tag << " where " << (open.empty() ? "nothing" : open.back()) << " is open";
    } else {
      open.pop_back();
    }
  }
  if (open.empty()) return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure() << open.back() << " is not closed";
}

TEST(Report, HoldsEveryPart) {
  const std::string html = report_html(sample());
  for (const char* part : {"<title>iris", "mlp on iris.csv", "test accuracy", "0.9667", "Course of the run",
                           "learning rate", "gradient norm", "recall", "Predicted against true", "(4, 16)", "seed = 1",
                           "Environment", "bias (frozen)", ">80<"}) {
    EXPECT_TRUE(contains(html, part)) << part;
  }
  EXPECT_TRUE(contains(html, sample().verdict.sentence));
  for (const Evidence& evidence : sample().verdict.evidence) EXPECT_TRUE(contains(html, evidence.sentence));
  EXPECT_EQ(count(html, "<figure"), 4);  // loss, accuracy, rate, gradient
}

TEST(Report, LeavesOutWhatIsEmpty) {
  const std::string html = report_html({.title = "empty"});
  EXPECT_TRUE(balanced(html));
  for (const char* part : {"<figure", "<table", "<pre", "Course of the run", "Metrics on"})
    EXPECT_FALSE(contains(html, part)) << part;
}

TEST(Report, FetchesNothing) {
  const std::string html = report_html(sample());
  for (const char* part : {"http:", "https:", "src=", "href=", "url(", "@import", "fetch("})
    EXPECT_FALSE(contains(html, part)) << part;
  EXPECT_TRUE(contains(html, "default-src 'none'"));
}

TEST(Report, EscapesWhateverComesFromUsers) {
  const std::string evil = "<script>alert(\"x\")</script>&";
  ReportData data = sample();
  data.title = data.subtitle = data.config = data.evaluated_on = evil;
  data.tiles = {{evil, evil, evil}};
  data.confusion->classes = {evil, "\" onclick=\"alert(1)", "c"};
  data.predictions->target = evil;
  data.parameters.front().name = evil + "/" + evil;
  data.environment = {{evil, evil}};
  data.evaluation = {{evil, 1}};
  data.history.epochs.front().metrics.emplace_back("validation." + evil, 0.5);
  data.verdict = {VerdictKind::converged, evil, {{evil, 0, evil}}, evil};
  const std::string html = report_html(data);
  EXPECT_FALSE(contains(html, "<script>alert"));
  EXPECT_FALSE(contains(html, "\" onclick"));
  EXPECT_EQ(count(html, "<script>"), 1);  // the report's own
  EXPECT_TRUE(balanced(html));
}

TEST(Report, ShowsFromTwoToTwentyClasses) {
  for (const int classes : {2, 3, 10, 20}) {
    const std::string html = report_html(sample(classes));
    EXPECT_TRUE(balanced(html));
    EXPECT_EQ(count(html, "title=\"true class"), classes * classes);
  }
}

TEST(Report, IsSmallForAMillionSteps) {
  ReportData data = sample();
  const StepReport step = data.history.steps.back();
  data.history.steps.assign(1'000'000, step);
  EXPECT_LT(report_html(data).size(), 150'000U);
}

TEST(Report, DrawsRunsWithNumbersThatAreNone) {
  ReportData data = sample();
  for (std::size_t i = 50; i < 100; ++i) data.history.steps[i].loss = std::numeric_limits<double>::quiet_NaN();
  data.history.steps[49].gradient_norm = std::numeric_limits<double>::infinity();
  const std::string html = report_html(data);
  EXPECT_TRUE(balanced(html));
  for (const char* part : {"nan ", "nan,", "nan\"", "inf ", "inf,", "inf\""})
    EXPECT_FALSE(contains(html, part)) << part;
}

TEST(ConfusionMatrix, CountsTheLargestProbability) {
  const auto probabilities = Tensor::from<float>(std::vector<float>{.1F, .7F, .2F, .5F, .3F, .2F, 0, 0, 1}, {3, 3});
  const auto matrix = confusion_matrix(probabilities, Tensor::of({1, 1, 2}), {"a", "b", "c"});
  EXPECT_EQ(matrix.counts, (std::vector<std::int64_t>{0, 0, 0, 1, 1, 0, 0, 0, 1}));
}

TEST(ConfusionMatrix, CutsTwoClassesAtOneHalf) {
  const auto probabilities = Tensor::from<float>(std::vector<float>{.2F, .5F, .9F, .6F}, {4, 1});
  const auto matrix = confusion_matrix(probabilities, Tensor::of({0, 1, 1, 0}), {"no", "yes"});
  EXPECT_EQ(matrix.counts, (std::vector<std::int64_t>{1, 1, 1, 1}));
}

TEST(ConfusionMatrix, RefusesWhatDoesNotFit) {
  const Tensor two({4, 2});
  EXPECT_THROW((void)confusion_matrix(two, Tensor::of({0, 1, 1, 0}), {"a", "b", "c"}), UsageError);
  EXPECT_THROW((void)confusion_matrix(two, Tensor::of({0, 1, 1}), {"a", "b"}), UsageError);
  EXPECT_THROW((void)confusion_matrix(two, Tensor::of({0, 1, 1, 2}), {"a", "b"}), UsageError);
}

TEST(ReportNumbers, AreShort) {
  EXPECT_EQ(grouped(54'000), "54,000");
  EXPECT_EQ(grouped(999), "999");
  EXPECT_EQ(grouped(-1'234'567), "-1,234,567");
  EXPECT_EQ(short_number(0.31274), "0.3127");
  EXPECT_EQ(short_number(25'400.4), "25,400");
  EXPECT_EQ(short_number(3e-5), "3e-5");
  EXPECT_EQ(short_number(2.5e12), "2.5e12");
  EXPECT_EQ(short_number(0), "0");
}

TEST(ReportChart, ThinsToMeansBetweenTheirExtremes) {
  const std::vector<double> x = {1, 2, 3, 4}, y = {1, 3, 10, 20};
  const ChartLine line = thinned("training", "training", x, y, 2);
  EXPECT_EQ(line.x, (std::vector<double>{1.5, 3.5}));
  EXPECT_EQ(line.y, (std::vector<double>{2, 15}));
  EXPECT_EQ(line.low, (std::vector<double>{1, 10}));
  EXPECT_EQ(line.high, (std::vector<double>{3, 20}));
  EXPECT_TRUE(thinned("training", "training", x, y, 4).low.empty());
}

TEST(ReportChart, IsLogarithmicBeyondADecade) {
  const auto chart = [](double low) {
    return chart_html({.title = "loss", .lines = {{.name = "a", .role = "lr", .x = {1, 2}, .y = {1, low}}}});
  };
  EXPECT_TRUE(contains(chart(0.05), "logarithmic"));
  EXPECT_FALSE(contains(chart(0.5), "logarithmic"));
  EXPECT_FALSE(contains(chart(-0.05), "logarithmic"));
}

}  // namespace
}  // namespace thalweg
