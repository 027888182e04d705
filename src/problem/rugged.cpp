// Test functions with many minima, and shapes that isolate one difficulty: saddles, a plateau, minima of different
// widths.

#include <cmath>
#include <numbers>

#include "problem/row.hpp"
#include "thalweg/ops.hpp"

namespace thalweg::problem {

namespace {

constexpr double pi = std::numbers::pi;

Problem himmelblau(const Plain&, std::int64_t) {
  return plane("(x^2 + y - 11)^2 + (x + y^2 - 7)^2", {.start = {0, 0},
                                                      .minimum = 0,
                                                      .minimizers = {{3, 2},
                                                                     {-2.805118086952745, 3.131312518250573},
                                                                     {-3.779310253377747, -3.283185991286170},
                                                                     {3.584428340330492, -1.848126526964404}},
                                                      .window = {-5, 5, -5, 5}});
}

Problem three_hump_camel(const Plain&, std::int64_t) {
  return plane("2*x^2 - 1.05*x^4 + x^6/6 + x*y + y^2",
               {.start = {-1, 2}, .minimum = 0, .minimizers = {{0, 0}}, .window = {-2.5, 2.5, -2.5, 2.5}});
}

Problem styblinski_tang(const Plain&, std::int64_t n) {
  double x = -2.9;  // the lowest root of the derivative, 4 x^3 - 32 x + 5, by Newton's method
  for (int i = 0; i < 8; ++i) x -= (4 * x * x * x - 32 * x + 5) / (12 * x * x - 32);
  const double lowest = (x * x * x * x - 16 * x * x + 5 * x) / 2 * static_cast<double>(n);
  return {.function = Function([](Var v) { return 0.5 * sum(square(square(v)) - 16 * square(v) + 5 * v); }),
          .start = repeated(n, -0.5),
          .minimum = lowest,
          .minimizers = {repeated(n, x)},
          .window = {-5, 5, -5, 5},
          .formula = written_out(n, [&] {
            return sum_of(n, [](std::int64_t i) { return fmt::format("({0}^4 - 16*{0}^2 + 5*{0})/2", coordinate(i)); });
          })};
}

Problem ackley(const Plain&, std::int64_t n) {
  const double root = std::sqrt(static_cast<double>(n));
  return {.function = Function([=](Var x) {
            // norm() has derivative 0 at 0
            return 20 + std::numbers::e - 20 * exp(-0.2 / root * norm(x)) - exp(mean(cos(2 * pi * x)));
          }),
          .start = repeated(n, 2.5),
          .minimum = 0,
          .minimizers = {repeated(n, 0)},
          .window = {-4, 4, -4, 4},
          .formula = written_out(n, [=] {
            const std::string waves = sum_of(n, [](std::int64_t i) { return "cos(2*pi*" + coordinate(i) + ")"; });
            return fmt::format("20 + e - 20*exp(-0.2*sqrt(({})/{})) - exp(({})/{})", squares(n), n, waves, n);
          })};
}

Problem rastrigin(const Plain&, std::int64_t n) {
  return {.function = Function([](Var x) { return sum(10 + square(x) - 10 * cos(2 * pi * x)); }),
          .start = repeated(n, 2.2),
          .minimum = 0,
          .minimizers = {repeated(n, 0)},
          .window = {-4, 4, -4, 4},
          .formula = written_out(n, [=] {
            return sum_of(n,
                          [](std::int64_t i) { return fmt::format("10 + {0}^2 - 10*cos(2*pi*{0})", coordinate(i)); });
          })};
}

/// With (x + 3)/4 in place of w.
std::string levy_formula(std::int64_t n) {
  const std::string first = "sin(pi*(x0 + 3)/4)^2";
  const std::string middle = sum_of(n - 1, [](std::int64_t i) {
    return fmt::format("(({0} - 1)/4)^2*(1 + 10*sin(pi*({0} + 3)/4 + 1)^2)", coordinate(i));
  });
  return first + " + " + middle + fmt::format(" + (({0} - 1)/4)^2*(1 + sin(pi*({0} + 3)/2)^2)", coordinate(n - 1));
}

Problem levy(const Plain&, std::int64_t n) {
  return {.function = Function([](Var x) {
            const Var w = 1 + (x - 1) / 4, head = slice(w, 0, -1), last = slice(w, -1);
            return square(sin(pi * slice(w, 0, 1))) + sum(square(head - 1) * (1 + 10 * square(sin(pi * head + 1)))) +
                   square(last - 1) * (1 + square(sin(2 * pi * last)));
          }),
          .start = repeated(n, -2),
          .minimum = 0,
          .minimizers = {repeated(n, 1)},
          .window = {-8, 8, -8, 8},
          .formula = written_out(n, [=] { return levy_formula(n); })};
}

struct BowlOptions {
  double bowl = 1;
};
Fields fields(BowlOptions& o) {
  return {{"bowl", &o.bowl, "factor of the quartic term that bounds it from below; 0: it has no lower bound",
           not_negative}};
}

Problem saddle(const BowlOptions& o, std::int64_t) {
  if (o.bowl == 0) return plane("x^2 - y^2", {.start = {1, 0.001}});
  const double y = 1 / std::sqrt(o.bowl);
  return plane(fmt::format("x^2 - y^2 + {}*y^4", o.bowl / 2),
               {.start = {1, 0.001}, .minimum = -1 / (2 * o.bowl), .minimizers = {{0, y}, {0, -y}}});
}

Problem monkey_saddle(const BowlOptions& o, std::int64_t) {
  if (o.bowl == 0) return plane("x^3 - 3*x*y^2", {.start = {1, 0.001}});
  // along the three ways down it is -r^3 + 3/4 bowl r^4
  const double r = 1 / o.bowl, height = r * std::sqrt(3) / 2;
  return plane(
      fmt::format("x^3 - 3*x*y^2 + {}*(x^2 + y^2)^2", 0.75 * o.bowl),
      {.start = {1, 0.001}, .minimum = -r * r * r / 4, .minimizers = {{-r, 0}, {r / 2, height}, {r / 2, -height}}});
}

Problem plateau(const Plain&, std::int64_t n) {
  return {.function = Function([](Var x) {
            const Var r2 = sum(square(x));
            return r2 / (1 + r2);
          }),
          .start = repeated(n, 6),
          .minimum = 0,
          .minimizers = {repeated(n, 0)},
          .window = {-8, 8, -8, 8},
          .formula = written_out(n, [=] { return fmt::format("({0})/(1 + {0})", squares(n)); })};
}

struct WidthOptions {
  double sharpness = 100;
};
Fields fields(WidthOptions& o) {
  return {{"sharpness", &o.sharpness, "the curvature of the sharp minimum over that of the flat one", {.low = 1}}};
}

Problem sharp_and_flat(const WidthOptions& o, std::int64_t) {
  const std::string sharp = fmt::format("({}*((x - 1)^2 + y^2))", o.sharpness), flat = "((x + 1)^2 + y^2)";
  return plane(sharp + "*" + flat + "/(" + sharp + " + " + flat + ")",
               {.start = {1.5, 1}, .minimum = 0, .minimizers = {{1, 0}, {-1, 0}}, .window = {-3, 3, -2, 2}});
}

}  // namespace

std::vector<ProblemRow> many_minima() {
  return {
      row(himmelblau, {.name = "himmelblau",
                       .summary = "four minima of the same depth",
                       .formula = "(x^2 + y - 11)^2 + (x + y^2 - 7)^2",
                       .when = "which of several minima a method ends in",
                       .source = "Himmelblau 1972"}),
      row(three_hump_camel, {.name = "three_hump_camel",
                             .summary = "a valley with a lowest point between two that are higher",
                             .formula = "2 x^2 - 1.05 x^4 + x^6/6 + x y + y^2",
                             .when = "local minima that capture slow methods",
                             .source = "Jamil and Yang 2013, function 132"}),
      row(styblinski_tang, {.name = "styblinski_tang",
                            .summary = "2^n minima, of which one is lowest",
                            .formula = "1/2 sum_i (x_i^4 - 16 x_i^2 + 5 x_i)",
                            .when = "the choice of a basin in each coordinate",
                            .source = "Styblinski and Tang 1990",
                            .fewest = 1,
                            .most = 0}),
      row(ackley, {.name = "ackley",
                   .summary = "ripples on a flat outside, with a deep hole in the middle",
                   .formula = "20 + e - 20 exp(-0.2 sqrt(1/n sum_i x_i^2)) - exp(1/n sum_i cos(2 pi x_i))",
                   .when = "local methods stop in a ripple unless momentum carries them; a kink at the lowest point",
                   .source = "Ackley 1987",
                   .fewest = 1,
                   .most = 0}),
      row(rastrigin, {.name = "rastrigin",
                      .summary = "a bowl full of dents, a minimum near every whole number",
                      .formula = "10 n + sum_i (x_i^2 - 10 cos(2 pi x_i))",
                      .when = "local methods stop in the nearest dent: how far momentum and noise go",
                      .source = "Rastrigin 1974",
                      .fewest = 1,
                      .most = 0}),
      row(levy, {.name = "levy",
                 .summary = "waves across a valley",
                 .formula = "w = 1 + (x - 1)/4: sin^2(pi w_1) + sum_{i<n} (w_i - 1)^2 (1 + 10 sin^2(pi w_i + 1)) + "
                            "(w_n - 1)^2 (1 + sin^2(2 pi w_n))",
                 .when = "local minima of different depth in different directions",
                 .source = "Levy and Montalvo 1985; Laguna and Marti 2005",
                 .fewest = 2,
                 .most = 0}),
  };
}

std::vector<ProblemRow> shapes() {
  return {
      row(saddle, {.name = "saddle",
                   .summary = "down in one direction, up in the other, with a minimum on either side",
                   .formula = "x^2 - y^2 + bowl/2 y^4",
                   .when = "how fast a method leaves a saddle that it comes close to",
                   .source = "the question of Dauphin et al. 2014"}),
      row(monkey_saddle, {.name = "monkey_saddle",
                          .summary = "three ways down and three up, and no curvature at all in the middle",
                          .formula = "x^3 - 3 x y^2 + 3/4 bowl (x^2 + y^2)^2",
                          .when = "saddles that second derivatives do not show",
                          .source = "Hilbert and Cohn-Vossen 1932: two legs and a tail"}),
      row(plateau, {.name = "plateau",
                    .summary = "a hole in a plain on which the gradient fades away",
                    .formula = "|x|^2 / (1 + |x|^2)",
                    .when = "gradients that show the direction, but hardly the distance",
                    .source = "Geman and McClure 1985",
                    .fewest = 1,
                    .most = 0}),
      row(sharp_and_flat, {.name = "sharp_and_flat",
                           .summary = "two minima of the same depth, a sharp one at (1, 0) and a flat one at (-1, 0)",
                           .formula = "s f/(s + f), s = sharpness ((x - 1)^2 + y^2), f = (x + 1)^2 + y^2",
                           .when = "the rate decides: from lr > 1/sharpness on, descent cannot stay in the sharp one",
                           .source = "the question of Hochreiter and Schmidhuber 1997"}),
  };
}

}  // namespace thalweg::problem
