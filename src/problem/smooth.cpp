// Smooth test functions with one minimum, or a few equal ones: bowls and valleys.

#include <cmath>

#include "problem/row.hpp"
#include "thalweg/ops.hpp"

namespace thalweg::problem {

namespace {

/// Different in each coordinate: from equal ones, methods that use only signs would move along the diagonal.
std::vector<double> alternating(std::int64_t n, double even, double odd) {
  std::vector<double> values = repeated(n, even);
  for (std::size_t i = 1; i < values.size(); i += 2) values[i] = odd;
  return values;
}

Problem sphere(const Plain&, std::int64_t n) {
  return {.function = Function([](Var x) { return sum(square(x)); }),
          .start = alternating(n, 1.5, -0.8),
          .minimum = 0,
          .minimizers = {repeated(n, 0)},
          .residuals = Function([](Var x) { return 1 * x; }),
          .formula = written_out(n, [=] { return squares(n); })};
}

struct QuadraticOptions {
  double condition = 100;
};
Fields fields(QuadraticOptions& o) {
  return {{"condition", &o.condition, "the largest curvature over the smallest", {.low = 1}}};
}

/// Curvatures from 1 to the condition number, evenly on a logarithmic scale.
double curvature(double condition, std::int64_t i, std::int64_t n) {
  return n == 1 ? condition : std::pow(condition, static_cast<double>(i) / static_cast<double>(n - 1));
}

Problem quadratic(const QuadraticOptions& o, std::int64_t n) {
  Tensor curvatures({n}, f64);
  for (std::int64_t i = 0; i < n; ++i) curvatures.set(i, curvature(o.condition, i, n));
  const auto term = [&](std::int64_t i) {
    return fmt::format("{}*{}^2", curvature(o.condition, i, n) / 2, coordinate(i));
  };
  return {.function = Function([=](Var x) { return 0.5 * sum(constant(curvatures.to(x.dtype())) * square(x)); }),
          .start = alternating(n, 1.4, -0.9),
          .minimum = 0,
          .minimizers = {repeated(n, 0)},
          .window = {-1.6, 1.6, -1.2, 1.2},
          .formula = written_out(n, [&] { return sum_of(n, term); })};
}

Problem rosenbrock(const Plain&, std::int64_t n) {
  const auto term = [](std::int64_t i) {
    return fmt::format("(1 - {0})^2 + 100*({1} - {0}^2)^2", coordinate(i), coordinate(i + 1));
  };
  return {.function = Function([](Var x) {
            const Var head = slice(x, 0, -1), tail = slice(x, 1);
            return sum(square(1 - head) + 100 * square(tail - square(head)));
          }),
          .start = alternating(n, -1.2, 1),
          .minimum = 0,
          .minimizers = {repeated(n, 1)},
          .window = {-1.8, 1.8, -0.8, 2.2},
          .residuals = Function([](Var x) {
            const Var head = slice(x, 0, -1), tail = slice(x, 1);
            return concat({1 - head, 10 * (tail - square(head))});
          }),
          .formula = written_out(n, [&] { return sum_of(n - 1, term); })};
}

Problem booth(const Plain&, std::int64_t) {
  return plane("(x + 2*y - 7)^2 + (2*x + y - 5)^2", {.start = {-5, -5},
                                                     .minimum = 0,
                                                     .minimizers = {{1, 3}},
                                                     .window = {-8, 8, -8, 8},
                                                     .residuals = plane_residuals({"x + 2*y - 7", "2*x + y - 5"})});
}

Problem matyas(const Plain&, std::int64_t) {
  return plane("0.26*(x^2 + y^2) - 0.48*x*y",
               {.start = {8, -5}, .minimum = 0, .minimizers = {{0, 0}}, .window = {-10, 10, -10, 10}});
}

Problem beale(const Plain&, std::int64_t) {
  return plane("(1.5 - x + x*y)^2 + (2.25 - x + x*y^2)^2 + (2.625 - x + x*y^3)^2",
               {.start = {1, 1},
                .minimum = 0,
                .minimizers = {{3, 0.5}},
                .window = {-1, 4, -1.5, 2},
                .residuals = plane_residuals({"1.5 - x + x*y", "2.25 - x + x*y^2", "2.625 - x + x*y^3"})});
}

Problem goldstein_price(const Plain&, std::int64_t) {
  return plane(
      "(1 + (x + y + 1)^2*(19 - 14*x + 3*x^2 - 14*y + 6*x*y + 3*y^2))"
      "*(30 + (2*x - 3*y)^2*(18 - 32*x + 12*x^2 + 48*y - 36*x*y + 27*y^2))",
      {.start = {-0.3, -0.6}, .minimum = 3, .minimizers = {{0, -1}}, .window = {-2, 2, -2, 1}});
}

}  // namespace

std::vector<ProblemRow> bowls() {
  return {
      row(sphere, {.name = "sphere",
                   .summary = "a round bowl",
                   .formula = "sum_i x_i^2",
                   .when = "a method's behaviour on the simplest function",
                   .source = "De Jong 1975, function 1",
                   .fewest = 1,
                   .most = 0}),
      row(quadratic, {.name = "quadratic",
                      .summary = "a bowl that is steep in one direction and flat in another",
                      .formula = "1/2 sum_i condition^(i/(n-1)) x_i^2, i = 0 ... n-1",
                      .when = "what the condition number does to a method: descent needs steps in proportion to it",
                      .source = "Nesterov 2004, section 2.1.4, has its theory",
                      .fewest = 1,
                      .most = 0}),
      row(booth, {.name = "booth",
                  .summary = "a slanted bowl",
                  .formula = "(x + 2 y - 7)^2 + (2 x + y - 5)^2",
                  .when = "curvature that does not lie along the axes",
                  .source = "Jamil and Yang 2013, function 17"}),
      row(matyas, {.name = "matyas",
                   .summary = "a shallow trough along the diagonal",
                   .formula = "0.26 (x^2 + y^2) - 0.48 x y",
                   .when = "flat bowls: small gradients far from the floor",
                   .source = "Jamil and Yang 2013, function 71"}),
  };
}

std::vector<ProblemRow> valleys() {
  return {
      row(rosenbrock,
          {.name = "rosenbrock",
           .summary = "a long bent valley with a floor that hardly falls",
           .formula = "sum_i (1 - x_i)^2 + 100 (x_{i+1} - x_i^2)^2",
           .when = "following a curved valley",
           .source = "Rosenbrock 1960; from 4 dimensions on it has a second, local minimum near (-1, 1, ...)",
           .fewest = 2,
           .most = 0}),
      row(beale, {.name = "beale",
                  .summary = "a flat valley between steep corners",
                  .formula = "(1.5 - x + x y)^2 + (2.25 - x + x y^2)^2 + (2.625 - x + x y^3)^2",
                  .when = "gradients of very different sizes along one path",
                  .source = "Beale 1958"}),
      row(goldstein_price, {.name = "goldstein_price",
                            .summary = "values from 3 to a million in a small square, with three other local minima",
                            .formula = "(1 + (x + y + 1)^2 (19 - 14 x + 3 x^2 - 14 y + 6 x y + 3 y^2)) "
                                       "(30 + (2 x - 3 y)^2 (18 - 32 x + 12 x^2 + 48 y - 36 x y + 27 y^2))",
                            .when = "large gradients: a method that does not scale its steps needs a tiny rate",
                            .source = "Goldstein and Price 1971"}),
  };
}

}  // namespace thalweg::problem
