// Classifies states where a descent has stalled, each constructed so that its kind is known: states that the rules were
// developed on; others that no rule was changed for, except for the four in one dimension; and some where second
// derivatives or the height of the loss are misleading.

#include "insight/point.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "engine/engine.hpp"
#include "moons.hpp"
#include "thalweg/formula.hpp"
#include "thalweg/problem.hpp"

namespace thalweg {
namespace {

/// A point where a descent has stalled, and its rate and the total decrease of the loss.
struct Rest {
  std::shared_ptr<void> kept = {};  // owns the data that the surface uses
  Surface surface;
  std::vector<double> x;
  double lr = 0, fall = 0;
};

struct Known {
  std::string name;
  PointKind kind;
  std::function<Rest()> make;
};

// ---------------------------------------------------------------- functions

/// Takes the given number of steps of plain gradient descent.
Rest walked(const Function& f, std::vector<double> x, double lr, int steps) {
  const Shape shape{static_cast<std::int64_t>(x.size())};
  Rest rest{{}, surface_of(f, shape), std::move(x), lr};
  std::vector<double> gradient(rest.x.size());
  const double first = rest.surface.value(rest.x);
  for (int i = 0; i < steps; ++i) {
    rest.surface.gradient(rest.x, gradient);
    for (std::size_t k = 0; k < gradient.size(); ++k) rest.x[k] -= lr * gradient[k];
  }
  rest.fall = first - rest.surface.value(rest.x);
  return rest;
}

/// A point in one dimension, reached by a descent of unknown rate that decreased the loss by `fall`.
Rest standing(const Function& f, double x, double fall) { return {{}, surface_of(f, {1}), {x}, 0, fall}; }

Rest walked(const char* problem, std::vector<double> x, double lr, int steps, const OptionMap& options = {}) {
  const auto dim = static_cast<std::int64_t>(x.size());
  return walked(problem_named(problem).make(options, dim).function, std::move(x), lr, steps);
}

// ---------------------------------------------------------------- networks

/// A model with its data and its loss surface.
struct Net {
  Dataset data;
  EvaluationFunction function;
  Workers workers{1};
  Products products;
  Engine engine;
  State state;
  double first = 0;

