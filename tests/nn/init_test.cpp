// Initialisers of parameters, and how configurations spell the options of layers.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "thalweg/error.hpp"
#include "thalweg/nn.hpp"

namespace thalweg {
namespace {

/// The largest difference of W^T W from gain^2 I, or of W W^T if W has more columns than rows.
double distance_from_orthogonal(const Tensor& w, std::int64_t columns, double gain) {
  const std::int64_t rows = w.size() / columns, count = std::min(rows, columns), length = std::max(rows, columns);
  const auto element = [&](std::int64_t vector, std::int64_t i) {
    return columns <= rows ? w.at(i * columns + vector) : w.at(vector * columns + i);
  };
  double most = 0;
  for (std::int64_t a = 0; a < count; ++a) {
    for (std::int64_t b = 0; b < count; ++b) {
      double product = 0;
      for (std::int64_t i = 0; i < length; ++i) product += element(a, i) * element(b, i);
      most = std::max(most, std::abs(product - (a == b ? gain * gain : 0)));
    }
  }
  return most;
}

TEST(Initializers, OrthogonalMatricesHaveOrthogonalColumnsOrRowsOfLengthGain) {
  for (const Shape& shape : {Shape{7, 4}, Shape{4, 7}, Shape{5, 5}, Shape{3, 3, 2, 6}, Shape{1, 1, 2, 6}}) {
    for (const double gain : {1.0, 0.5}) {
      const Initializer start = init::orthogonal(gain);
      EXPECT_LE(distance_from_orthogonal(start.make(shape, f64, 1, "weight"), shape[-1], gain), 1e-14) << shape.str();
      EXPECT_LE(distance_from_orthogonal(start.make(shape, f32, 1, "weight"), shape[-1], gain), 1e-6) << shape.str();
    }
  }
}

TEST(Initializers, OrthogonalMatricesDifferFromPathToPathAndHaveBothSigns) {
  std::set<double> seen;
  for (int i = 0; i < 64; ++i) seen.insert(init::orthogonal().make({1, 1}, f64, 1, std::to_string(i)).at(0));
  EXPECT_EQ(seen, (std::set<double>{-1, 1}));
  const Tensor a = init::orthogonal().make({4, 4}, f64, 1, "a"), b = init::orthogonal().make({4, 4}, f64, 1, "b");
  EXPECT_NE(a.at(0), b.at(0));
  EXPECT_EQ(a.at(5), init::orthogonal().make({4, 4}, f64, 1, "a").at(5));
}

TEST(Initializers, OrthogonalVectorsAreRefused) {
  EXPECT_THROW((void)init::orthogonal().make({4}, f32, 1, "bias"), UsageError);
}

using Form = OptionForm<Initializer>;

TEST(Initializers, EveryRowIsWrittenByItsNameAndReadBack) {
  for (const InitializerRow& row : initializers()) {
    EXPECT_EQ(Form::write(row.initializer).str(), '"' + std::string(row.name) + '"');
    EXPECT_EQ(Form::read(std::string(row.name)), row.initializer) << row.name;
    EXPECT_FALSE(row.formula.empty()) << row.name;
    if (row.option.empty()) continue;
    const OptionValue value = OptionMap{{"kind", {std::string(row.name)}}, {std::string(row.option), {0.375}}};
    const auto read = Form::read(value);
    ASSERT_TRUE(read) << row.name;
    EXPECT_EQ(read->value, 0.375);
    EXPECT_EQ(Form::write(*read).str(), value.str());
  }
}

TEST(Initializers, UnknownNamesAndOptionsAreRefused) {
  EXPECT_THROW((void)Form::read("he_norm"), UsageError);
  EXPECT_THROW((void)Form::read(OptionMap{{"kind", {"he_normal"}}, {"gain", {2.0}}}), UsageError);
  EXPECT_FALSE(Form::read(1.5));
  EXPECT_FALSE(Form::read(OptionMap{{"gain", {2.0}}}));
}

TEST(OptionForms, ExtentsAndPaddingsAreWrittenAndReadBack) {
  const auto written = [](const auto& value) {
    return OptionForm<std::remove_cvref_t<decltype(value)>>::write(value).str();
  };
  EXPECT_EQ(written(Extent(3)), "3");
  EXPECT_EQ(written(Extent(3, 1)), "[3, 1]");
  EXPECT_EQ(written(Padding("same")), "\"same\"");
  EXPECT_EQ(written(Padding(0)), "\"valid\"");
  EXPECT_EQ(written(Padding(2)), "2");
  EXPECT_EQ(written(Padding(Extent(1, 2), Extent(1, 2))), "[1, 2]");
  EXPECT_EQ(written(Padding(Extent(0, 1), Extent(2, 3))), "[[0, 1], [2, 3]]");
  for (const Padding& padding : {Padding("same"), Padding(0), Padding(2), Padding(Extent(0, 1), Extent(2, 3))}) {
    const auto read = OptionForm<Padding>::read(OptionForm<Padding>::write(padding));
    ASSERT_TRUE(read);
    EXPECT_EQ(written(*read), written(padding));
  }
  EXPECT_EQ(OptionForm<Extent>::read(OptionList{{3}, {1}}), Extent(3, 1));
  EXPECT_FALSE(OptionForm<Extent>::read(OptionList{{3}, {1}, {1}}));
  EXPECT_FALSE(OptionForm<Extent>::read(1.5));
  EXPECT_FALSE(OptionForm<Padding>::read("some"));
}

TEST(OptionForms, AModelsRowTakesAnInitializerByNameOrWithItsOption) {
  const auto found = std::ranges::find(nn::models(), "mlp", &nn::ModelRow::name);
  ASSERT_NE(found, nn::models().end());
  const auto initializer_of = [&](const OptionMap& options) {
    return found->make(1, options).second.at("initializer").str();
  };
  EXPECT_EQ(initializer_of({}), "\"he_normal\"");
  EXPECT_EQ(initializer_of({{"initializer", {"orthogonal"}}}), "\"orthogonal\"");
  EXPECT_EQ(initializer_of({{"initializer", {OptionMap{{"kind", {"orthogonal"}}, {"gain", {1.5}}}}}}),
            "{ gain = 1.5, kind = \"orthogonal\" }");
  EXPECT_THROW((void)initializer_of({{"initializer", {2.0}}}), UsageError);
}

}  // namespace
}  // namespace thalweg
