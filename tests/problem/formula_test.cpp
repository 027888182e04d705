// Formulas: precedence, functions, variables, errors with their column, and robustness against any text.

#include "thalweg/formula.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

#include "core/random.hpp"
#include "thalweg/derivatives.hpp"
#include "thalweg/error.hpp"

namespace thalweg {
namespace {

double value(std::string_view text, const std::vector<double>& x = {0}) {
  return Function(Formula(text))(Tensor::from(x, {static_cast<std::int64_t>(x.size())})).item();
}

std::string complaint(std::string_view text) {
  try {
    (void)Formula(text);
  } catch (const UsageError& error) {
    return error.what();
  }
  return "";
}

TEST(Formula, PrecedenceFollowsAlgebra) {
  EXPECT_EQ(value("x + 2*3", {0}), 6);
  EXPECT_EQ(value("x + 2*3^2", {0}), 18);
  EXPECT_EQ(value("(x + 2)*3", {0}), 6);
  EXPECT_EQ(value("x - 2 - 3", {10}), 5);
  EXPECT_EQ(value("x/2/3", {12}), 2);
  EXPECT_EQ(value("x/2*3", {12}), 18);
  EXPECT_EQ(value("2 - x", {-3}), 5);
}

TEST(Formula, PowersBindFromTheRightAndBeforeASign) {
  EXPECT_EQ(value("2^3^x", {2}), 512);
  EXPECT_EQ(value("-x^2", {3}), -9);
  EXPECT_EQ(value("(-x)^2", {3}), 9);
  EXPECT_EQ(value("x^-2", {2}), 0.25);
  EXPECT_EQ(value("2*-x", {3}), -6);
  EXPECT_EQ(value("--x", {3}), 3);
  EXPECT_EQ(value("+x - +-x", {3}), 6);
}

TEST(Formula, NumbersAndConstants) {
  EXPECT_EQ(value("x + .5 + 1. + 1e-3 + 2E2", {0}), .5 + 1. + 1e-3 + 2E2);
  EXPECT_EQ(value("x + pi", {0}), std::numbers::pi);
  EXPECT_EQ(value("x + e", {0}), std::numbers::e);
  EXPECT_EQ(value("2*3 + 0*x", {5}), 6);
  EXPECT_EQ(value("x*sin(pi/2) + max(1, 2)", {5}), 7);
}

TEST(Formula, WithoutVariablesIsAConstant) {
  for (const auto& [text, constant] : {std::pair("3", 3.0), std::pair("-2^2 + max(1, 2)", -2.0)}) {
    EXPECT_EQ(value(text, {}), constant) << text;
    const auto both = value_and_grad(Function(Formula(text)))(zeros({0}, f64));
    EXPECT_EQ(both.first.item(), constant);
    EXPECT_EQ(both.second.shape(), Shape{0});
    EXPECT_THROW((void)value(text, {1}), UsageError);
    EXPECT_THROW((void)Formula(text).of({}), UsageError);
  }
}

TEST(Formula, FunctionsAreThoseOfTheOpTable) {
  const double x = 0.7, y = 0.3;
  EXPECT_DOUBLE_EQ(value("sin(x)*exp(y) + ln(x) - log10(y)", {x, y}),
                   std::sin(x) * std::exp(y) + std::log(x) - std::log10(y));
  EXPECT_DOUBLE_EQ(value("sqrt(abs(x - y)) + tanh(x) + atan2(x, y)", {x, y}),
                   std::sqrt(std::abs(x - y)) + std::tanh(x) + std::atan2(x, y));
  EXPECT_EQ(value("min(x, y, 0.5) + max(x, y, 0.5, 0.9)", {x, y}), 0.3 + 0.9);
  EXPECT_EQ(value("where(less(x, y), 1, 2)", {x, y}), 2);
}

TEST(Formula, VariablesAreOrderedByLettersAndNumbers) {
  using Names = std::vector<std::string>;
  EXPECT_EQ(Formula("y + x").variables(), (Names{"x", "y"}));
  EXPECT_EQ(Formula("x10 + x2 + x").variables(), (Names{"x", "x2", "x10"}));
  EXPECT_EQ(Formula("beta*alpha_1 + z").variables(), (Names{"alpha_1", "beta", "z"}));
  EXPECT_EQ(value("y - x", {1, 5}), 4);
  EXPECT_EQ(value("x10 - x2", {1, 5}), 4);
}

TEST(Formula, GradientsAgreeWithDifferences) {
  const Tensor at = Tensor::of({0.8, 0.4});
  for (const char* text : {"x^2 + 10*y^2", "x^y", "exp(-x^2/2)*cos(3*y)", "log(1 + x^2*y^4)/sqrt(x + y)",
                           "(1 - x)^2 + 100*(y - x^2)^2", "x^3*y^-1.5", "max(x, y)*min(x, 3*y)"}) {
    const GradientReport report = check_gradient(Function(Formula(text)), at);
    EXPECT_TRUE(report.ok) << text << ": " << report.str();
  }
}

TEST(Formula, ErrorsNameTheirColumn) {
  const std::vector<std::pair<std::string, std::vector<std::string>>> wrong = {
      {"", {"column 1", "is missing"}},
      {"x +", {"column 4", "is missing", "(the end)"}},
      {"x + * y", {"column 5", "'*'"}},
      {"2x", {"column 2", "a product has a *"}},
      {"x y", {"column 3", "an operator is missing"}},
      {"(x + 1", {"column 7", "')' is missing", "column 1"}},
      {"x + 1)", {"column 6", "nothing opened"}},
      {"x ** 2", {"column 3", "x^2"}},
      {"sine(x)", {"column 1", "'sine'", "did you mean 'sin'"}},
      {"x(2)", {"column 1", "'x'", "a product has a *"}},
      {"1 + sin", {"column 5", "sin(x)"}},
      {"sin(x, y)", {"column 1", "1 argument,", "not 2"}},
      {"max(x)", {"column 1", "2 or more"}},
      {"atan2(x)", {"column 1", "2 arguments", "not 1"}},
      {"x & y", {"column 3", "'&'"}},
      {"x\xc2\xb2", {"column 2", "'\xc2\xb2'"}},
      {"x + .", {"column 5", "'.'"}},
      {"1e999*x", {"column 1", "double"}},
      {"1e-3x", {"column 5", "an operator is missing"}},
      {"x, y", {"column 2", "','"}},
      {"inf*x", {"column 1", "'inf'"}},
      {std::string("x\n+y"), {"column 2", "\\x0a"}},
  };
  for (const auto& [text, words] : wrong) {
    const std::string message = complaint(text);
    EXPECT_FALSE(message.empty()) << text;
    for (const std::string& word : words) EXPECT_NE(message.find(word), std::string::npos) << word << " in " << message;
  }
}

TEST(Formula, DeepNestingIsRefused) {
  const std::size_t n = 9'000;
  EXPECT_NE(complaint(std::string(n, '(')).find("nested deeper"), std::string::npos);
  std::string powers = "x", calls;
  for (int i = 0; i < 3000; ++i) powers += "^x";
  EXPECT_NE(complaint(powers).find("nested deeper"), std::string::npos);
  for (int i = 0; i < 1500; ++i) calls += "sin(";
  EXPECT_NE(complaint(calls).find("nested deeper"), std::string::npos);
  EXPECT_EQ(value(std::string(n - 1, '-') + "x", {2}), -2);
  EXPECT_NE(complaint(std::string(20'000, 'x')).find("at most 10000"), std::string::npos);
  EXPECT_EQ(value(std::string(150, '(') + "x" + std::string(150, ')'), {2}), 2);
}

TEST(Formula, LongSumsAreFine) {
  std::string sum = "x";
  for (int i = 0; i < 2000; ++i) sum += "+x*y";
  EXPECT_EQ(value(sum, {1, 2}), 4001);
}

TEST(Formula, AnyTextIsAFormulaOrAUsageError) {
  const std::vector<std::string> pieces = {
      "x",    "y",    "x1", "2",   ".5", "1e-3", "e",    "pi",   "+",   "-",    "*",  "/",  "^",  "(",  ")", ",",
      "sin(", "max(", " ",  "sqr", ".",  "1e",   "\xff", "min(", "abs", "log(", "^-", "))", "((", "**", "#", "where("};
  const RandomKey key{20, 7};
  int formulas = 0;
  for (std::uint64_t trial = 0; trial < 20'000; ++trial) {
    std::string text;
    const auto words = random_words(key, 2 * trial);
    for (std::uint64_t i = 0; i < 1 + words[0] % 12; ++i) {
      text += pieces[random_words(key.fold(trial), i)[0] % pieces.size()];
    }
    try {
      const Formula formula(text);
      ++formulas;
      const std::vector<double> at(std::max<std::size_t>(1, formula.variables().size()), 0.5);
      if (trial % 8 == 0 && !formula.variables().empty()) (void)value(text, at);
    } catch (const UsageError& error) {
      EXPECT_NE(std::string(error.what()).find("[formula] column "), std::string::npos) << text << error.what();
    }
  }
  EXPECT_GT(formulas, 500);
}

}  // namespace
}  // namespace thalweg