  Net(Dataset rows, ModelFunction model, LossFunction loss, Optimizer optimizer)
      : data(std::move(rows)),
        function(evaluation_of(std::move(model), std::move(loss))),
        products(function, workers),
        engine(function, std::move(optimizer), 1),
        state(engine.init(data, 1, f64)) {
    first = products.value(state, {data});
  }
  void train(int steps) {
    for (int i = 0; i < steps; ++i) engine.step(state, {data}, {}, 0);
  }
  void set(std::string_view name, double value) {
    state.set_parameter(name, full(state.parameter(name).shape(), value, f64));
  }
  void set_all(double value) {
    for (const ParameterEntry& entry : state.layout->entries) set(entry.name, value);
  }
};

Rest rest_of(const std::shared_ptr<Net>& net, double lr) {
  Rest rest{net, surface_of(net->products, net->state, net->data), point_of(net->state), lr};
  rest.fall = net->first - net->products.value(net->state, {net->data});
  return rest;
}

Dataset pictures(std::int64_t rows) {  // a bright bar, vertical or horizontal
  Tensor x({rows, 6, 6, 1}), y({rows}, i32);
  const Tensor noise = random_normal({rows, 6, 6, 1}, 8);
  for (std::int64_t r = 0; r < rows; ++r) {
    for (std::int64_t i = 0; i < 36; ++i) {
      const bool bar = r % 2 ? i / 6 == r / 2 % 6 : i % 6 == r / 2 % 6;
      x.set(36 * r + i, (bar ? 1 : 0) + 0.2 * noise.at(36 * r + i));
    }
    y.set(r, static_cast<double>(r % 2));
  }
  Dataset data;
  data.set("input", x);
  data.set("target", y);
  return data;
}

/// y = x A plus noise, with x of (rows, 4) and y of (rows, 2).
Dataset linear_rows(std::int64_t rows) {
  const Tensor x = random_normal({rows, 4}, 1), a = random_normal({4, 2}, 2), noise = random_normal({rows, 2}, 3);
  Tensor y({rows, 2});
  for (std::int64_t r = 0; r < rows; ++r) {
    for (std::int64_t c = 0; c < 2; ++c) {
      double sum = 0.1 * noise.at(2 * r + c);
      for (std::int64_t k = 0; k < 4; ++k) sum += x.at(4 * r + k) * a.at(2 * k + c);
      y.set(2 * r + c, sum);
    }
  }
  Dataset data;
  data.set("input", x);
  data.set("target", y);
  return data;
}

Dataset shuffled_labels(Dataset data) {
  Tensor y = data["target"];
  const Tensor u = random_uniform({y.size()}, 0, 1, 17);
  for (std::int64_t i = 0; i < y.size(); ++i) y.set(i, u.at(i) < 0.5 ? 0 : 1);
  data.set("target", y);
  return data;
}

ModelFunction perceptron(std::vector<std::int64_t> hidden, const std::string& activation = "tanh") {
  return nn::mlp(2, {.hidden = std::move(hidden), .activation = activation});
}

ModelFunction deep_linear(int layers, std::int64_t width) {
  return [=](Scope s, const Arg& x) {
    Var h = x.var();
    for (int i = 1; i < layers; ++i) h = nn::dense(s / ("w" + std::to_string(i)), h, width, {.bias = false});
    return nn::dense(s / "out", h, 2, {.bias = false});
  };
}

ModelFunction convolution() {
  return [](Scope s, const Arg& x) {
    const Var h = tanh(nn::conv2d(s / "conv", x, {.filters = 4}));
    return nn::dense(s / "out", reshape(h, {h.dim(0), h.size() / h.dim(0)}), 2);
  };
}

std::shared_ptr<Net> net(Dataset data, ModelFunction model, double lr, LossFunction loss = loss::cross_entropy) {
  return std::make_shared<Net>(std::move(data), std::move(model), std::move(loss), optim::sgd({.lr = lr}));
}

std::shared_ptr<Net> by_adam(Dataset data, ModelFunction model, double lr, LossFunction loss = loss::cross_entropy) {
  return std::make_shared<Net>(std::move(data), std::move(model), std::move(loss), optim::adam({.lr = lr}));
}

/// Trains for the given number of steps.
Rest trained(const std::shared_ptr<Net>& n, double lr, int steps) {
  n->train(steps);
  return rest_of(n, lr);
}

/// Trains with Adam, then takes 300 steps of plain descent with a rate that is stable there.
Rest settled(Dataset data, const ModelFunction& model, const LossFunction& loss, int steps, double lr) {
  const auto fast = by_adam(data, model, 0.02, loss);
  fast->train(steps);
  const auto slow = net(std::move(data), model, lr, loss);
  const double first = slow->first;
  slow->state = fast->state;
  slow->state.slots.clear();
  slow->train(300);
  slow->first = first;
  return rest_of(slow, lr);
}

/// A net with one hidden unit at its minimum, in which that unit is split into two with output weights of 1.5 and -0.5
/// times the old ones. If a split into equal parts gives a minimum, parts of opposite signs give a saddle (Fukumizu and
/// Amari 2000, theorem 3).
Rest doubled_unit() {
  Dataset data = two_moons(120);
  Tensor y = data["target"];
  for (std::int64_t i = 0; i < 120; i += 9)
    y.set(i, 1 - y.at(i));  // wrong labels, without which the loss would have no minimum
  data.set("target", y);
  const auto one = by_adam(data, perceptron({1}), 0.02);
  one->train(6000);
  const auto two = net(data, perceptron({2}), 0.1);
  Tensor w({2, 2}, f64), b({2}, f64), out({2, 2}, f64);
  for (std::int64_t i = 0; i < 2; ++i) {
    for (std::int64_t unit = 0; unit < 2; ++unit) {
      w.set(2 * i + unit, one->state.parameter("layer1/weight").at(i));
      b.set(unit, one->state.parameter("layer1/bias").at(0));
      out.set(2 * unit + i, (unit == 0 ? 1.5 : -0.5) * one->state.parameter("output/weight").at(i));
    }
  }
  two->state.set_parameter("layer1/weight", w);
  two->state.set_parameter("layer1/bias", b);
  two->state.set_parameter("output/weight", out);
  two->state.set_parameter("output/bias", one->state.parameter("output/bias"));
  return rest_of(two, 0.1);
}

using Kind = PointKind;

std::vector<Known> made_on() {
  return {
      {"net_of_zeros", Kind::saddle,
       [] {
         const auto n = net(two_moons(100), perceptron({8}), 0.1);
         n->set_all(0);
         return trained(n, 0.1, 20);
       }},
      {"two_linear_layers_at_zero", Kind::saddle,
       [] {
         const auto n = net(linear_rows(60), deep_linear(2, 3), 0.05, loss::mse);
         n->set_all(0);
         return trained(n, 0.05, 20);
       }},
      {"stable_line_of_a_saddle", Kind::saddle,
       [] {
         return walked("saddle", {1, 0}, 0.1, 200);
       }},
      {"far_from_the_dip", Kind::plateau,
       [] {
         return walked("plateau", {60, 60}, 0.5, 100);
       }},
      {"four_linear_layers_near_zero", Kind::plateau,
       [] {
         const auto n = net(linear_rows(60), deep_linear(4, 3), 0.01, loss::mse);
         n->set_all(1e-4);
         return trained(n, 0.01, 20);
       }},
      {"dead_units", Kind::plateau,
       [] {
         const auto n = by_adam(two_moons(100), perceptron({8}, "relu"), 0.05);
         n->set("layer1/bias", -100);
         return trained(n, 0.05, 400);
       }},
      {"logistic_regression_at_its_end", Kind::minimum,
       [] { return settled(two_moons(200), nn::linear(2), loss::cross_entropy, 2000, 0.5); }},
      {"himmelblau_at_its_end", Kind::minimum,
       [] {
         return walked("himmelblau", {1, 1}, 0.01, 400);
       }},
      {"least_squares_at_its_end", Kind::minimum,
       [] { return settled(linear_rows(60), nn::linear(2), loss::mse, 2000, 0.1); }},
      {"net_with_a_small_rate", Kind::rate_too_low,
       [] {
         return trained(net(two_moons(100), perceptron({16, 16}), 1e-5), 1e-5, 50);
       }},
      {"least_squares_with_a_small_rate", Kind::rate_too_low,
       [] { return trained(net(linear_rows(60), nn::linear(2), 1e-5, loss::mse), 1e-5, 50); }},
      {"rosenbrock_with_a_small_rate", Kind::rate_too_low,
       [] {
         return walked("rosenbrock", {-1.2, 1}, 1e-7, 50);
       }},
      {"doubled_unit", Kind::saddle, [] { return doubled_unit(); }},
      {"flat_part_of_beale", Kind::plateau,
       [] {
         return walked("beale", {-4, 0.9}, 1e-3, 2000);
       }},
      {"convolution_with_a_small_rate", Kind::rate_too_low,
       [] { return trained(net(pictures(48), convolution(), 1e-4), 1e-4, 50); }},
      {"logistic_regression_with_a_small_rate", Kind::rate_too_low,
       [] { return trained(net(two_moons(200), nn::linear(2), 1e-4), 1e-4, 50); }},
  };
}

std::vector<Known> others() {
  return {
      {"convolution_of_zeros", Kind::saddle,
       [] {
         const auto n = net(pictures(48), convolution(), 0.1);
         n->set_all(0);
         return trained(n, 0.1, 20);
       }},
      // weights of rank 1: in two linear layers every stationary point that is not optimal is a saddle (Baldi and
      // Hornik 1989)
      {"linear_layers_of_rank_one", Kind::saddle,
       [] {
         const auto n = net(linear_rows(60), deep_linear(2, 3), 0.02, loss::mse);
         n->set_all(0);
         Tensor w({4, 3}, f64), out({3, 2}, f64);
         for (std::int64_t i = 0; i < 4; ++i) w.set(3 * i, 0.3);
         for (std::int64_t i = 0; i < 2; ++i) out.set(i, 0.3);
         n->state.set_parameter("w1/weight", w);
         n->state.set_parameter("out/weight", out);
         return trained(n, 0.02, 3000);
       }},
      {"top_of_a_ridge", Kind::saddle,
       [] {
         // a double well in x and a bowl in five other directions; the descent is along the ridge between the wells
         const Function f([](Var x) {
           const Var w = slice(x, 0, 1), rest = slice(x, 1);
           return sum(square(square(w) - 1)) + 3 * sum(square(rest));
         });
         return walked(f, {0, 1, -1, 2, 0.5, -0.5}, 0.05, 200);
       }},
      {"saturated_units", Kind::plateau,
       [] {
         const auto n = net(two_moons(100), perceptron({8}, "sigmoid"), 0.1);
         n->set("layer1/bias", 60);
         return trained(n, 0.1, 2000);
       }},
      {"gradients_that_vanish", Kind::plateau,
       [] {
         const auto n = net(two_moons(100), perceptron(std::vector<std::int64_t>(10, 8), "sigmoid"), 0.1);
         return trained(n, 0.1, 2000);
       }},
      {"styblinski_tang_at_its_end", Kind::minimum,
       [] {
         return walked("styblinski_tang", {-2, -2, -2, -2}, 0.01, 300);
       }},
      {"net_on_labels_of_chance", Kind::minimum,
       [] { return settled(shuffled_labels(two_moons(400)), perceptron({3}), loss::cross_entropy, 6000, 0.05); }},
      {"booth_at_its_end", Kind::minimum,
       [] {
         return walked("booth", {0, 0}, 0.05, 400);
       }},
      {"quadratic_with_a_small_rate", Kind::rate_too_low,
       [] {
         return walked("quadratic", {1, -1, 1, -1, 1, -1}, 1e-5, 100);
       }},
      {"valley_of_condition_a_million", Kind::plateau,
       [] {
         return walked("quadratic", {1, -1, 1, -1}, 1e-6, 300, {{"condition", {1e6}}});
       }},
      {"residual_net_with_a_small_rate", Kind::rate_too_low,
       [] {
         const ModelFunction model = nn::mlp(2, {.hidden = {12, 12, 12}, .activation = "gelu", .residual = true});
         return trained(net(linear_rows(60), model, 1e-6, loss::mse), 1e-6, 50);
       }},
      {"line_without_an_end", Kind::slope, [] { return standing(Function([](Var x) { return sum(x); }), 1, 1); }},
      {"kink_that_is_steep", Kind::slope,
       [] { return standing(Function([](Var x) { return sum(sqrt(abs(x))); }), -2e-6, 1); }},
      {"root_above_its_edge", Kind::slope,
       [] { return standing(Function([](Var x) { return sum(sqrt(x)); }), 0.5, 0.3); }},
      {"bell_whose_lowest_place_is_at_infinity", Kind::plateau,
       [] { return standing(Function([](Var x) { return sum(1 / (1 + square(x))); }), 585, 0.5); }},
      {"softmax_of_pictures_with_a_small_rate", Kind::rate_too_low,
       [] { return trained(net(pictures(48), nn::linear(2), 1e-5), 1e-5, 50); }},
  };
}

/// A point of a formula, reached by a descent of unknown rate that decreased the loss by `fall`.
Rest resting(const char* formula, std::vector<double> x, double fall) {
  const Shape shape{static_cast<std::int64_t>(x.size())};
  return {{}, surface_of(Function(Formula(formula)), shape), std::move(x), 0, fall};
}

std::vector<Known> misleading() {
  return {
      {"floor_of_rosenbrocks_valley", Kind::plateau,
       [] {
         return Rest{
             {}, surface_of(problem_named("rosenbrock").make({}, 2).function, {2}), {0.908766, 0.825393}, 0, 24};
       }},
      {"bowl_far_above_zero", Kind::minimum,
       [] {
         return resting("1e6 + x^2 + 4*y^2", {1e-9, 0}, 1.25);
       }},
      {"saddle_far_above_zero", Kind::saddle,
       [] {
         return resting("1e6 + x^2 - y^2 + y^4", {0, 0}, 1);
       }},
      {"descent_far_above_zero", Kind::slope, [] { return resting("1e6 + x^2", {1.2}, 98); }},
      {"bowl_of_fourth_powers", Kind::minimum,
       [] {
         return resting("x^4 + y^4", {1e-3, 0}, 1);
       }},
      {"kink_at_its_bottom", Kind::minimum, [] { return resting("abs(x)", {0}, 1); }},
      {"cubic_where_it_is_level", Kind::saddle, [] { return resting("x^3", {0}, 1); }},
      {"legs_of_the_monkey_saddle", Kind::saddle,
       [] {
         return resting("x^3 - 3*x*y^2", {0, 0}, 1);
       }},
      {"saturated_and_far", Kind::plateau, [] { return resting("tanh(x)^2", {9}, 1e-8); }},
  };
}

std::ostream& operator<<(std::ostream& out, const Known& known) { return out << known.name; }

class PointOf : public testing::TestWithParam<Known> {};
INSTANTIATE_TEST_SUITE_P(MadeOn, PointOf, testing::ValuesIn(made_on()),
                         [](const auto& known) { return known.param.name; });
INSTANTIATE_TEST_SUITE_P(Others, PointOf, testing::ValuesIn(others()),
                         [](const auto& known) { return known.param.name; });
INSTANTIATE_TEST_SUITE_P(Misleading, PointOf, testing::ValuesIn(misleading()),
                         [](const auto& known) { return known.param.name; });

TEST_P(PointOf, IsOfItsKind) {
  const Rest rest = GetParam().make();
  const Point point = kind_of_point(rest.surface, rest.x, {.lr = rest.lr, .fall = rest.fall});
  EXPECT_EQ(name(point.kind), name(GetParam().kind)) << point.sentence;
  if (point.kind != PointKind::saddle) return;
  // the reported direction decreases the loss
  std::vector<double> further = rest.x;
  for (std::size_t i = 0; i < further.size(); ++i) further[i] += point.distance * point.direction[i];
  const double before = rest.surface.value(rest.x), after = rest.surface.value(further);
  EXPECT_LT(after, before);
  EXPECT_GT(before - after,
            point_rule::little * std::min(before, 1.0));  // min, because a constant of 1e6 must not count
}

/// A point with an eigenvalue that is certainly negative is not called a minimum, however small the possible gain is.
TEST(Point, WithACertainNegativeEigenvalueIsOnlyNearlyAMinimum) {
  const Rest at = resting("1 + x^2/2 - y^2/1000 + y^4", {0.03, 0}, 1);
  const Point point = kind_of_point(at.surface, at.x, {.fall = 1});
  EXPECT_EQ(point.sentence.find("Nearly a minimum: eigenvalues from -0.002"), 0U) << point.sentence;
}

/// The rule compares gains with the loss or a thousandth of the descent, but the evidence is stated as losses.
TEST(Point, StatesGainsAsLosses) {
  const Rest low = resting("x^2", {1e-3}, 1), flat = resting("x^2 + 1", {0}, 1);
  const auto told = [](const Rest& at) { return kind_of_point(at.surface, at.x, {.fall = 1}).evidence.at(1).sentence; };
  EXPECT_NE(told(low).find("gives a loss of 0 instead of 1e-6"), std::string::npos) << told(low);
  EXPECT_EQ(told(flat), "No step along the gradient lowers the loss.");
}

}  // namespace
}  // namespace thalweg
