#include "run/config.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "thalweg/error.hpp"

namespace thalweg {
namespace {

constexpr DataFacts houses{.task = data::Task::regression, .rows = 404};

Config read(const std::string& text, const DataFacts& facts = houses) {
  const ConfigTree tree = parse_toml(text, "test.toml");
  return read_config(tree, read_data_options(tree, "/folder"), facts, registry());
}

const std::string data_section = "[data]\ntrain = \"t.csv\"\ntarget = \"y\"\n";

std::string error_of(const std::string& text) {
  try {
    (void)read(text);
  } catch (const UsageError& error) {
    return error.what();
  }
  return "";
}

void expect_error(const std::string& text, std::initializer_list<const char*> words) {
  const std::string error = error_of(text);
  for (const char* word : words) EXPECT_NE(error.find(word), std::string::npos) << word << " in: " << error;
}

TEST(Config, IsTheSameAfterWritingAndReading) {
  const std::string text =
      data_section +
      "drop = [\"a\", \"b \\\"c\\\"\"]\ntypes = { \"zip code\" = \"category\" }\nvalidation = 0.25\n"
      "[model]\nhidden = [7]\n[optimizer]\nkind = \"sgd\"\nlr = 0.1\nnesterov = false\n"
      "[schedule]\nkind = \"cosine\"\nwarmup = \"3 epochs\"\n"
      "[train]\nearly_stopping = { patience = \"2 epochs\" }\n";
  const Config once = read(text), twice = read(once.toml());
  EXPECT_EQ(once.toml(), twice.toml());
  EXPECT_EQ(differences(once, twice), std::vector<std::string>{});
  EXPECT_EQ(once.fingerprint(), twice.fingerprint());
}

TEST(Config, EveryKindOfEveryTableIsTheSameAfterWritingAndReading) {
  const auto expect_round_trip = [](const std::string& section, std::string_view kind, const std::string& rate = "") {
    const Config once = read(data_section + "[" + section + "]\nkind = \"" + std::string(kind) + "\"\n" + rate);
    EXPECT_EQ(once.toml(), read(once.toml()).toml()) << kind;
  };
  const Registry tables = registry();
  for (const auto& row : tables.models()) expect_round_trip("model", row.name);
  for (const auto& row : tables.losses()) expect_round_trip("loss", row.name);
  for (const auto& row : tables.optimizers()) {
    // some methods have no default rate, and a method that wraps another one has no rate
    const bool takes_rate =
        std::ranges::any_of(row.options, [](const OptionDoc& option) { return option.name == "lr"; });
    expect_round_trip("optimizer", row.name, takes_rate ? "lr = 0.01\n" : "");
  }
  for (const auto& row : tables.schedules()) {
    const std::string parts = "parts = [{ kind = \"linear\" }, { kind = \"cosine\" }]\nlengths = [\"50%\"]\n";
    expect_round_trip("schedule", row.name, row.name == "join" ? parts : "");
  }
}

TEST(Config, ABatchMayBeTheWholeSet) {
  const Config config = read(data_section + "[train]\nbatch_size = \"all\"\n");
  EXPECT_EQ(config.fit_options().batch_size, 0);
  EXPECT_EQ(config.train.batch_size.of(404), 404);
  EXPECT_NE(config.toml().find("batch_size = \"all\""), std::string::npos);
  EXPECT_EQ(read(data_section).train.batch_size.of(10), 10);
  expect_error(data_section + "[train]\nbatch_size = \"some\"\n", {"batch_size = \"some\"", "or \"all\""});
}

TEST(Config, DefaultsFollowTheData) {
  EXPECT_EQ(read(data_section).loss.kind, "mse");
  EXPECT_EQ(read(data_section, {.task = data::Task::binary, .rows = 404}).loss.kind, "binary_cross_entropy");
  EXPECT_EQ(read(data_section, {.task = data::Task::multiclass, .rows = 404}).loss.kind, "cross_entropy");
  EXPECT_EQ(read(data_section).train.batch_size.rows, 32);
  EXPECT_EQ(read(data_section, {.rows = 10'000}).train.batch_size.rows, 128);
}

TEST(Config, TheBestEpochOfATableIsKeptIfThereAreValidationRows) {
  const auto stopping = [](const std::string& text) { return read(text).train.early_stopping.str(); };
  EXPECT_NE(stopping(data_section).find("validation.loss"), std::string::npos);
  EXPECT_EQ(stopping("[data]\ntrain = \"t.csv\"\ntarget = \"y\"\nvalidation = 0\n"), "false");
  EXPECT_EQ(stopping(data_section + "[train]\nearly_stopping = false\n"), "false");
}

/// Many rows with numbers as targets tell finer differences apart, and need less decay. Few rows never get more than
/// 0.3.
TEST(Config, TheNetworkForNumbersIsFinerWhereThereAreManyRows) {
  const auto decay = [](const Config& config) { return config.optimizer.options.at("weight_decay").str(); };
  const auto deviation = [](const Config& config) { return config.model.options.at("frequency_deviation").str(); };
  for (const std::int64_t rows : {1, 100, 9'999}) {
    const Config config = read(data_section, {.rows = rows});
    EXPECT_EQ(decay(config), "0.3") << rows;
    EXPECT_EQ(deviation(config), "0.1") << rows;
  }
  const Config classes = read(data_section, {.task = data::Task::binary, .rows = 10'000});
  EXPECT_EQ(decay(classes), "0.3");
  EXPECT_EQ(deviation(classes), "0.1");
  const Config many = read(data_section, {.rows = 10'000});
  EXPECT_EQ(decay(many), "0.03");
  EXPECT_EQ(deviation(many), "3.0");
  const std::string own = "[model]\nkind = \"tabular\"\nfrequency_deviation = 0.5\n[optimizer]\nweight_decay = 0.2\n";
  EXPECT_EQ(decay(read(data_section + own, {.rows = 10'000})), "0.2");
  EXPECT_EQ(deviation(read(data_section + own, {.rows = 10'000})), "0.5");
  EXPECT_EQ(decay(read(data_section + "[model]\nkind = \"mlp\"\n", {.rows = 10'000})), "0.3");
}

TEST(Config, TheDefaultsOfOneKindDoNotApplyToAnother) {
  const Config config = read(data_section + "[optimizer]\nkind = \"adam\"\n");
  EXPECT_EQ(config.optimizer.options.at("weight_decay").str(), "0.0");
  EXPECT_EQ(config.optimizer.options.at("lr").str(), "0.001");
}

/// `sam` and others have no rate of their own; a method that finds the length of its steps has none at all.
TEST(Config, ARateGoesToTheMethodThatIsWrapped) {
  const Registry known = registry();
  for (const OptimizerRow& row : known.optimizers()) {
    const std::string text = data_section + "[optimizer]\nkind = \"" + std::string(row.name) + "\"\nlr = 0.0625\n";
    if (row.owns_steps) {
      EXPECT_THROW((void)read(text), UsageError) << row.name;
    } else {
      EXPECT_EQ(read(text).make_optimizer(known).lr, 0.0625) << row.name;
    }
  }
}

TEST(Config, PathsAreRelativeToTheFile) {
  EXPECT_EQ(*read(data_section).data.train.get_if<std::string>(), "/folder/t.csv");
  const Config parent = read("[data]\ntrain = \"../t.csv\"\ntest = \"/elsewhere/u.csv\"\ntarget = \"y\"\n");
  EXPECT_EQ(*parent.data.train.get_if<std::string>(), "/t.csv");
  EXPECT_EQ(*parent.data.test.get_if<std::string>(), "/elsewhere/u.csv");
}

TEST(Config, ErrorsNameTheLineAndTheNearest) {
  expect_error(data_section + "[optimizer]\nwieght_decay = 1\n", {"test.toml:5", "'weight_decay'"});
  expect_error(data_section + "[train]\nepochs = 2.5\n", {"test.toml:5", "epochs = 2.5", "a whole number"});
  expect_error(data_section + "[train]\nbatch_size = 0\n", {"test.toml:5", "batch_size = 0", ">= 1"});
  expect_error(data_section + "[optimizer]\nlr = nan\n", {"test.toml:5", "optimizer.lr", "finite"});
  expect_error(data_section + "[model]\nkind = \"mpl\"\n", {"test.toml:5", "'mlp'"});
  expect_error(data_section + "format = \"cvs\"\n", {"test.toml:4", "'csv'"});
  expect_error(data_section + "[trian]\nepochs = 1\n", {"test.toml:4", "'train'"});
  expect_error(data_section + "types = 3\n", {"test.toml:4", "types"});
  expect_error("[data]\ntrain = { images = \"a\", labels = \"b\" }\ntarget = \"y\"\n", {"test.toml:3", "'target'"});
  expect_error("[data]\ntrain = \"t.csv\"\n", {"target", "--target"});
  expect_error(data_section + "[train]\nearly_stopping = 3\n", {"early_stopping = 3"});
  expect_error(data_section + "validation = 1.5\n", {"validation", "in [0, 1)"});
  expect_error("a = 1\na = 2\n", {"test.toml:2"});
}

TEST(Config, ErrorsInsideAListNameTheLineOfTheirItem) {
  const std::string layers = "[model]\nkind = \"layers\"\nlayers = [\n  { kind = \"dense\", units = 8 },\n";
  expect_error(data_section + layers + "  { kind = \"dense\", units = 0 }]\n", {"test.toml:8", "units = 0"});
  expect_error(data_section + layers + "  { kind = \"dance\" }]\n", {"test.toml:8", "'dense'"});
  const std::string join = "[schedule]\nkind = \"join\"\n";
  expect_error(data_section + join + "parts = [{ kind = \"cosin\" }]\n", {"test.toml:6", "'cosine'"});
  expect_error(data_section + "[train.early_stopping]\npatience = \"often\"\n",
               {"test.toml:5", "patience = \"often\"", "3 epochs"});
  expect_error(data_section + "[train]\nearly_stopping = { patients = 3 }\n", {"test.toml:5", "'patience'"});
}

TEST(Config, OverridesHaveNoLineInTheFile) {
  ConfigTree tree =
      parse_toml(data_section + "[model]\nkind = \"layers\"\nlayers = [{ kind = \"dance\" }]\n", "test.toml");
  EXPECT_EQ(tree.line_of("model", "layers[0].kind"), 6);
  EXPECT_EQ(tree.line_of("model", "layers[0].units"), 6) << "the line of the list that contains it";
  EXPECT_EQ(tree.line_of("model", "head"), std::nullopt);
  tree.set_text("model.layers", "[{ kind = \"dense\" }]");
  EXPECT_EQ(tree.line_of("model", "layers[0].kind"), std::nullopt);
  EXPECT_EQ(tree.line_of("model", "kind"), 5);
}

TEST(Config, TheTreeIsTheSameAfterWritingAndReading) {
  const Config config =
      read(data_section + "[optimizer]\nlr = \"auto\"\n[schedule]\nkind = \"cosine\"\nwarmup = \"5%\"\n");
  EXPECT_EQ(OptionValue{config.tree()}.str(), OptionValue{parse_toml(config.toml()).values}.str());
  EXPECT_EQ(config.tree().at("optimizer").get_if<OptionMap>()->at("lr").str(), "\"auto\"");
}

TEST(Config, AnOverrideIsTomlOrElseText) {
  ConfigTree tree = parse_toml(data_section);
  tree.set_text("optimizer.lr", "3e-3");
  tree.set_text("model.hidden", "[512, 256]");
  tree.set_text("schedule.warmup", "5%");
  tree.set_text("data.target", "medv");
  tree.set_text("model.activation", "\"tanh\"");
  EXPECT_EQ(tree.find("optimizer.lr")->str(), "0.003");
  EXPECT_EQ(tree.find("model.hidden")->str(), "[512, 256]");
  EXPECT_EQ(tree.find("schedule.warmup")->str(), "\"5%\"");
  EXPECT_EQ(tree.find("data.target")->str(), "\"medv\"");
  EXPECT_EQ(tree.find("model.activation")->str(), "\"tanh\"");
  EXPECT_EQ(tree.find("model.nothing"), nullptr);
}

TEST(Config, AnOverrideCannotSetAnotherKey) {
  ConfigTree tree;
  tree.set_text("a", "1\nb = 2");
  EXPECT_EQ(tree.values.size(), 1u);
  EXPECT_EQ(tree.find("a")->str(), "\"1\\nb = 2\"");
}

TEST(Config, ThreadsAndCheckpointsDoNotChangeTheFingerprint) {
  const Config one = read(data_section);
  Config other = one;
  other.train.threads = 3;
  other.train.checkpoint_every = "7 steps";
  other.train.keep_checkpoints = 9;
  EXPECT_TRUE(differences(one, other).empty());
  EXPECT_EQ(one.fingerprint(), other.fingerprint());
  other.train.epochs = 7;
  ASSERT_EQ(differences(one, other).size(), 1u);
  EXPECT_EQ(differences(one, other).front(), "train.epochs: 40 -> 7");
}

}  // namespace
}  // namespace thalweg
