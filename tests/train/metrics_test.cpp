#include "train/evaluation.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "reference_file.hpp"
#include "thalweg/error.hpp"

namespace thalweg {
namespace {

using nlohmann::json;

Tensor tensor_of(const json& values, std::int64_t columns) {
  const auto list = values.get<std::vector<double>>();
  return Tensor::from(list, {static_cast<std::int64_t>(list.size()) / columns, columns});
}

struct Case {
  Tensor predictions, targets;
  metric::Weights weights;
  explicit Case(const json& entry) : predictions(tensor_of(entry["predictions"], entry["columns"])) {
    const bool values = entry["values"].contains("rmse");
    targets = values ? tensor_of(entry["targets"], entry["columns"]) : tensor_of(entry["targets"], 1).to(i32);
    if (entry.contains("weights")) weights = tensor_of(entry["weights"], 1);
  }
};

template <class E, class F>
std::string message_of(F f) {
  try {
    f();
  } catch (const E& e) {
    return e.what();
  }
  return "no such error";
}

TEST(MetricsReference, EveryMetricMatchesScikitLearn) {
  int compared = 0;
  for (const json& entry : testing::reference("metrics")) {
    const Case data(entry);
    for (const auto& [name, value] : entry["values"].items()) {
      const double ours = find_metric(name).compute(data.predictions, data.targets, data.weights);
      const std::string where = entry["name"].get<std::string>() + ": " + name;
      ++compared;
      if (value.is_null()) {
        EXPECT_TRUE(std::isnan(ours)) << where;
      } else {
        EXPECT_NEAR(ours, value.get<double>(), 1e-12 * std::max(1.0, std::abs(value.get<double>()))) << where;
      }
    }
  }
  EXPECT_GE(compared, 100);
}

TEST(MetricsReference, ConfusionMatricesMatchScikitLearn) {
  for (const json& entry : testing::reference("metrics")) {
    if (!entry.contains("confusion")) continue;
    const Case data(entry);
    const Tensor ours = metric::confusion_matrix(data.predictions, data.targets, data.weights);
    ASSERT_EQ(ours.size(), static_cast<std::int64_t>(entry["confusion"].size()));
    for (std::int64_t i = 0; i < ours.size(); ++i) {
      EXPECT_NEAR(ours.at(i), entry["confusion"][static_cast<std::size_t>(i)].get<double>(), 1e-12) << entry["name"];
    }
  }
}

TEST(MetricsReference, SinglePrecisionAgrees) {
  for (const json& entry : testing::reference("metrics")) {
    if (entry["name"] == "far from zero" || entry["name"] == "binary, certain and wrong")
      continue;  // f32 is not accurate enough
    const Case data(entry);
    for (const auto& [name, value] : entry["values"].items()) {
      if (value.is_null()) continue;
      const double ours = find_metric(name).compute(data.predictions.to(f32), data.targets, data.weights);
      EXPECT_NEAR(ours, value.get<double>(), 1e-5 * std::max(1.0, std::abs(value.get<double>())))
          << entry["name"] << name;
    }
  }
}

TEST(Metrics, EveryRowIsDocumentedAndServesATask) {
  for (const MetricRow& row : metrics()) {
    for (const auto text : {row.name, row.summary, row.formula}) EXPECT_FALSE(text.empty());
    EXPECT_FALSE(row.tasks.empty());
    EXPECT_EQ(&find_metric(row.name), &row);
  }
  EXPECT_TRUE(find_metric("auc").serves(Task::multiclass));
  EXPECT_FALSE(find_metric("auc").serves(Task::regression));
  EXPECT_NE(message_of<UsageError>([] { (void)find_metric("acuracy"); }).find("did you mean 'accuracy'"),
            std::string::npos);
}

/// Better predictions must give a better value in the direction that the row states.
TEST(Metrics, TheBetterDirectionOfEveryRowIsRight) {
  const Tensor truth = Tensor::of({0.0, 1.0, 1.0, 0.0, 1.0});
  const Tensor good = Tensor::of({0.1, 0.9, 0.8, 0.2, 0.7}), bad = Tensor::of({0.7, 0.4, 0.2, 0.6, 0.7});
  for (const MetricRow& row : metrics()) {
    const double better = row.compute(good, truth, {}), worse = row.compute(bad, truth, {});
    EXPECT_EQ(better > worse, row.higher_is_better) << row.name;
  }
}

TEST(Metrics, IntegerWeightsAreRepetitions) {
  const Tensor truth = Tensor::of({0, 1, 1, 0}), scores = Tensor::of({0.2, 0.6, 0.4, 0.4});
  const Tensor repeated_truth = Tensor::of({0, 1, 1, 1, 1, 0, 0}),
               repeated = Tensor::of({0.2, 0.6, 0.6, 0.6, 0.4, 0.4, 0.4});
  const Tensor weights = Tensor::of({1.0, 3.0, 1.0, 2.0});
  for (const MetricRow& row : metrics()) {
    EXPECT_NEAR(row.compute(scores, truth, weights), row.compute(repeated, repeated_truth, {}), 1e-14) << row.name;
  }
}

TEST(Metrics, LabelsMayBeOfAnyDType) {
  const Tensor scores = Tensor::of({0.2, 0.6, 0.4}), truth = Tensor::of({0.0, 1.0, 1.0});
  for (const DType dtype : {f32, i32, u8}) {
    EXPECT_EQ(metric::accuracy(scores, truth.to(dtype)), metric::accuracy(scores, truth)) << name(dtype);
  }
  EXPECT_EQ(metric::accuracy(scores.reshape({3, 1}), truth.reshape({3, 1})), metric::accuracy(scores, truth));
}

TEST(Metrics, UndefinedOnesAreNaNAndShownAsADash) {
  const Tensor none({0, 1}, f32), two = Tensor::of({0.2, 0.8}), labels = Tensor::of({0, 1});
  for (const MetricRow& row : metrics()) {
    EXPECT_TRUE(std::isnan(row.compute(none, none, {}))) << row.name << " of no rows";
    EXPECT_TRUE(std::isnan(row.compute(two, labels, Tensor::of({0.0, 0.0})))) << row.name << " of no weight";
    EXPECT_TRUE(std::isnan(row.compute(Tensor::of({0.2, std::nan("")}), labels, {}))) << row.name << " of NaN";
  }
  EXPECT_TRUE(std::isnan(metric::r2(two, Tensor::of({3.0, 3.0}))));
  const Tensor tenths = full({50}, 0.1, f64);  // the mean of tenths has a rounding error
  EXPECT_TRUE(std::isnan(metric::r2(full({50}, 0.2, f64), tenths)));
  EXPECT_TRUE(
      std::isnan(metric::r2(Tensor::of({0.2, 0.2, 0.2}), Tensor::of({0.1, 0.1, 7.0}), Tensor::of({1.0, 1.0, 0.0}))));
  const Tensor columns = Tensor::of({0.1, 1.0, 0.1, 2.0, 0.1, 3.0}).reshape({3, 2});
  EXPECT_EQ(metric::r2(columns, columns), 1) << "if another column varies";
  EXPECT_TRUE(std::isnan(metric::auc(two, Tensor::of({1, 1}))));
  const Tensor missed = Tensor::of({0.2, 0.1}), wrong = Tensor::of({0.2, 0.9}), negative = Tensor::of({0, 0});
  EXPECT_TRUE(std::isnan(metric::precision(missed, negative)) && std::isnan(metric::f1(missed, negative)));
  EXPECT_TRUE(std::isnan(metric::recall(missed, negative)) && std::isnan(metric::recall(wrong, negative)));
  EXPECT_EQ(metric::precision(wrong, negative), 0);
  EXPECT_EQ(metric::f1(wrong, negative), 0);
  EXPECT_EQ(metric::precision(missed, Tensor::of({0, 1})), 0);
  EXPECT_EQ(metric::recall(missed, Tensor::of({0, 1})), 0);
  EXPECT_EQ(format_metric(metric::auc(two, Tensor::of({1, 1}))), "-");
  EXPECT_EQ(format_metric(0.123456), "0.1235");
}

TEST(Metrics, ShapesAndLabelsThatDoNotFitAreRefusedWithTheRow) {
  const Tensor scores = Tensor::of({0.2, 0.6, 0.4}), labels = Tensor::of({0, 1, 1});
  EXPECT_EQ(message_of<DataError>([&] {
              (void)metric::auc(scores, Tensor::of({0, 2, 1}));
            }),
            "[auc] the label of row 1 is 2. Wanted: a whole number from 0 to 1.");
  EXPECT_THROW((void)metric::accuracy(scores, Tensor::of({0.0, 0.5, 1.0})), DataError);
  EXPECT_THROW((void)metric::accuracy(scores, Tensor::of({0.0, std::nan(""), 1.0})), DataError);
  EXPECT_EQ(message_of<DataError>([&] {
              (void)metric::rmse(scores, scores, Tensor::of({1.0, 1.0, -1.0}));
            }),
            "[rmse] the weight of row 2 is -1. Wanted: >= 0.");
  EXPECT_THROW((void)metric::accuracy(scores, Tensor::of({0, 1})), UsageError);
  EXPECT_THROW((void)metric::accuracy(labels, labels), UsageError);
  EXPECT_THROW((void)metric::rmse(scores, Tensor::of({1.0})), UsageError);
  EXPECT_THROW((void)metric::rmse(scores, scores, Tensor::of({1.0})), UsageError);
}

TEST(ConfusionOf, CountsTheLargestProbability) {
  const auto probabilities = Tensor::from<float>(std::vector<float>{.1F, .7F, .2F, .5F, .3F, .2F, 0, 0, 1}, {3, 3});
  const Confusion confusion = confusion_of(probabilities, Tensor::of({1, 1, 2}));
  EXPECT_EQ(confusion.at(1, 0), 1);
  EXPECT_EQ(confusion.at(1, 1), 1);
  EXPECT_EQ(confusion.at(2, 2), 1);
  EXPECT_EQ(confusion.at(0, 0), 0);
}

TEST(ConfusionOf, SeparatesTwoClassesAtOneHalf) {
  const auto probabilities = Tensor::from<float>(std::vector<float>{.2F, .5F, .9F, .6F}, {4, 1});
  const Confusion confusion = confusion_of(probabilities, Tensor::of({0, 1, 1, 0}));
  for (const std::size_t truth : {0U, 1U}) {
    for (const std::size_t predicted : {0U, 1U}) EXPECT_EQ(confusion.at(truth, predicted), 1);
  }
}

TEST(Metrics, OfThousandsOfClassesNeedTimeForTheirRowsOnly) {
  // a confusion matrix of 5,000 classes would need 200 MB for each metric
  constexpr std::int64_t classes = 5000, rows = 20;
  Tensor probabilities({rows, classes}), labels({rows}, i32);
  for (std::int64_t r = 0; r < rows; ++r) {
    probabilities.set(r * classes + 100 * r, 1);
    labels.set(r, r == 0 ? 4999 : 100 * static_cast<double>(r));
  }
  EXPECT_DOUBLE_EQ(metric::accuracy(probabilities, labels), 0.95);
  EXPECT_DOUBLE_EQ(metric::recall(probabilities, labels), 19.0 / 21);
  // all rows have score 0 for class 4999, so half of the pairs count
  EXPECT_DOUBLE_EQ(metric::auc(probabilities, labels), (19 + 0.5) / 20);
}

}  // namespace
}  // namespace thalweg
