// The loss over a plane in parameter space: products that are cached from point to point change it only by rounding.

#include "engine/plane_loss.hpp"

#include <gtest/gtest.h>

#include "engine/engine.hpp"
#include "thalweg/thalweg.hpp"

namespace thalweg {
namespace {

struct Case {
  const char* name;
  ModelFunction model;
  Shape row;
  std::size_t kept;  ///< the number of cached products of the data with weights
};

ModelFunction convnet() {
  return [](Scope s, Var x) {
    const Var h = relu(nn::conv2d(s / "conv", x, {.filters = 4, .kernel = 3}));
    return nn::dense(s / "out", mean(h, {1, 2}), 6);
  };
}

ModelFunction tied() {  // the product is not linear in w, so it must not be cached
  return [](Scope s, Var x) {
    const Var w = s.parameter("w", {6, 6}, {.initializer = init::normal(0.5)});
    return matmul(x, matmul(w, w));
  };
}

ModelFunction stopped() {  // the gradient by w is 0, but the loss depends on w, so nothing must be cached
  return [](Scope s, Var x) {
    const Var w = s.parameter("w", {6, 6}, {.initializer = init::normal(0.5)});
    return matmul(x, stop_gradient(w));
  };
}

std::vector<Case> cases() {
  return {{"mlp", nn::mlp(6, {.hidden = {9, 7}}), {6}, 1},
          {"linear", nn::linear(6), {6}, 1},
          {"convnet", convnet(), {8, 8, 1}, 1},
          {"tied", tied(), {6}, 0},
          {"stopped", stopped(), {6}, 0}};
}

Dataset rows_of(const Shape& row, std::int64_t rows) {
  Shape shape{rows};
  for (const std::int64_t size : row) shape.push_back(size);
  Dataset data;
  data.set("input", random_normal(shape, 3));
  data.set("target", random_uniform({rows}, 0, 6, 4, f64).to(i32));
  return data;
}

std::vector<double> direction(std::int64_t size, std::uint64_t seed) {
  const Tensor v = random_normal({size}, seed, f64);
  const auto values = v.values<double>();
  return {values.begin(), values.end()};
}

TEST(PlaneLoss, IsTheLossAtThePointUpToRounding) {
  for (const Case& c : cases()) {
    const EvaluationFunction function = evaluation_of(c.model, loss::cross_entropy);
    const Dataset rows = rows_of(c.row, 1100);  // two whole shards and a smaller one
    for (const DType dtype : {f64, f32}) {
      const State at = Engine(function, optim::sgd({.lr = 1}), 1).init(rows, 1, dtype);
      const auto first = direction(at.layout->trained_size, 5), second = direction(at.layout->trained_size, 6);
      Workers one(1), two(2);
      Products products(function, one);
      PlaneLoss plane(function, at, first, second, rows, one), threads(function, at, first, second, rows, two);
      EXPECT_EQ(plane.kept(), c.kept) << c.name;
      for (const auto& [a, b] : {std::pair(0.0, 0.0), std::pair(0.3, -0.7), std::pair(-1.0, 0.2)}) {
        State point = at;
        for (std::int64_t i = 0; i < at.layout->trained_size; ++i) {
          const auto k = static_cast<std::size_t>(i);
          point.parameters.set(i, at.parameters.at(i) + a * first[k] + b * second[k]);
        }
        const double wanted = products.value(point, {rows}), loss = plane(a, b);
        EXPECT_NEAR(loss, wanted, (dtype == f64 ? 1e-12 : 2e-5) * wanted) << c.name << " " << a << " " << b;
        EXPECT_EQ(loss, threads(a, b)) << c.name;
      }
    }
  }
}

TEST(PlaneLoss, CachesNoMoreThanItMay) {
  const EvaluationFunction function = evaluation_of(nn::mlp(6, {.hidden = {9}}), loss::cross_entropy);
  const Dataset rows = rows_of({6}, 100);
  const State at = Engine(function, optim::sgd({.lr = 1}), 1).init(rows, 1, f64);
  const auto first = direction(at.layout->trained_size, 5), second = direction(at.layout->trained_size, 6);
  Workers workers(1);
  Products products(function, workers);
  PlaneLoss plane(function, at, first, second, rows, workers, 100 * 9 * 8 * 3 - 1);
  EXPECT_EQ(plane.kept(), 0U);
  EXPECT_EQ(plane(0, 0), products.value(at, {rows}));
}

}  // namespace
}  // namespace thalweg
