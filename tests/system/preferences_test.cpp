// Tuning on preferences: losses and gradients against PyTorch, exact divergences, texts drawn with the probabilities of
// the policy, and steps that allocate nothing.

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>
#include <tuple>

#include <gtest/gtest.h>

#include "allocations.hpp"
#include "data/preferences.hpp"
#include "data/preprocessing.hpp"
#include "reference_file.hpp"
#include "store/safetensors.hpp"
#include "system/text_policy.hpp"
#include "system/text_rewards.hpp"
#include "system/text_runs.hpp"
#include "temporary_folder.hpp"
#include "thalweg/error.hpp"
#include "thalweg/ops.hpp"
#include "thalweg/optimizers.hpp"
#include "thalweg/system.hpp"

namespace thalweg {
namespace {

constexpr std::int64_t length = 6;

/// Six tokens: the unknown character, the end of a line, a, b, c, d.
data::TextPreprocessing six_tokens() { return {data::Tokenizer::characters("\nabcd"), length}; }

OptionMap small_net(const std::string& positions = "learned") {
  return {{"layers", 1}, {"width", 8}, {"heads", 2}, {"context", 8}, {"positions", positions}};
}

System made(std::string_view kind, const OptionMap& more) {
  const auto row = std::ranges::find(systems(), kind, &SystemRow::name);
  OptionMap options = small_net();
  for (const auto& [key, value] : more) options[key] = value;
  return row->make({.preprocessing = std::make_shared<const data::Preprocessing>(six_tokens()), .threads = 1}, options);
}

Tensor whole(const std::vector<std::int32_t>& values, const Shape& shape) { return Tensor::from(values, shape); }

Dataset two_pairs() {
  Dataset rows;
  rows.set("chosen", whole({1, 2, 3, 4, 1, 0, 1, 5, 2, 2, 3, 4}, {2, length}));
  rows.set("rejected", whole({1, 2, 5, 1, 0, 0, 1, 5, 4, 3, 3, 1}, {2, length}));
  rows.set("chosen_count", whole({5, 6}, {2}));
  rows.set("rejected_count", whole({4, 6}, {2}));
  rows.set("prompt", whole({2, 2}, {2}));
  return rows;
}

double sum_of(const Tensor& rows, std::int64_t row) {
  double all = 0;
  const std::int64_t width = rows.shape()[1];
  for (std::int64_t i = row * width; i < (row + 1) * width; ++i) all += rows.at(i);
  return all;
}

/// The names of the gpt's parameters, in the order in which the reference numbers them.
const std::vector<std::string>& gpt_parameters() {
  static const std::vector<std::string> names = {"block1/attention/output/bias",
                                                 "block1/attention/output/weight",
                                                 "block1/attention/qkv/bias",
                                                 "block1/attention/qkv/weight",
                                                 "block1/feed_forward/hidden/bias",
                                                 "block1/feed_forward/hidden/weight",
                                                 "block1/feed_forward/output/bias",
                                                 "block1/feed_forward/output/weight",
                                                 "block1/norm1/bias",
                                                 "block1/norm1/weight",
                                                 "block1/norm2/bias",
                                                 "block1/norm2/weight",
                                                 "norm/bias",
                                                 "norm/weight",
                                                 "positions/table",
                                                 "tokens/table"};
  return names;
}

Tensor reference_values(const Shape& shape, double number, double shift, bool norm) {
  Tensor values(shape, f64);
  const double scale = shape.rank() > 1 ? 0.4 : 0.1;
  for (std::int64_t i = 0; i < values.size(); ++i)
    values.set(i, scale * std::sin(0.7 * static_cast<double>(i) + number + shift) + (norm ? 1 : 0));
  return values;
}

/// Compares loss and gradient with the reference. `more` are parameters in addition to the gpt's, by the names of the
/// reference, in order.
void expect_reference(const std::string& name, const Objective& loss, const Dataset& rows, const std::string& prefix,
                      const std::vector<std::pair<std::string, std::string>>& more, bool held_against) {
  TrainStep step(loss, optim::sgd({.lr = 1}), 1);
  State state = step.init(rows, 1, f64);
  std::vector<std::pair<std::string, std::string>> names;  // our name and that of the reference
  for (const std::string& own : gpt_parameters()) names.emplace_back(prefix + own, own);
  for (const auto& [own, other] : more) names.emplace_back(own, other);
  for (std::size_t i = 0; i < names.size(); ++i) {
    const std::string& own = names[i].first;
    const bool norm = own.find("norm") != std::string::npos && own.ends_with("weight");
    const Shape shape = state.parameter(own).shape();
    state.set_parameter(own, reference_values(shape, static_cast<double>(i), 0, norm));
    if (held_against)
      state.set_parameter("reference/" + own, reference_values(shape, static_cast<double>(i), 0.5, norm));
  }
  const State before = state;
  const double found = step(state, rows).loss;
  for (const nlohmann::json& item : testing::reference("preferences")) {
    if (item.at("name") != name) continue;
    EXPECT_NEAR(found, item.at("loss").get<double>(), 1e-9);
    for (const auto& [own, other] : names) {
      const auto gradient = item.at("gradients").at(other).get<std::vector<double>>();
      const Tensor from = before.parameter(own), to = state.parameter(own);
      ASSERT_EQ(static_cast<std::size_t>(from.size()), gradient.size()) << own;
      for (std::int64_t i = 0; i < from.size(); ++i)
        EXPECT_NEAR(from.at(i) - to.at(i), gradient[static_cast<std::size_t>(i)], 1e-9) << own << " " << i;
    }
    return;
  }
  FAIL() << "the reference has no " << name;
}

TEST(Dpo, MatchesPyTorchInLossAndGradient) {
  const System dpo = made("dpo", {{"beta", 0.3}, {"likelihood_weight", 0.2}, {"length", 6}});
  expect_reference("dpo", dpo.objectives[0].loss, two_pairs(), "", {}, true);
}

/// Computes the metrics of a policy and of its reference from their log-probabilities, and compares.
TEST(Dpo, ItsMetricsAgreeWithThoseComputedFromItsPairs) {
  const System dpo = made("dpo", {{"beta", 0.3}, {"length", 6}, {"texts", 4}});
  const Dataset pairs = two_pairs();
  TrainStep step(dpo.objectives[0].loss, optim::sgd({.lr = 1}), 1);
  State state = step.init(pairs, 1);
  for (std::size_t i = 0; i < gpt_parameters().size(); ++i) {
    const std::string& own = gpt_parameters()[i];
    const bool norm = own.find("norm") != std::string::npos && own.ends_with("weight");
    const Shape shape = state.parameter(own).shape();
    state.set_parameter(own, reference_values(shape, static_cast<double>(i), 0, norm).to(f32));
    state.set_parameter("reference/" + own, reference_values(shape, static_cast<double>(i), 0.5, norm).to(f32));
  }
  const SystemFigures figures = dpo.evaluate(state, {.train = pairs, .test = pairs, .name = "test", .seed = 1});
  const TextPolicy policy(six_tokens(), {.layers = 1, .width = 8, .heads = 2, .context = 8}, length, 1);
  double right = 0, loss = 0, surprise = 0, surprise_before = 0;
  std::vector<double> gone[2];
  for (const int side : {0, 1}) {
    const std::string name = side == 0 ? "chosen" : "rejected";
    const TextRows rows{pairs[name], pairs["prompt"], pairs[name + "_count"]};
    const TextSaid said = policy.said(state, part_of(state, "reference"), rows);
    for (std::int64_t row = 0; row < 2; ++row) {
      const double size = rows.count.at(row) - rows.prompt.at(row);
      const double own = sum_of(said.log_probability, row), before = sum_of(said.reference, row);
      gone[side].push_back(own - before);
      surprise -= side == 0 ? own / size / 2 : 0;
      surprise_before -= side == 0 ? before / size / 2 : 0;
    }
  }
  for (std::size_t row = 0; row < 2; ++row) {
    const double margin = 0.3 * (gone[0][row] - gone[1][row]);
    right += margin > 0 ? 0.5 : 0;
    loss += std::log(1 + std::exp(-margin)) / 2;
  }
  ASSERT_EQ(figures.metrics[2].first, "surprise a token");
  EXPECT_EQ(figures.metrics[0].second, right);
  EXPECT_NEAR(figures.metrics[1].second, loss, 1e-5);
  EXPECT_NEAR(figures.metrics[2].second, surprise, 1e-5);
  ASSERT_EQ(figures.baselines[0].second.back().first, "surprise a token");
  EXPECT_NEAR(figures.baselines[0].second.back().second, surprise_before, 1e-5);
  EXPECT_GT(std::abs(surprise - surprise_before), 1e-3);
}

TEST(Reward, MatchesPyTorchInLossAndGradient) {
  const System reward = made("reward", {{"language_weight", 0.5}});
  expect_reference("reward", reward.objectives[0].loss, two_pairs(), "gpt/", {{"head/weight", "zhead"}}, false);
}

/// All possible texts "\na", "\nab\n", ... with up to `longest` tokens after the first.
TextRows all_texts(const data::TextPreprocessing& text, std::int64_t longest) {
  const std::int32_t end = data::end_of_line(text.tokenizer);
  std::vector<std::vector<std::int32_t>> done, open = {{end}};
  for (std::int64_t place = 1; place <= longest; ++place) {
    std::vector<std::vector<std::int32_t>> next;
    for (const auto& own : open) {
      for (std::int32_t token = 0; token < text.tokenizer.size(); ++token) {
        std::vector<std::int32_t> longer = own;
        longer.push_back(token);
        (token == end || place == longest ? done : next).push_back(std::move(longer));
      }
    }
    open = std::move(next);
  }
  const auto rows = std::ssize(done);
  TextRows all{Tensor({rows, longest + 1}, i32), full({rows}, 1, i32), Tensor({rows}, i32)};
  for (std::int64_t row = 0; row < rows; ++row) {
    const auto& own = done[static_cast<std::size_t>(row)];
    for (std::size_t i = 0; i < own.size(); ++i)
      all.tokens.set(row * (longest + 1) + static_cast<std::int64_t>(i), own[i]);
    all.count.set(row, static_cast<double>(own.size()));
  }
  return all;
}

State state_of(const nn::GptOptions& net, std::int64_t tokens, std::uint64_t seed, double scale) {
  TrainStep step(
      [=](Scope s, const Batch& b) { return Loss::of_samples(mean(flatten(nn::gpt(tokens, net)(s, b["x"])), -1)); },
      optim::sgd({.lr = 1}), 1);
  Dataset like;
  like.set("x", Tensor({1, 2}, i32));
  State state = step.init(like, seed);
  for (float& value : state.parameters.mutable_values<float>()) value *= static_cast<float>(scale);
  return state;
}

class TextPolicyTest : public ::testing::TestWithParam<const char*> {
 protected:
  data::TextPreprocessing text{data::Tokenizer::characters("\nab"), 5};
  nn::GptOptions net{.layers = 1, .width = 8, .heads = 2, .context = 6, .positions = GetParam()};
  TextPolicy policy{text, net, 5, 1};
  State now = state_of(net, 4, 1, 12), before = state_of(net, 4, 2, 12);
};

/// KL(P || Q) over texts equals the mean over P's texts of the sum of the divergences at their positions.
TEST_P(TextPolicyTest, DivergencesAddUpToThatOfTheDistributionsOfTexts) {
  const TextRows all = all_texts(text, 4);
  const TextSaid said = policy.said(now, before, all);
  double mass = 0, exact = 0, by_places = 0, entropy = 0, by_entropies = 0;
  for (std::int64_t row = 0; row < all.rows(); ++row) {
    const double log_p = sum_of(said.log_probability, row), p = std::exp(log_p);
    mass += p;
    exact += p * (log_p - sum_of(said.reference, row));
    by_places += p * sum_of(said.divergence, row);
    entropy -= p * log_p;
    by_entropies += p * sum_of(said.entropy, row);
  }
  EXPECT_NEAR(mass, 1, 1e-5);
  EXPECT_GT(exact, 0.05);
  EXPECT_NEAR(by_places, exact, 1e-5 * std::max(1.0, exact));
  EXPECT_NEAR(by_entropies, entropy, 1e-5 * entropy);
}

/// Texts are drawn token by token, with caches; the probabilities to compare with are computed from whole texts.
TEST_P(TextPolicyTest, TextsAreDrawnByTheirProbabilities) {
  constexpr std::int64_t texts = 6000;
  const TextRows drawn = policy.write(now, {""}, texts, 0, RandomKey{7});
  const TextRows all = all_texts(text, 4);
  const TextSaid said = policy.said(now, now, all);
  const auto tokens_at = [](const TextRows& rows, std::int64_t row) {
    const auto tokens =
        rows.tokens.values<std::int32_t>().subspan(static_cast<std::size_t>(row * rows.tokens.shape()[1]));
    return std::vector<std::int32_t>(tokens.begin(), tokens.begin() + static_cast<std::ptrdiff_t>(rows.count.at(row)));
  };
  std::map<std::vector<std::int32_t>, double> found;
  for (std::int64_t row = 0; row < texts; ++row) found[tokens_at(drawn, row)] += 1;
  double chi = 0, known = 0, cells = 0;
  for (std::int64_t row = 0; row < all.rows(); ++row) {
    const double expected = std::exp(sum_of(said.log_probability, row)) * texts;
    const double seen = found[tokens_at(all, row)];
    known += seen;
    if (expected < 5) continue;
    chi += (seen - expected) * (seen - expected) / expected;
    cells += 1;
  }
  EXPECT_EQ(known, texts) << "some texts are impossible";
  EXPECT_LT(chi, cells + 5 * std::sqrt(2 * cells)) << cells << " cells";
}

TEST_P(TextPolicyTest, ContinuesPromptsWithTheSameBitsForAnyThreads) {
  const std::vector<std::string> prompts = {"ab", "", "b"};
  const TextRows one = policy.write(now, prompts, 100, 1, RandomKey{3});
  const TextRows two = TextPolicy(text, net, 5, 2).write(now, prompts, 100, 1, RandomKey{3});
  EXPECT_TRUE(identical(one.tokens, two.tokens));
  EXPECT_TRUE(identical(one.count, two.count));
  EXPECT_EQ(one.prompt.at(0), 1);  // "" is the second prompt
  EXPECT_EQ(one.prompt.at(2), 3);
  EXPECT_EQ(one.tokens.at(2 * 5 + 1), 2);
  EXPECT_EQ(one.tokens.at(2 * 5 + 2), 3);
  for (std::int64_t row = 0; row < 100; ++row) EXPECT_GT(one.count.at(row), one.prompt.at(row));
  EXPECT_FALSE(identical(one.tokens, policy.write(now, prompts, 100, 1, RandomKey{4}).tokens));
}

/// The texts are "\nab\n", "\nabab", "\naba\n" of the full length, and "\na", which is only a prompt.
TEST_P(TextPolicyTest, ATextEndsIfItsLastTokenIsTheEnd) {
  const TextRows rows{whole({1, 2, 3, 1, 0, 1, 2, 3, 2, 3, 1, 2, 3, 2, 1, 1, 2, 0, 0, 0}, {4, 5}),
                      whole({1, 1, 1, 2}, {4}), whole({4, 5, 5, 2}, {4})};
  EXPECT_TRUE(policy.ends(rows, 0));
  EXPECT_FALSE(policy.ends(rows, 1));
  EXPECT_TRUE(policy.ends(rows, 2));
  EXPECT_FALSE(policy.ends(rows, 3));
}

/// The prompt is longer than the texts of the training, which here have five tokens.
TEST(TextPolicy, ALongPromptIsNotTruncated) {
  const data::TextPreprocessing text{data::Tokenizer::characters("\nab"), 5};
  const nn::GptOptions net{.layers = 1, .width = 8, .heads = 2, .positions = "rotary"};
  const State now = state_of(net, 4, 1, 12);
  const TextRows rows = TextPolicy(text, net, 9, 1).write(now, {"abababa"}, 1, 0, RandomKey{3});
  ASSERT_EQ(rows.prompt.at(0), 8);  // with the token that begins a text
  for (std::int64_t i = 1; i < 8; ++i)
    EXPECT_EQ(rows.tokens.at(i), i % 2 == 1 ? rows.tokens.at(1) : rows.tokens.at(2)) << i;
  EXPECT_NE(rows.tokens.at(1), rows.tokens.at(2));
}

INSTANTIATE_TEST_SUITE_P(Positions, TextPolicyTest, ::testing::Values("learned", "rotary", "sinusoidal"),
                         [](const auto& test) { return std::string(test.param); });

TEST(TextAdvantages, FollowTheirDefinition) {
  const TextCourse course{.reward = 2, .values = {0.5, 1, -0.5}, .log_ratio = {0.1, -0.2, 0.3}};
  const TextAdvantages to_the_end = advantages_of(course, 0.5, 1);
  // with lambda = 1 the return is the sum of all following rewards
  const double rewards[] = {-0.05, 0.1, 2 - 0.15};
  EXPECT_NEAR(to_the_end.returns[0], rewards[0] + rewards[1] + rewards[2], 1e-12);
  EXPECT_NEAR(to_the_end.returns[2], rewards[2], 1e-12);
  EXPECT_NEAR(to_the_end.advantage[1], rewards[1] + rewards[2] - 1, 1e-12);
  const TextAdvantages ahead = advantages_of(course, 0.5, 0);
  EXPECT_NEAR(ahead.advantage[0], rewards[0] + 1 - 0.5, 1e-12);
  EXPECT_NEAR(ahead.advantage[2], rewards[2] + 0.5, 1e-12);
  const TextAdvantages between = advantages_of(course, 0.5, 0.9);
  EXPECT_NEAR(between.advantage[1], ahead.advantage[1] + 0.9 * ahead.advantage[2], 1e-12);
}

TEST(DivergenceWeight, RisesAboveTheTargetAndNeverFallsBelowItsFirstValue) {
  EXPECT_NEAR(next_weight(0.2, 8, 8, 0.1), 0.2, 1e-12);
  EXPECT_NEAR(next_weight(0.2, 8.8, 8, 0.1), 0.2 * 1.05, 1e-12);
  EXPECT_NEAR(next_weight(0.2, 80, 8, 0.1), 0.2 * 1.5, 1e-12);
  EXPECT_NEAR(next_weight(0.2, 0, 8, 0.1), 0.2 * 0.9, 1e-12);
  EXPECT_EQ(next_weight(0.1, 0, 8, 0.1), 0.1);
}

/// Writes run folders of a gpt and of a reward.
class PpoText : public testing::TemporaryFolderTest {
 protected:
  void SetUp() override {
    TemporaryFolderTest::SetUp();
    save_run("gpt", six_tokens());
    save_run("reward", six_tokens());
  }
  /// Saves a run. The parameters of the gpt are those of the reference.
  void save_run(const std::string& kind, const data::TextPreprocessing& text) const {
    const std::int64_t tokens = text.tokenizer.size();
    const nn::GptOptions net{.layers = 1, .width = 8, .heads = 2, .context = 8};
    State state = state_of(net, tokens, 5, 4);
    SafetensorsFile file;
    file.metadata = {{kind == "gpt" ? "model.kind" : "system.kind", kind},
                     {kind == "gpt" ? "model.options" : "system.options", OptionValue{small_net()}.str()},
                     {"preprocessing", data::Preprocessing(text).json()}};
    for (const std::string& own : gpt_parameters())
      file.tensors.emplace_back((kind == "gpt" ? "" : "gpt/") + own, state.parameter(own));
    if (kind == "reward") file.tensors.emplace_back("head/weight", random_normal({8, 1}, 3));
    std::filesystem::create_directories(path(kind));
    write_safetensors(path(kind) / "model.safetensors", file);
  }
  [[nodiscard]] OptionMap options(const OptionMap& more = {}) const {
    OptionMap all = {{"gpt", path("gpt").string()}, {"reward", path("reward").string()}, {"length", length}};
    for (const auto& [key, value] : small_net()) all[key] = value;
    for (const auto& [key, value] : more) all[key] = value;
    return row().complete(all);
  }
  [[nodiscard]] static const SystemRow& row() { return *std::ranges::find(systems(), "ppo_text", &SystemRow::name); }
  [[nodiscard]] System system(const OptionMap& more = {}, int threads = 1) const {
    return row().make({.threads = threads}, options(more));
  }
};

TEST_F(PpoText, MatchesPyTorchInLossAndGradient) {
  Dataset rows;
  const Dataset pairs = two_pairs();
  rows.set("tokens", pairs["chosen"]);
  rows.set("prompt", pairs["prompt"]);
  rows.set("count", pairs["chosen_count"]);
  for (const auto& [name, factor, phase, add] :
       {std::tuple{"log_probability", 0.3, 1., -1.8}, {"advantage", 1., 2., 0.}, {"return", 0.5, 3., 0.}}) {
    Tensor column({2, length - 1}, f64);
    for (std::int64_t i = 0; i < column.size(); ++i)
      column.set(i, factor * std::sin(phase + static_cast<double>(i)) + add);
    rows.set(name, column);
  }
  expect_reference("ppo_text", system().objectives[0].loss, rows, "",
                   {{"value/bias", "zvalue/bias"}, {"value/weight", "zvalue/weight"}}, false);
}

/// The policy has not been tuned yet, so its divergence is 0. Advantages of written tokens have mean 0 and deviation 1.
TEST_F(PpoText, ACollectionIsTheSameForAnyThreadsAndStartsWithoutDivergence) {
  const System one = system({{"rows", 40}, {"prompts", OptionList{"a", "bc"}}}),
               two = system({{"rows", 40}, {"prompts", OptionList{"a", "bc"}}}, 2);
  TrainStep step(one.objectives[0].loss, optim::sgd({.lr = 1}), 1);
  State state = step.init(one.own_rows->like, 1);
  state.load(path("gpt/model.safetensors").string(), "*");
  const Collection first = one.own_rows->collect(state, {.seed = 4}), again = two.own_rows->collect(state, {.seed = 4});
  for (const auto& [name, column] : first.rows.columns()) {
    EXPECT_TRUE(identical(column, again.rows[name])) << name;
    EXPECT_TRUE(one.own_rows->like.has(name)) << name;
  }
  EXPECT_EQ(first.metrics, again.metrics);
  EXPECT_NEAR(first.metrics[1].second, 0, 1e-5) << first.metrics[1].first;
  double sum = 0, squares = 0, written = 0;
  for (std::int64_t row = 0; row < 40; ++row) {
    const auto begin = static_cast<std::int64_t>(first.rows["prompt"].at(row)) - 1,
               end = static_cast<std::int64_t>(first.rows["count"].at(row)) - 1;
    for (std::int64_t i = 0; i < length - 1; ++i) {
      const double advantage = first.rows["advantage"].at(row * (length - 1) + i);
      if (i < begin || i >= end) {
        EXPECT_EQ(advantage, 0);
        continue;
      }
      sum += advantage;
      squares += advantage * advantage;
      written += 1;
    }
  }
  EXPECT_NEAR(sum / written, 0, 1e-5);
  EXPECT_NEAR(squares / written, 1, 1e-4);
  // another gae_lambda gives other advantages
  const System near = system({{"rows", 40}, {"prompts", OptionList{"a", "bc"}}, {"gae_lambda", 0.}});
  EXPECT_FALSE(identical(first.rows["advantage"], near.own_rows->collect(state, {.seed = 4}).rows["advantage"]));
  // below the target of the divergence, the weight stays at its first value
  const Collection next = one.own_rows->collect(state, {.last = &first, .number = 1, .seed = 4});
  EXPECT_EQ(next.metrics[2].second, 0.1) << next.metrics[2].first;
  EXPECT_FALSE(identical(first.rows["tokens"], next.rows["tokens"]));
}

TEST_F(PpoText, RefusesRunsThatDoNotFitTogetherAndChangedRuns) {
  const OptionMap whole = options();
  const auto refused = [&](const auto& make, const std::string& why) {
    try {
      make();
      ADD_FAILURE() << why;
    } catch (const Error& error) {
      EXPECT_NE(std::string(error.what()).find(why), std::string::npos) << error.what();
    }
  };
  refused([&] { (void)options({{"reward", path("nowhere").string()}}); }, "there is no such folder");
  refused([&] { (void)options({{"reward", path("gpt").string()}}); }, "it is a run of gpt");
  refused([&] { (void)system({{"prompts", OptionList{"abcdab"}}}); }, "a prompt of 7 tokens");
  refused([&] { (void)system({{"length", 9}}); }, "at most 8");
  refused([&] { (void)system({{"prompts", OptionList{"a "}}}); }, "the prompt 'a '. Wanted: no blank around it");
  save_run("reward", {data::Tokenizer::characters("\nabcde"), length});
  refused([&] { (void)options(); }, "reads 7 tokens and gpt");
  refused([&] { (void)row().make({.threads = 1}, whole); }, "its parameters have changed");
}

/// Except in the report, which allocates the names of its metrics.
TEST(Preferences, AStepAllocatesNothing) {
  for (const auto& [kind, options] : {std::pair<const char*, OptionMap>{"dpo", {{"length", 6}}}, {"reward", {}}}) {
    const System system = made(kind, options);
    TrainStep step(system.objectives[0].loss, optim::adam(), 1);
    const Dataset rows = two_pairs();
    State state = step.init(rows, 3);
    for (int i = 0; i < 3; ++i) (void)step(state, rows);
    const long before = testing::allocations();
    const StepReport report = step(state, rows);
    const long after = testing::allocations();
    Metrics again;
    for (const auto& metric : report.metrics) again.push_back(metric);
    EXPECT_LE(after - before, testing::allocations() - after) << kind;
  }
}

}  // namespace
}  // namespace thalweg
