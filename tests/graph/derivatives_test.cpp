// Higher derivatives in forward and reverse mode, and derivatives that users define.

#include <gtest/gtest.h>
#include <cmath>

#include "evaluate.hpp"
#include "thalweg/ops.hpp"

namespace thalweg {
namespace {

using Vars = std::vector<Var>;

Tensor numbers(const Shape& shape, std::uint64_t seed = 1) { return random_uniform(shape, -1, 1, seed, f64); }

TEST(Derivatives, OfEveryOrderOfAPolynomial) {
  Function f = [](Var x) { return pow(x, 5.0); };
  const double factors[] = {5, 20, 60, 120, 120, 0};
  for (int order = 1; order <= 6; ++order) {
    f = grad(f);
    EXPECT_NEAR(f(full({}, 1.3, f64)).item(), factors[order - 1] * std::pow(1.3, std::max(0, 5 - order)), 1e-9)
        << order;
  }
}

TEST(Derivatives, OfEveryOrderOfTanh) {
  const Function f = [](Var x) { return tanh(x); };
  const double x = 0.4, t = std::tanh(x), s = 1 - t * t;
  const Tensor at = full({}, x, f64);
  EXPECT_NEAR(grad(f)(at).item(), s, 1e-15);
  EXPECT_NEAR(grad(grad(f))(at).item(), -2 * t * s, 1e-14);
  EXPECT_NEAR(grad(grad(grad(f)))(at).item(), s * (6 * t * t - 2), 1e-13);
}

/// A small network whose Hessian is dense.
Var energy(Var x) { return sum(tanh(matmul(x, transpose(x))) * 0.5) + logsumexp(x * 2) + sum(square(softmax(x))); }

TEST(Derivatives, HessianProductsOfAllModesAgree) {
  const Tensor x = numbers({3, 4}), v = numbers({3, 4}, 2);
  const auto forward_of_reverse = [](const Vars& xv) {
    return jvp(gradients(energy(xv[0]), {xv[0]}), {xv[0]}, {xv[1]});
  };
  const auto reverse_of_reverse = [](const Vars& xv) {
    return gradients(sum(gradients(energy(xv[0]), {xv[0]})[0] * xv[1]), {xv[0]});
  };
  const auto reverse_of_forward = [](const Vars& xv) {
    return gradients(jvp({energy(xv[0])}, {xv[0]}, {xv[1]})[0], {xv[0]});
  };
  const Tensor wanted = evaluate(reverse_of_reverse, {x, v})[0];
  EXPECT_LE(distance(evaluate(forward_of_reverse, {x, v})[0], wanted), 1e-13);
  EXPECT_LE(distance(evaluate(reverse_of_forward, {x, v})[0], wanted), 1e-13);
  EXPECT_LE(distance(hvp([](Var y) { return energy(y); })(x, v), wanted), 1e-13);
  // the second forward derivative along v is <v, H v>
  const auto twice = [](const Vars& xv) { return jvp(jvp({energy(xv[0])}, {xv[0]}, {xv[1]}), {xv[0]}, {xv[1]}); };
  double product = 0;
  for (std::int64_t i = 0; i < v.size(); ++i) product += v.at(i) * wanted.at(i);
  EXPECT_NEAR(evaluate(twice, {x, v})[0].item(), product, 1e-12);
}

TEST(Derivatives, OfAGradientPenaltyAgreeWithDifferences) {
  const Function penalty = [](Var w) {
    const Var x = w.graph().constant(numbers({5, 3}, 7));
    const Var y = sum(gelu(matmul(x, w)));
    const Var slope = gradients(y, {x}).front();
    return mean(square(norm(slope, 1) - 1)) + sum(square(w));
  };
  const GradientReport report = check_gradient(penalty, numbers({3, 2}), 1e-7);
  EXPECT_TRUE(report.ok) << report.str();
}

TEST(Derivatives, FunctionsOfSeveralArgumentsNest) {
  const Function inner = [](Var x, Var a) { return sum(sin(x * a)); };
  const Function outer = [=](Var x, Var a) { return sum(square(grad(inner)(x, a))) * sum(a); };
  const Tensor x = numbers({4}), a = numbers({4}, 2);
  const Tensor got = grad(outer)(x, a);
  double total = 0;
  for (std::int64_t i = 0; i < 4; ++i) total += a.at(i);
  for (std::int64_t i = 0; i < 4; ++i) {
    const double p = a.at(i) * std::cos(x.at(i) * a.at(i));
    EXPECT_NEAR(got.at(i), 2 * p * -a.at(i) * a.at(i) * std::sin(x.at(i) * a.at(i)) * total, 1e-13);
  }
  const auto [value, slope] = value_and_grad(outer)(x, a);
  EXPECT_EQ(value.item(), outer(x, a).item());
  EXPECT_TRUE(identical(slope, got));
}

TEST(Derivatives, JvpAndVjpOfAFunctionAreTransposed) {
  const Function f = [](Var x) { return matmul(tanh(x), transpose(x)); };
  const Tensor x = numbers({3, 4}), t = numbers({3, 4}, 2), g = numbers({3, 3}, 3);
  const Tensor forward = jvp(f)(x, t), backward = vjp(f)(x, g);
  double left = 0, right = 0;
  for (std::int64_t i = 0; i < g.size(); ++i) left += g.at(i) * forward.at(i);
  for (std::int64_t i = 0; i < t.size(); ++i) right += t.at(i) * backward.at(i);
  EXPECT_NEAR(left, right, 1e-13);
}

TEST(Derivatives, AnInputThatDoesNotMatterHasGradientZero) {
  const auto g = evaluate(
      [](const Vars& x) {
        return gradients(sum(x[0]), {x[1], x[0]});
      },
      {numbers({2}), numbers({3})});
  EXPECT_TRUE(identical(g[0], zeros({3}, f64)));
  EXPECT_TRUE(identical(g[1], ones({2}, f64)));
}

TEST(Derivatives, StopGradientIsAConstantInBothModes) {
  const Tensor x = numbers({3}), v = numbers({3}, 2);
  const auto out = evaluate(
      [](const Vars& xv) {
        const Var y = sum(stop_gradient(square(xv[0])) * xv[0]);
        return Vars{gradients(y, {xv[0]})[0], jvp({y}, {xv[0]}, {xv[1]})[0], y};
      },
      {x, v});
  double along = 0, value = 0;
  for (std::int64_t i = 0; i < 3; ++i) {
    EXPECT_NEAR(out[0].at(i), x.at(i) * x.at(i), 1e-15);
    along += x.at(i) * x.at(i) * v.at(i);
    value += std::pow(x.at(i), 3);
  }
  EXPECT_NEAR(out[1].item(), along, 1e-15);
  EXPECT_NEAR(out[2].item(), value, 1e-15);
}

/// x^3 y with a custom derivative, which is right.
Var cube_times(Var x, Var y) {
  return custom_derivative(
      {x, y}, [](std::span<const Var> v) { return v[0] * v[0] * v[0] * v[1]; },
      [](std::span<const Var> v, Var, Var g) {
        return Vars{g * 3 * square(v[0]) * v[1], g * pow(v[0], 3)};
      });
}

TEST(CustomDerivative, IsUsedForwardReverseAndTwice) {
  const Tensor x = numbers({4}), y = numbers({4}, 2), u = numbers({4}, 3), w = numbers({4}, 4);
  const auto all = [](const auto& f) {
    return [f](const Vars& v) {
      const Var z = sum(sin(f(v[0], v[1])));
      const Vars first = gradients(z, {v[0], v[1]});
      Vars outputs = first;
      for (const Var& t : jvp({z}, {v[0], v[1]}, {v[2], v[3]})) outputs.push_back(t);
      for (const Var& t : jvp(first, {v[0], v[1]}, {v[2], v[3]})) outputs.push_back(t);
      for (const Var& t : gradients(sum(first[0] * v[2]) + sum(first[1] * v[3]), {v[0], v[1]})) outputs.push_back(t);
      return outputs;
    };
  };
  const auto custom = evaluate(all(cube_times), {x, y, u, w});
  const auto plain = evaluate(all([](Var a, Var b) { return a * a * a * b; }), {x, y, u, w});
  for (std::size_t i = 0; i < plain.size(); ++i) EXPECT_LE(distance(custom[i], plain[i]), 1e-13) << i;
}

TEST(CustomDerivative, IsUsedEvenIfItIsWrong) {
  const Function straight_through = [](Var x) {
    return sum(custom_derivative(
        {x}, [](std::span<const Var> v) { return round(v[0]); },
        [](std::span<const Var>, Var, Var g) { return Vars{g}; }));
  };
  EXPECT_TRUE(identical(grad(straight_through)(numbers({5})), ones({5}, f64)));
  EXPECT_TRUE(identical(jvp(straight_through)(numbers({5}), ones({5}, f64)), full({}, 5, f64)));
}

TEST(CheckGradient, ReportsAWrongDerivativeAndItsPlace) {
  const Function wrong = [](Var x) {
    const Var y = custom_derivative(
        {x}, [](std::span<const Var> v) { return square(v[0]); },
        [](std::span<const Var> v, Var, Var g) {
          const Var mask = v[0].graph().constant(Tensor::of({2.0, 2.0, 2.1, 2.0}));
          return Vars{g * mask * v[0]};
        });
    return sum(y);
  };
  const GradientReport report = check_gradient(wrong, Tensor::of({1.0, -2.0, 3.0, 0.5}));
  EXPECT_FALSE(report.ok);
  EXPECT_EQ(report.worst, 2);
  EXPECT_NEAR(report.analytic.at(2), 6.3, 1e-12);
  EXPECT_NEAR(report.numeric.at(2), 6.0, 1e-6);
}

TEST(CheckGradient, NeverAcceptsNan) {
  const Function f = [](Var x) { return sum(sqrt(x)); };
  const GradientReport report = check_gradient(f, Tensor::of({1.0, -1.0, 4.0, 9.0}));
  EXPECT_FALSE(report.ok);
  EXPECT_TRUE(std::isnan(report.largest_error));
  EXPECT_TRUE(check_gradient(f, Tensor::of({1.0, 4.0})).ok);
}

TEST(CheckGradient, ChecksF32InputsInF64) {
  EXPECT_TRUE(check_gradient([](Var x) { return sum(exp(x) * x); }, random_uniform({3, 3}, -1, 1, 1, f32)).ok);
}

}  // namespace
}  // namespace thalweg
