// Computations written as text, with symbols and with numbers.

#include "plan/notation.hpp"

#include <gtest/gtest.h>

#include "core/numbers.hpp"
#include "thalweg/derivatives.hpp"
#include "thalweg/ops.hpp"

namespace thalweg {
namespace {

class NotationOf : public ::testing::Test {
 protected:
  Graph graph;
  Var x = graph.input("x", {}, f64), y = graph.input("y", {}, f64);

  [[nodiscard]] std::pair<std::string, std::string> of(Var var, double at_x = 3, double at_y = -2) {
    Notation notation(graph);
    notation.name(x, "x", full({}, at_x, f64));
    notation.name(y, "y", full({}, at_y, f64));
    notation.evaluate({var});
    return {notation.symbols(var), notation.numbers(var, 0)};
  }
  [[nodiscard]] std::string symbols(Var var) { return of(var).first; }
};

TEST_F(NotationOf, ParenthesesFollowAlgebra) {
  EXPECT_EQ(symbols(x + 2 * y), "x + 2*y");
  EXPECT_EQ(symbols((x + 2) * y), "(x + 2)*y");
  EXPECT_EQ(symbols(x - (y - 1)), "x - (y - 1)");
  EXPECT_EQ(symbols(x + (y - 1)), "x + y - 1");
  EXPECT_EQ(symbols(x / (y * 2)), "x/(2*y)");
  EXPECT_EQ(symbols(x / y / 2), "x/(y*2)");
  EXPECT_EQ(symbols(-(x + y)), "-(x + y)");
  EXPECT_EQ(symbols(x - 2 * -y), "x + 2*y");
  EXPECT_EQ(symbols(1 / (1 - x)), "1/(1 - x)");
}

TEST_F(NotationOf, PowersAndFunctions) {
  EXPECT_EQ(symbols(square(x)), "x^2");
  EXPECT_EQ(symbols(pow(x, 3)), "x^3");
  EXPECT_EQ(symbols(square(x + y)), "(x + y)^2");
  EXPECT_EQ(symbols(pow(x, y + 1)), "x^(y + 1)");
  EXPECT_EQ(symbols(sqrt(x) / sqrt(1 - y)), "sqrt(x)/sqrt(1 - y)");
  EXPECT_EQ(symbols(rsqrt(x)), "1/sqrt(x)");
  EXPECT_EQ(symbols(maximum(x, 2 * y) - abs(x)), "max(x, 2*y) - abs(x)");
  EXPECT_EQ(symbols(atan2(x, y)), "atan2(x, y)");
}

TEST_F(NotationOf, NumbersReplaceSymbols) {
  EXPECT_EQ(of(x + 2 * y).second, "3 + 2*(-2)");
  EXPECT_EQ(of(y - x).second, "-2 - 3");
  EXPECT_EQ(of(square(y)).second, "(-2)^2");
  EXPECT_EQ(of(0.1 * x / sqrt(x)).second, "0.1*3/sqrt(3)");
}

TEST_F(NotationOf, GradientsAreWrittenAsInTextbooks) {
  const Var f = square(1 - x) + 100 * square(y - square(x));
  const std::vector<Var> g = gradients(f, {x, y});
  EXPECT_EQ(symbols(g[0]), "-2*(1 - x) - 400*(y - x^2)*x");
  EXPECT_EQ(symbols(g[1]), "200*(y - x^2)");
  EXPECT_EQ(of(g[1], 1.5, 0).second, "200*(0 - 1.5^2)");
}

TEST_F(NotationOf, OnlyTheBranchThatIsTakenIsWritten) {
  const Var choice = where(x < y, 1, exp(y));
  EXPECT_EQ(of(choice, 3, -2).first, "exp(y)");
  EXPECT_EQ(of(choice, -3, -2).first, "1");
  const Var v = graph.input("v", {2}, f64), each = where(v < 0, -v, 2 * v);
  Notation notation(graph);
  notation.name(v, "v", Tensor::of({-1.0, 4.0}));
  notation.evaluate({each});
  EXPECT_EQ(notation.symbols(each), "where(v < 0, -v, 2*v)");
  EXPECT_EQ(notation.numbers(each, 1), "2*4");
}

TEST_F(NotationOf, SumsOverElementsAreSymbolsAndNumbers) {
  const Var v = graph.input("v", {3}, f64);
  const Var part = v / sum(v);
  Notation notation(graph);
  notation.name(v, "v", Tensor::of({1.0, 2.0, 5.0}));
  notation.evaluate({part});
  EXPECT_EQ(notation.symbols(part), "v/sum(v)");
  EXPECT_EQ(notation.numbers(part, 1), "2/8");
}

TEST_F(NotationOf, LongTextsAreOmitted) {
  Var total = x;
  for (int i = 0; i < 5000; ++i) total = total + sin(total);
  EXPECT_EQ(symbols(total), "");
}

TEST(NumberText, HasSixDigitsAndShortExponents) {
  EXPECT_EQ(number_text(1.0 / 3), "0.333333");
  EXPECT_EQ(number_text(1e-8), "1e-8");
  EXPECT_EQ(number_text(-0.0), "0");
  EXPECT_EQ(number_text(2.5e-12), "2.5e-12");
}

}  // namespace
}  // namespace thalweg
