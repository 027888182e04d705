// Errors name what was given, what was wanted, and the line of the user's call.

#include <gtest/gtest.h>

#include <optional>

#include "evaluate.hpp"
#include "thalweg/error.hpp"
#include "thalweg/estimators.hpp"
#include "thalweg/loss.hpp"
#include "thalweg/ops.hpp"

namespace thalweg {
namespace {

class Mistakes : public testing::Test {
 protected:
  Graph graph_, other_;
  Var a_ = graph_.input("a", {2, 3}, f32), b_ = graph_.input("b", {4, 3}, f32),
      wide_ = graph_.input("wide", {2, 3}, f64), labels_ = graph_.input("labels", {2}, i32),
      scalar_ = graph_.input("scalar", {}, f32), foreign_ = other_.input("foreign", {2, 3}, f32);

  /// Expects a message that contains these parts, and this file with the line.
  static void expect(const std::function<void()>& mistake, int line, std::initializer_list<std::string> parts) {
    try {
      mistake();
      ADD_FAILURE() << "line " << line << " was accepted";
    } catch (const UsageError& error) {
      const std::string message = error.what();
      const std::string place = "errors_test.cpp:" + std::to_string(line);
      EXPECT_NE(message.find(place), std::string::npos) << message << " does not name " << place;
      for (const std::string& part : parts)
        EXPECT_NE(message.find(part), std::string::npos) << message << " lacks " << part;
    }
  }
};

TEST_F(Mistakes, ShapesThatDoNotFit) {
  expect([&] { a_ + b_; }, __LINE__, {"[add]", "(2, 3)", "(4, 3)"});
  expect([&] { where(a_ > 0, a_, b_); }, __LINE__, {"[where]", "(4, 3)"});
  expect([&] { matmul(a_, b_); }, __LINE__, {"[matmul]", "3 and 4"});
  expect([&] { matmul(a_, scalar_); }, __LINE__, {"[matmul]", "scalar"});
  expect([&] { reshape(a_, {4, 2}); }, __LINE__, {"[reshape]", "(4, 2)"});
  expect([&] { broadcast_to(a_, {3, 3}); }, __LINE__, {"[broadcast_to]"});
  expect([&] { concat({a_, b_}, 1); }, __LINE__, {"[concat]", "(4, 3)"});
  expect([&] { concat({a_, b_}, 5); }, __LINE__, {"[concat]", "axis 5"});
  expect([&] { stack({a_, b_}); }, __LINE__, {"[stack]", "(2, 3)", "(4, 3)"});
  expect([&] { stack({a_, a_}, 3); }, __LINE__, {"[stack]", "axis 3"});
  expect([&] { stack({}); }, __LINE__, {"[stack]"});
  expect([&] { max(slice(a_, 0, 0), 0); }, __LINE__, {"[max]", "(0, 3)"});
  expect([&] { min(slice(a_, 0, 0)); }, __LINE__, {"[min]", "(0, 3)"});
  expect([&] { slice(a_, 1, 4); }, __LINE__, {"[slice]", "(2, 3)"});
  expect([&] { slice(a_, 0, 2, 3); }, __LINE__, {"[slice]", "axis 3"});
  expect([&] { slice(scalar_, 0); }, __LINE__, {"[slice]", "axis 0 of ()"});
  expect([&] { variance(a_, 2); }, __LINE__, {"[variance]", "axis 2"});
  expect([&] { norm(a_, 2); }, __LINE__, {"[norm]", "axis 2"});
  expect([&] { flatten(a_, -3); }, __LINE__, {"[flatten]", "-3 of (2, 3)"});
  expect([&] { score_function(a_, b_); }, __LINE__, {"(2, 3)", "(4, 3)"});
  expect([&] { squeeze(a_, 0); }, __LINE__, {"[squeeze]"});
  expect([&] { squeeze(a_, 4); }, __LINE__, {"[squeeze]", "axis 4"});
  expect([&] { transpose(a_, {0, 0}); }, __LINE__, {"[transpose]"});
  expect([&] { transpose(a_, {0, 7}); }, __LINE__, {"[transpose]", "axis 7"});
  expect([&] { expand_dims(a_, 4); }, __LINE__, {"[expand_dims]"});
  expect([&] { pad(a_, {{1, 1}}); }, __LINE__, {"[pad]"});
  expect([&] { pick(b_, labels_); }, __LINE__, {"[pick]", "(4, 3)"});
  expect([&] { cross_entropy_with_labels(b_, labels_); }, __LINE__, {"(4, 3)"});
  expect([&] { sum(a_, 2); }, __LINE__, {"[sum]", "axis 2"});
  expect([&] { mean(a_, {0, -2}); }, __LINE__, {"twice"});
  expect([&] { softmax(a_, 3); }, __LINE__, {"[softmax]", "axis 3"});
  expect([&] { cumsum(a_, -4); }, __LINE__, {"[cumsum]", "axis -4"});
}

TEST_F(Mistakes, DtypesThatDiffer) {
  expect([&] { a_* wide_; }, __LINE__, {"[mul]", "f32", "f64", "cast"});
  expect([&] { matmul(a_, transpose(wide_)); }, __LINE__, {"[matmul]", "f32", "f64"});
  expect([&] { concat({a_, wide_}); }, __LINE__, {"[concat]", "f64"});
  expect([&] { labels_ + 0.5; }, __LINE__, {"[add]", "0.5", "i32"});
  expect([&] { mean(labels_); }, __LINE__, {"[div]", "i32", "cast(x, tw::f32)"});
  expect([&] { labels_ / 2; }, __LINE__, {"[div]", "i32", "cast(x, tw::f32)"});
  expect([&] { norm(labels_); }, __LINE__, {"[norm]", "i32", "cast(x, tw::f32)"});
  expect([&] { pad(labels_, {{1, 1}}, 0.5); }, __LINE__, {"[pad]", "0.5", "i32"});
  expect([&] { where(labels_ > 0, labels_, 0.5); }, __LINE__, {"[where]", "0.5", "i32"});
  expect([&] { where(labels_ > 0, labels_, scalar_); }, __LINE__, {"[where]", "i32", "f32"});
  expect([&] { softmax(labels_); }, __LINE__, {"i32"});
  expect([&] { silu(labels_); }, __LINE__, {"i32"});
  expect([&] { gelu(labels_); }, __LINE__, {"i32"});
  expect([&] { gather(a_, a_); }, __LINE__, {"[gather]", "indices"});
  expect([&] { pick(a_, scalar_); }, __LINE__, {"[pick]", "labels"});
  expect([&] { one_hot(a_, 3); }, __LINE__, {"[one_hot]", "f32"});
  expect([&] { binary_cross_entropy_with_logits(scalar_, labels_); }, __LINE__, {"i32"});
  expect([&] { cast(a_, u8); }, __LINE__, {"[cast]", "u8"});
}

TEST_F(Mistakes, ALossThatIsNoScalar) {
  expect([&] { (void)gradients(a_ * 2, {a_}); }, __LINE__, {"[grad]", "(2, 3)", "scalar"});
  expect([&] { (void)gradients(labels_, {a_}); }, __LINE__, {"[grad]", "i32"});
  expect([&] { (void)Loss(a_); }, __LINE__, {"[loss]", "(2, 3)"});
}

TEST_F(Mistakes, TwoTracesMixed) {
  expect([&] { a_ + foreign_; }, __LINE__, {"[add]", "two traces"});
  expect([&] { matmul(a_, foreign_, false, true); }, __LINE__, {"[matmul]", "two traces"});
  expect([&] { concat({a_, foreign_}); }, __LINE__, {"[concat]", "two traces"});
  expect([&] { (void)gradients(sum(a_), {foreign_}); }, __LINE__, {"two traces"});
}

/// The next trace may have the same address, and its nodes have the same numbers, so only a check can find this.
TEST_F(Mistakes, AVarOfATraceThatHasEnded) {
  std::optional<Graph> graph(std::in_place);
  const Var kept = graph->input("kept", {2, 3}, f32);
  graph.emplace();
  const Var x = graph->input("x", {2, 3}, f32);
  ASSERT_EQ(&kept.graph(), &x.graph());
  expect([&] { x* kept; }, __LINE__, {"[mul]", "has ended"});
  expect([&] { exp(kept); }, __LINE__, {"[exp]", "has ended"});
  EXPECT_THROW((void)kept.shape(), UsageError);
}

TEST_F(Mistakes, AnEmptyVarIsNotANumber) {
  expect([&] { a_ + Var(); }, __LINE__, {"[add]", "empty Var"});
  expect([&] { concat({Var(), a_}); }, __LINE__, {"[concat]", "empty Var"});
  expect([&] { (void)gradients(sum(a_), {Var()}); }, __LINE__, {"empty Var"});
  expect([&] { (void)gradients(Var(), {a_}); }, __LINE__, {"empty Var"});
  EXPECT_THROW(sum(Var()), UsageError);
}

TEST_F(Mistakes, CotangentsAndTangentsThatDoNotFit) {
  EXPECT_THROW((void)vjp({a_}, {}, {a_}), UsageError);
  EXPECT_THROW((void)vjp({a_ * 2}, {b_}, {a_}), UsageError);
  EXPECT_THROW((void)vjp({a_ * 2}, {wide_}, {a_}), UsageError);
  EXPECT_THROW((void)vjp({}, {}, {a_}), UsageError);
  EXPECT_THROW((void)jvp({a_}, {a_}, {}), UsageError);
  EXPECT_THROW((void)jvp({a_}, {a_}, {b_}), UsageError);
  EXPECT_THROW((void)jvp({a_}, {foreign_}, {foreign_}), UsageError);
  const auto wrong = [&](std::size_t count, Var cotangent) {
    return custom_derivative(
        {a_}, [](std::span<const Var> x) { return x[0] * 2; },
        [=](std::span<const Var>, Var, Var) { return std::vector<Var>(count, cotangent); });
  };
  EXPECT_THROW((void)gradients(sum(wrong(2, a_)), {a_}), UsageError);
  EXPECT_THROW((void)gradients(sum(wrong(1, b_)), {a_}), UsageError);
}

TEST_F(Mistakes, NamesTakenTwice) { EXPECT_THROW(graph_.input("a", {1}, f32), UsageError); }

TEST(Mistake, AFunctionCalledWithTheWrongNumberOfArguments) {
  const Function f = [](Var x, Var y) { return x * y; };
  EXPECT_THROW((void)f(Tensor::of({1.0})), UsageError);
}

TEST(Mistake, AFunctionDoesNotNameALineOfTheLibrary) {
  const Function f = [](Var x) { return x; };
  const Tensor x = Tensor::of({1.0, 2.0});
  const std::pair<Function, std::vector<Tensor>> calls[] = {{grad(f), {x}}, {hvp(f), {x, x}}};
  for (const auto& [derivative, inputs] : calls) {
    try {
      (void)derivative.run(inputs);
      ADD_FAILURE() << "accepted";
    } catch (const UsageError& error) {
      EXPECT_EQ(std::string(error.what()).find(".cpp"), std::string::npos) << error.what();
    }
  }
}

TEST(Mistake, AFunctionThatReturnsNothing) {
  const Function f = [](Var) { return std::vector<Var>{}; };
  EXPECT_THROW((void)f(Tensor::of({1.0})), UsageError);
  EXPECT_THROW((void)grad(f)(Tensor::of({1.0})), UsageError);
}

}  // namespace
}  // namespace thalweg
