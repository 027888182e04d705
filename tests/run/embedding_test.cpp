// Embeddings of inputs: learned numbers in place of the columns of a category with many levels, or of a number.

#include <gtest/gtest.h>

#include <fmt/format.h>

#include "data/feature_columns.hpp"
#include "data/table.hpp"
#include "run/number_places.hpp"
#include "run/recipe.hpp"
#include "temporary_folder.hpp"
#include "thalweg/error.hpp"
#include "thalweg/model.hpp"
#include "thalweg/optimizers.hpp"
#include "thalweg/train.hpp"

namespace thalweg {
namespace {

constexpr int levels = 60;

class Embeddings : public testing::TemporaryFolderTest {
 protected:
  /// A table of a number, a category with 60 levels, and a target: the number plus a value that depends on the level.
  data::Table table(int rows = 240) const {
    std::string text = "x,code,y\n";
    for (int i = 0; i < rows; ++i) {
      const int level = i % levels;
      text += fmt::format("{},c{:02},{}\n", i % 7, level, i % 7 + (level * level) % 17);
    }
    return data::read_table(write("t.csv", text));
  }
  static Recipe recipe_of_table(const data::Table& table, std::int64_t embed) {
    data::Inference inference = data::infer_schema(table, {.target = "y", .embed_levels = embed});
    return {{"linear"}, {"mse"}, 1, data::TablePreprocessing(table, std::move(inference.schema), inference.rows)};
  }
  static Dataset rows_of(const Recipe& recipe, const data::Table& table) {
    std::vector<std::int64_t> all;
    for (std::int64_t row = 0; row < table.rows(); ++row) all.push_back(row);
    return recipe.preprocessing.table()->encode(table, all);
  }
};

TEST_F(Embeddings, HaveTheWidthOfTheRule) {
  const auto columns = [&](std::int64_t embed) {
    return data::embedded_columns(*recipe_of_table(table(), embed).preprocessing.table());
  };
  EXPECT_TRUE(columns(0).empty());
  EXPECT_TRUE(columns(levels).empty());
  ASSERT_EQ(columns(levels - 1).size(), 1u);
  const data::EmbeddedColumns own = columns(50)[0];
  EXPECT_EQ(own.feature, 1);
  EXPECT_EQ(own.begin, 1);
  EXPECT_EQ(own.columns, levels);
  EXPECT_EQ(own.numbers, 16);  // 1.6 * 60^0.56 = 15.8
}

TEST_F(Embeddings, AreTrainedSavedAndLoadedWithTheModel) {
  const data::Table known = table();
  const Recipe recipe = recipe_of_table(known, 50);
  const Dataset data = rows_of(recipe, known);
  Trainer trainer(recipe.make_model(registry()), recipe.make_loss(registry()), optim::adam({.lr = 0.02}), 1);
  trainer.init(data, 3);
  const Tensor before = trainer.state().parameter("embedding/feature2");
  EXPECT_EQ(before.shape(), (Shape{levels, 16}));
  trainer.fit(data, {.epochs = 200});
  EXPECT_FALSE(identical(trainer.state().parameter("embedding/feature2"), before));
  EXPECT_GT(trainer.evaluate(data)["r2"], 0.999);

  save_model(path("model.safetensors"), recipe, trainer.state());
  const Model model = Model::load(path("model.safetensors"));
  const Tensor predicted = model.predict_encoded(data["input"]), wanted = trainer.predict(data);
  for (std::int64_t i = 0; i < wanted.size(); ++i) EXPECT_NEAR(predicted.at(i), wanted.at(i), 1e-4);

  // A known level adds its numbers times their weights, an unknown one nothing.
  const State& state = trainer.state();
  const Tensor table = state.parameter("embedding/feature2"), weight = state.parameter("output/weight");
  double own = 0;
  for (std::int64_t i = 0; i < 16; ++i) own += table.at(7 * 16 + i) * weight.at(1 + i);
  const auto value = [&](std::string_view code) {
    return model.predict_cells(std::vector<std::string_view>{"3", code}).value;
  };
  EXPECT_NEAR(value("c07") - value("unheard of"), own / recipe.preprocessing.table()->target().scale, 1e-4);
}

TEST_F(Embeddings, WithAnotherSizeThanInTheFileAreRefused) {
  const data::Table known = table();
  const Recipe recipe = recipe_of_table(known, 50);
  Trainer trainer(recipe.make_model(registry()), recipe.make_loss(registry()), optim::sgd(), 1);
  trainer.init(rows_of(recipe, known), 1);
  Recipe other = recipe_of_table(known, 0);
  save_model(path("model.safetensors"), other, trainer.state());
  EXPECT_THROW((void)Model::load(path("model.safetensors")), ModelError);
}

/// The number is the first input. In a table without numbers nothing is embedded.
TEST_F(Embeddings, OfNumbersApplyToTheNumericColumnsOfATable) {
  const auto told = [](const data::Table& table, std::int64_t embed = 0, OptionMap own = {}) {
    const Recipe recipe = recipe_of_table(table, embed);
    OptionMap options = registry().model("tabular").make(1, std::move(own)).second;
    return with_numbers_of({"tabular", std::move(options)}, recipe.preprocessing, rows_of(recipe, table)).options;
  };
  EXPECT_EQ(told(table()).at("numbers").str(), "[0]");
  const data::Table codes = data::read_table(write("codes.csv", "code,y\na,1\nb,2\na,3\nb,4.5\n"));
  EXPECT_EQ(told(codes).at("frequencies").str(), "0");
  EXPECT_EQ(told(codes).at("pieces").str(), "0");
  const data::Table behind = data::read_table(write("behind.csv", "code,x,y\na,1,1\nb,3,2\na,2,3\nb,5,4.5\n"));
  EXPECT_EQ(told(behind).at("numbers").str(), "[2]");
  EXPECT_EQ(told(behind, 1).at("numbers").str(),
            "[3]");  // the category of two levels becomes three embedded numbers: 1.6 * 2^0.56 = 2.4
  EXPECT_EQ(told(behind, 0, {{"numbers", OptionList{1}}}).at("numbers").str(), "[1]");
  EXPECT_EQ(told(behind, 0, {{"pieces", 1}, {"knots", OptionList{-1.5, 2}}}).at("knots").str(), "[-1.5, 2.0]");
  EXPECT_EQ(told(behind, 0, {{"most_embedded", 0}}).at("knots").str(), "[]");  // no number is embedded
  const Recipe recipe = recipe_of_table(behind, 0);
  EXPECT_TRUE(with_numbers_of({"mlp"}, recipe.preprocessing, rows_of(recipe, behind)).options.empty());
}

/// Only outputs that are numbers in the unit of the targets have the limits of the targets.
TEST_F(Embeddings, TheLimitsAreThoseOfTheTargets) {
  const data::Table known = data::read_table(write("limits.csv", "x,y\n1,3\n2,1\n3,8\n4,5\n"));
  const Recipe recipe = recipe_of_table(known, 0);
  const Dataset rows = rows_of(recipe, known);
  const auto limits = [&](const std::string& loss, const std::string& kind = "tabular", OptionMap own = {}) {
    const OptionMap options = with_limits_of({kind, registry().model(kind).make(1, std::move(own)).second},
                                             registry().loss(loss).make({}), recipe.preprocessing, rows)
                                  .options;
    return options.contains("limits") ? *options.at("limits").get_if<OptionList>() : OptionList{};
  };
  const data::Affine& unit = recipe.preprocessing.table()->target();
  for (const std::string loss : {"mse", "mae", "huber"}) {
    const OptionList found = limits(loss);
    ASSERT_EQ(found.size(), 2U) << loss;
    EXPECT_NEAR(unit.inverse(*found[0].get_if<double>()), 1, 1e-6) << loss;
    EXPECT_NEAR(unit.inverse(*found[1].get_if<double>()), 8, 1e-6) << loss;
  }
  for (const std::string loss : {"poisson", "gaussian", "binary_cross_entropy"}) EXPECT_TRUE(limits(loss).empty());
  EXPECT_TRUE(limits("mse", "mlp").empty());
  EXPECT_EQ(OptionValue{limits("mse", "tabular", {{"limits", OptionList{-9.0, 9.0}}})}.str(), "[-9.0, 9.0]");
}

/// The knots are quantiles of each number. More than half of the rows of the second column are 0, so two knots are 0;
/// they separate the values above 0 from the others. If there are fewer values than knots, the widest pieces are
/// divided.
TEST_F(Embeddings, KnotsAreQuantilesOfTheTrainingRows) {
  std::string text = "x,z,y\n";
  for (int i = 0; i < 101; ++i) text += fmt::format("{},{},{}\n", (i * 37) % 101, i < 60 ? 0 : i == 60 ? 1 : 2, i % 7);
  const data::Table known = data::read_table(write("knots.csv", text));
  const Recipe recipe = recipe_of_table(known, 0);
  const auto& encodings = recipe.preprocessing.table()->encodings();
  const std::vector<double> knots = number_knots(*recipe.preprocessing.table(), rows_of(recipe, known), 4),
                            wanted[] = {{0, 25, 50, 75, 100}, {0, 0, 1, 2, 2}};
  ASSERT_EQ(knots.size(), 10u);
  for (std::size_t i = 0; i < 10; ++i)
    EXPECT_NEAR(encodings[i / 5].affine.inverse(knots[i]), wanted[i / 5][i % 5], 1e-5) << i;
}

}  // namespace
}  // namespace thalweg
