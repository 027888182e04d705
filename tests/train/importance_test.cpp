#include "train/importance.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "thalweg/ops.hpp"

namespace thalweg {
namespace {

/// The preprocessing of a table with three features: size, kind, and a number that the target does not depend on.
data::TablePreprocessing table_of_three() {
  data::Schema schema;
  schema.features = {{.name = "nothing"}, {.name = "kind", .kind = data::ColumnKind::category}, {.name = "size"}};
  schema.target = "y";
  std::vector<data::FeatureEncoding> encodings(3);
  encodings[1].levels = {"u", "v"};
  return {schema, encodings, {}};
}

/// For y = 3 size + kind, permuting a feature increases the loss by twice the variance that it explains.
TEST(Importance, IsTwiceTheVarianceThatAFeatureExplains) {
  const std::int64_t rows = 2000;
  Tensor input = random_normal({rows, 4}, 3), target({rows, 1});
  for (std::int64_t i = 0; i < rows; ++i) {
    const double kind = i % 2;
    input.set(4 * i + 1, 1 - kind);
    input.set(4 * i + 2, kind);
    target.set(i, 3 * input.at(4 * i + 3) + kind);
  }
  Dataset data;
  data.set("input", input);
  data.set("target", target);
  const auto loss = [](const Dataset& d) {
    double sum = 0;
    for (std::int64_t i = 0; i < d.rows(); ++i) {
      const double miss = 3 * d["input"].at(4 * i + 3) + d["input"].at(4 * i + 2) - d["target"].at(i);
      sum += miss * miss;
    }
    return sum / static_cast<double>(d.rows());
  };
  const auto all = permutation_importance(table_of_three(), data, loss);
  ASSERT_EQ(all.size(), 3U);
  EXPECT_EQ(all[0].feature, "size");
  EXPECT_NEAR(all[0].rise, 18, 1.5);
  EXPECT_EQ(all[1].feature, "kind");
  EXPECT_NEAR(all[1].rise, 0.5, 0.05);
  EXPECT_EQ(all[2].feature, "nothing");
  EXPECT_EQ(all[2].rise, 0);
  EXPECT_TRUE(permutation_importance(table_of_three(), data, loss, 100).empty());
}

/// The file is sorted, so the sample must contain rows from its end.
TEST(Importance, IsMeasuredOnARandomSampleOfTheRows) {
  const std::int64_t rows = 6000;
  Tensor input({rows, 4}), target({rows, 1});
  for (std::int64_t i = 0; i < rows; ++i) {
    const double kind = i < rows / 2 ? 0 : 1;
    input.set(4 * i + 1, 1 - kind);
    input.set(4 * i + 2, kind);
    target.set(i, kind);
  }
  Dataset data;
  data.set("input", input);
  data.set("target", target);
  const auto loss = [](const Dataset& d) {
    EXPECT_EQ(d.rows(), 2000);
    double sum = 0;
    for (std::int64_t i = 0; i < d.rows(); ++i) sum += std::pow(d["input"].at(4 * i + 2) - d["target"].at(i), 2);
    return sum / static_cast<double>(d.rows());
  };
  EXPECT_EQ(importance_rows(table_of_three(), data), 2000);
  const auto all = permutation_importance(table_of_three(), data, loss);
  ASSERT_EQ(all.size(), 3U);
  EXPECT_EQ(all[0].feature, "kind");
  EXPECT_NEAR(all[0].rise, 0.5, 0.05);
}

}  // namespace
}  // namespace thalweg
