#include "report/report.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "core/escape.hpp"
#include "report/looks.hpp"

namespace thalweg {
namespace {

bool contains(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

int count(const std::string& text, std::string_view part) {
  int found = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++found;
  return found;
}

ReportConfusion confusion_of(std::size_t classes) {
  ReportConfusion confusion{{}, Confusion(classes)};
  for (std::size_t c = 0; c < classes; ++c) {
    confusion.classes.push_back("class " + std::to_string(c));
    confusion.counts.add(c, c, 9);
    confusion.counts.add(c, (c + 1) % classes, static_cast<double>(c % 3));
  }
  return confusion;
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
  data.confusion = confusion_of(static_cast<std::size_t>(classes));
  data.predictions = PredictedAgainstTrue{"medv", {1, 2, 3}, {1.1, 1.9, 3}};
  data.parameters = {{.name = "layer1/weight", .shape = {4, 16}},
                     {.name = "layer1/bias", .shape = {16}, .frozen = true}};
  data.config = "seed = 1\n";
  data.environment = {{"version", "0.1.0"}};
  return data;
}

/// Whether all HTML elements are closed in order. No attribute may contain `>`.
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

TEST(Report, HasEveryPart) {
  const std::string html = report_html(sample());
  for (const char* part : {"<title>iris", "mlp on iris.csv", "test accuracy", "0.9667", "Course of the run",
                           "learning rate", "gradient norm", "recall", "Predicted against true", "(4, 16)", "seed = 1",
                           "Environment", "bias (frozen)", ">80<"}) {
    EXPECT_TRUE(contains(html, part)) << part;
  }
  EXPECT_TRUE(contains(html, escape_xml(sample().verdict.sentence)));
  for (const Evidence& evidence : sample().verdict.evidence) EXPECT_TRUE(contains(html, escape_xml(evidence.sentence)));
  EXPECT_EQ(count(html, "<figure"), 4);  // loss, accuracy, rate, gradient
}

TEST(Report, LeavesOutWhatIsEmpty) {
  const std::string html = report_html({.title = "empty"});
  EXPECT_TRUE(balanced(html));
  for (const char* part : {"<figure", "<table", "<pre", "Course of the run", "Metrics on"})
    EXPECT_FALSE(contains(html, part)) << part;
}

TEST(Report, LoadsNothingFromOutside) {
  const std::string html = report_html(sample());
  for (const char* part : {"http:", "https:", "src=", "href=", "url(", "@import", "fetch("})
    EXPECT_FALSE(contains(html, part)) << part;
  EXPECT_TRUE(contains(html, "default-src 'none'"));
}

TEST(Report, EscapesTextsOfUsers) {
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

TEST(Report, ShowsTheMostConfusedOfThousandsOfClasses) {
  ReportData data = sample();
  data.confusion = confusion_of(4000);
  data.confusion->counts.add(3999, 17, 100);
  const std::string html = report_html(data);
  EXPECT_LT(html.size(), 1'000'000U);
  EXPECT_TRUE(contains(html, "true class 3999, predicted class 17: 100 "));
  EXPECT_TRUE(contains(html, "The 40 of 4,000 classes"));
  EXPECT_TRUE(balanced(html));
}

TEST(Report, IsSmallForAMillionSteps) {
  ReportData data = sample();
  const StepReport step = data.history.steps.back();
  data.history.steps.assign(1'000'000, step);
  EXPECT_LT(report_html(data).size(), 150'000U);
}

TEST(Report, DrawsRunsWithNan) {
  ReportData data = sample();
  for (std::size_t i = 50; i < 100; ++i) data.history.steps[i].loss = std::numeric_limits<double>::quiet_NaN();
  data.history.steps[49].gradient_norm = std::numeric_limits<double>::infinity();
  const std::string html = report_html(data);
  EXPECT_TRUE(balanced(html));
  for (const char* part : {"nan ", "nan,", "nan\"", "inf ", "inf,", "inf\""})
    EXPECT_FALSE(contains(html, part)) << part;
}

/// If all looks but one have no signal, the error of the noise scale is too large to report a scale.
TEST(Looks, GiveNoNoiseScaleWithALargeError) {
  const Look clear{.batch_size = 8, .signal = 1, .noise = 10}, unclear{.batch_size = 8, .signal = -0.1, .noise = 10};
  EXPECT_TRUE(contains(looks_html({clear, clear, clear}), "is 10 +- 0 rows"));
  EXPECT_TRUE(contains(looks_html({clear, clear}), "is roughly 10 rows"));
  EXPECT_TRUE(contains(looks_html({clear, unclear, unclear}), "too noisy to measure"));
}

}  // namespace
}  // namespace thalweg
