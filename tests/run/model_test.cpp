#include "thalweg/model.hpp"

#include <gtest/gtest.h>

#include <stdlib.h>
#include "thalweg/error.hpp"
#include "thalweg/optimizers.hpp"

#include <atomic>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <thread>

#include "run/recipe.hpp"
#include "temporary_folder.hpp"

namespace thalweg {
namespace {

namespace fs = std::filesystem;

/// Images of 4 x 4 bytes in three classes, a model that was trained on them, and its file.
class Models : public ::testing::Test {
 protected:
  Models() {
    images_ = random_uniform({100, 4, 4, 1}, 0, 255.99, 7).to(u8);
    data_.set("input", images_);
    Tensor labels({100}, i32);
    for (std::int64_t i = 0; i < 100; ++i) labels.set(i, static_cast<double>(i % 3));
    data_.set("target", labels);
    Trainer trainer(recipe_.make_model(registry()), recipe_.make_loss(registry()), optim::sgd({.lr = 0.1}), 1);
    trainer.fit(data_, {.epochs = 2});
    expected_ = trainer.predict(data_);
    save_model(file(), recipe_, trainer.state());
  }
  [[nodiscard]] fs::path file() const { return folder_ / "model.safetensors"; }
  [[nodiscard]] std::string bytes() const {
    std::ifstream in(file(), std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  void write(const std::string& bytes) const { std::ofstream(file(), std::ios::binary) << bytes; }

  Recipe recipe_{{"mlp", {{"hidden", {OptionList{{std::int64_t{70}}, {std::int64_t{5}}}}}}},
                 {"cross_entropy"},
                 3,
                 data::TensorPreprocessing{.input = {4, 4, 1},
                                           .dtype = u8,
                                           .affine = {128, 1.0 / 64},
                                           .task = data::Task::multiclass,
                                           .classes = {"a", "b", "c"}}};
  testing::TemporaryFolder folder_;
  Tensor images_, expected_;
  Dataset data_;
};

TEST_F(Models, PredictTheSameAsTheTrainer) {
  const Model model = Model::load(file());
  const Tensor predicted = model.predict(images_);
  ASSERT_EQ(predicted.shape(), expected_.shape());
  for (std::int64_t i = 0; i < predicted.size(); ++i) EXPECT_NEAR(predicted.at(i), expected_.at(i), 1e-5);
  EXPECT_EQ(model.classes(), (std::vector<std::string>{"a", "b", "c"}));
}

TEST_F(Models, APredictionHasTheSameBitsAloneAndInABatch) {
  const Model model = Model::load(file());
  const Tensor together = model.predict(images_);
  for (std::int64_t row = 0; row < 100; ++row) {
    EXPECT_TRUE(identical(model.predict(images_.rows(row, row + 1)), together.rows(row, row + 1))) << row;
    const Tensor pixels = images_.rows(row, row + 1).to(f32);
    const Prediction one = model.predict_row(pixels.values<float>());
    EXPECT_EQ(one.probabilities[0], together.rows(row, row + 1).values<float>()[0]);
  }
  EXPECT_TRUE(identical(model.predict(images_.rows(5, 100)), together.rows(5, 100)));
}

TEST_F(Models, ServeManyThreadsAtOnce) {
  const Model model = Model::load(file());
  const Tensor expected = model.predict(images_);
  std::vector<std::thread> threads;
  std::atomic<int> wrong = 0;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 50; ++i) wrong += !identical(model.predict(images_), expected);
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

TEST_F(Models, EvaluateAsTheTrainerDoes) {
  const Model model = Model::load(file());
  Trainer trainer(recipe_.make_model(registry()), recipe_.make_loss(registry()), optim::sgd({.lr = 0.1}), 2);
  trainer.load(file(), data_);
  EXPECT_EQ(model.evaluate(data_).metrics, trainer.evaluate(data_).metrics);
  EXPECT_TRUE(identical(model.evaluate(data_).predictions, expected_));
  EXPECT_EQ(model.evaluate(data_).rows, 100);
}

TEST_F(Models, RowsOfAnotherLengthAreRefused) {
  const Model model = Model::load(file());
  EXPECT_THROW((void)model.predict_row(std::vector<float>(15)), UsageError);
  EXPECT_THROW((void)model.predict(zeros({2, 5})), UsageError);
}

TEST_F(Models, ATruncatedFileIsAModelError) {
  const std::string whole = bytes();
  for (std::size_t keep = 0; keep < whole.size(); keep += 1 + whole.size() / 97) {
    write(whole.substr(0, keep));
    EXPECT_THROW((void)Model::load(file()), ModelError) << keep;
  }
}

TEST_F(Models, AChangedByteOfTheHeaderDoesNotCrashTheProgram) {
  const std::string whole = bytes();
  for (std::size_t at = 0; at < std::min<std::size_t>(whole.size(), 1500); at += 3) {
    std::string changed = whole;
    changed[at] = static_cast<char>(changed[at] ^ 0x15);
    write(changed);
    try {
      (void)Model::load(file());
    } catch (const ModelError&) {
    }
  }
}

/// Tracing a million layers would take a second, and a thousand million all memory. So layers are compared with the
/// parameters in the file while they are traced.
TEST_F(Models, OfVeryManyLayersAreRefusedByTheParametersInTheFile) {
  const Recipe text{{"lstm", {{"layers", {std::int64_t{1}}}, {"width", {std::int64_t{4}}}}},
                    {"cross_entropy"},
                    256,
                    data::TextPreprocessing{data::Tokenizer::bytes(), 8}};
  Trainer trainer(text.make_model(registry()), text.make_loss(registry()), optim::sgd(), 1);
  Dataset tokens;
  tokens.set("input", zeros({2, 8}, i32));
  tokens.set("target", zeros({2, 8}, i32));
  trainer.init(tokens, 1);
  for (const std::int64_t layers : {std::int64_t{2}, std::int64_t{1'000'000'000'000}}) {
    Recipe deep = text;
    deep.model.options["layers"] = {layers};
    save_model(file(), deep, trainer.state());
    try {
      (void)Model::load(file());
      FAIL();
    } catch (const ModelError& error) {
      EXPECT_NE(std::string(error.what()).find("layer2/"), std::string::npos) << error.what();
    }
  }
}

TEST_F(Models, OptionsThatDoNotFitTheParametersAreAModelError) {
  std::string changed = bytes();
  const auto at = changed.find("[70, 5]");
  ASSERT_NE(at, std::string::npos);
  changed.replace(at, 7, "[71, 5]");
  changed.replace(changed.find("thalweg.header_checksum"), 7, "another");  // so that the header has no checksum
  write(changed);
  try {
    (void)Model::load(file());
    FAIL();
  } catch (const ModelError& error) {
    EXPECT_NE(std::string(error.what()).find("layer1/"), std::string::npos) << error.what();
  }
}

/// A table with a category, missing numbers, and a target in thousands.
std::string prices() {
  std::string text = "area,zip,price\n";
  for (int i = 0; i < 60; ++i) {
    text += (i % 9 == 4 ? std::string() : std::to_string(50 + i)) + "," + std::to_string(1000 + i % 3) + "," +
            std::to_string(100000 + 2000 * i + 30000 * (i % 3)) + "\n";
  }
  return text;
}

TEST(SavedTrainers, OfATableLoadAndPredictInTheTargetsUnit) {
  const testing::TemporaryFolder folder;
  const fs::path file = folder / "prices.csv", saved = folder / "prices.safetensors";
  std::ofstream(file) << prices();
  const data::CsvOptions options{.target = "price", .types = {{"zip", "category"}}};
  const Dataset data = data::csv(file, options);
  ASSERT_EQ(data["input"].shape(), Shape({60, 5}));  // the area, whether it is missing, and three zip codes
  const ModelFunction network = nn::mlp(1, {.hidden = {16}});
  Trainer trainer(network, loss::mse, optim::adam({.lr = 0.02}), 1);
  trainer.fit(data, {.epochs = 200, .batch_size = 0});
  EXPECT_GT(trainer.evaluate(data)["r2"], 0.85);  // not 1, because missing areas are unknown
  trainer.save(saved);

  const Model model = Model::load(saved, network);
  EXPECT_EQ(model.input_names(), (std::vector<std::string>{"area", "zip"}));
  EXPECT_NEAR(model.predict(std::vector<float>{60, 1001}), 150000, 15000);
  const Tensor predicted = trainer.predict(data);
  const Prediction cells = model.predict_cells(std::vector<std::string_view>{"50", "1000"});
  EXPECT_NEAR(cells.value, predicted.at(0), 1e-5 * predicted.at(0));
  EXPECT_EQ(cells.value, model.predict(std::vector<float>{50, 1000}));
  EXPECT_EQ(model.predict_cells(std::vector<std::string_view>{"", "1000"}).value,
            model.predict(std::vector<float>{std::nanf(""), 1000}));
  EXPECT_NEAR(model.evaluate(data::csv(file, data))["rmse"], trainer.evaluate(data)["rmse"], 1e-3);

  const ModelFunction other = nn::mlp(1, {.hidden = {17}});
  EXPECT_THROW((void)Model::load(saved, other), ModelError);
  EXPECT_THROW((void)Model::load(saved), ModelError) << "the file does not name its model";
  EXPECT_THROW((void)data::csv(file, data::CsvOptions{.target = "cost"}), Error);
  EXPECT_THROW((void)data::csv(file, data::CsvOptions{.target = "price", .missing = "guess"}), UsageError);
}

TEST(SavedTrainers, OfOtherDataLoadToo) {
  const testing::TemporaryFolder folder;
  const fs::path saved = folder / "classes.safetensors";
  Dataset data;
  data.set("input", random_normal({30, 4}, 1));
  data.set("target", random_uniform({30}, 0, 2.99, 2).to(i32));
  Trainer trainer(nn::linear(3), loss::cross_entropy, optim::sgd({.lr = 0.1}), 1);
  trainer.fit(data, {.epochs = 1});
  trainer.save(saved);
  const Tensor predicted = Model::load(saved, nn::linear(3)).predict(data["input"]), wanted = trainer.predict(data);
  ASSERT_EQ(predicted.shape(), wanted.shape());
  for (std::int64_t i = 0; i < wanted.size(); ++i) EXPECT_NEAR(predicted.at(i), wanted.at(i), 1e-6);

  data.set("target", random_normal({30, 1}, 3));
  data.set_unit({.shift = 5, .scale = 10});
  Trainer numbers(nn::linear(1), loss::mse, optim::sgd({.lr = 0.1}), 1);
  numbers.fit(data, {.epochs = 1});
  numbers.save(saved);
  const Tensor values = Model::load(saved, nn::linear(1)).predict(data["input"]);
  for (std::int64_t i = 0; i < 30; ++i) EXPECT_NEAR(values.at(i), numbers.predict(data).at(i), 1e-4);
}

/// Saves a model file with parameters for `outputs` outputs, whatever the preprocessing says.
void save_crafted(const fs::path& path, std::int64_t outputs, const data::Preprocessing& preprocessing,
                  const std::string& loss = "cross_entropy") {
  Recipe recipe{{"mlp", {{"hidden", {OptionList{{std::int64_t{5}}}}}}}, {loss}, outputs, preprocessing};
  Dataset data;
  const Shape row = recipe.input().shape;
  Shape shape{4};
  for (const std::int64_t size : row) shape.push_back(size);
  data.set("input", zeros(shape, recipe.input().dtype));
  const bool labels = loss == "cross_entropy";
  const std::int64_t numbers = loss == "gaussian" ? outputs / 2 : outputs;  // a mean and a variance for each
  data.set("target", labels ? zeros({4}, i32) : zeros({4, numbers}));
  Trainer trainer(recipe.make_model(registry()), recipe.make_loss(registry()), optim::sgd({.lr = 0.1}), 1);
  trainer.init(data, 1);
  save_model(path, recipe, trainer.state());
}

data::Preprocessing table_of(data::Task task, std::vector<std::string> classes) {
  data::Schema schema{.target = "y", .task = task, .classes = std::move(classes)};
  schema.features = {{"a", data::ColumnKind::number}, {"b", data::ColumnKind::number}};
  return data::TablePreprocessing(schema, {{}, {}}, {});
}

void expect_refused(const fs::path& file, const std::string& what) {
  try {
    (void)Model::load(file);
    FAIL() << what;
  } catch (const ModelError& error) {
    EXPECT_NE(std::string(error.what()).find(what), std::string::npos) << error.what();
  }
}

TEST(CraftedModels, AWrongNumberOfOutputsForTheTaskIsRefused) {
  const testing::TemporaryFolder folder;
  const fs::path file = folder / "model.safetensors";
  save_crafted(file, 3, table_of(data::Task::binary, {"a", "b"}));
  expect_refused(file, "3 outputs");
  save_crafted(file, 3, table_of(data::Task::multiclass, {"a", "b"}));
  expect_refused(file, "3 outputs");
  save_crafted(file, 3, table_of(data::Task::multiclass, {"a", "b", "c", "d"}));
  expect_refused(file, "3 outputs");
  data::TensorPreprocessing images{
      .input = {2, 2, 1}, .dtype = u8, .task = data::Task::multiclass, .classes = {"a", "b"}};
  save_crafted(file, 3, images);
  expect_refused(file, "3 outputs");
  images.task = data::Task::language;
  save_crafted(file, 3, images);
  expect_refused(file, "language");
  save_crafted(file, 3, table_of(data::Task::multiclass, {"a", "b", "c"}));
  EXPECT_EQ(Model::load(file).predict(zeros({1, 2})).shape(), (Shape{1, 3}));
}

TEST(CraftedModels, AGaussianBesideClassesIsRefused) {
  const testing::TemporaryFolder folder;
  const fs::path file = folder / "model.safetensors";
  save_crafted(file, 2, table_of(data::Task::multiclass, {"a", "b"}), "gaussian");
  expect_refused(file, "Wanted: 2 in the last axis");
  save_crafted(file, 2, table_of(data::Task::binary, {"a", "b"}), "gaussian");
  expect_refused(file, "2 outputs");
}

TEST(CraftedModels, AVocabularyOfExponentialSizeIsRefused) {
  std::vector<data::Tokenizer::Pair> merges = {{97, 97}};
  for (std::int32_t id = 256; id < 300; ++id) merges.emplace_back(id, id);
  EXPECT_THROW((void)data::Tokenizer::bpe(merges), ModelError);
  merges.resize(6);  // 2, 4, 8, ... 64 bytes
  EXPECT_EQ(data::Tokenizer::bpe(merges).token(261), std::string(64, 'a'));
}

TEST(CraftedModels, PreprocessingNestedDeepIsRefused) {
  const std::string deep = std::string(100'000, '[') + std::string(100'000, ']');
  EXPECT_THROW((void)data::Preprocessing::from_json("{\"format\":" + deep + "}"), ModelError);
}

}  // namespace
}  // namespace thalweg
