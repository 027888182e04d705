#include "engine/products.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "engine/engine.hpp"
#include "thalweg/thalweg.hpp"

namespace thalweg {
namespace {

/// Random rows, with classes as targets if `classes` is not 0.
Dataset rows_of(const Shape& row, std::int64_t rows, std::int64_t classes) {
  Shape shape{rows};
  for (const std::int64_t size : row) shape.push_back(size);
  Dataset data;
  data.set("input", random_normal(shape, 3));
  if (classes > 0) {
    Tensor labels({rows}, i32);
    for (std::int64_t i = 0; i < rows; ++i) labels.set(i, static_cast<double>(i * 7 % 5 % classes));
    data.set("target", labels);
  } else {
    data.set("target", random_normal({rows, 1}, 4));
  }
  return data;
}

State start_of(const EvaluationFunction& function, const Dataset& data, DType dtype = f64) {
  return Engine(function, optim::sgd({.lr = 1}), 1).init(data, 1, dtype);
}

Tensor vector_for(const State& state, std::uint64_t seed) {
  return random_normal({state.layout->trained_size}, seed, state.layout->dtype);
}

double dot(const Tensor& a, const Tensor& b) {
  double sum = 0;
  for (std::int64_t i = 0; i < a.size(); ++i) sum += a.at(i) * b.at(i);
  return sum;
}

State moved(const State& from, const Tensor& along, double step) {
  State to = from;
  for (std::int64_t i = 0; i < along.size(); ++i) to.parameters.set(i, from.parameters.at(i) + step * along.at(i));
  return to;
}

/// The largest difference between H v and the central difference of gradients, relative to the largest element.
double difference_from_gradients(Products& products, const State& at, const Dataset& data) {
  const Tensor v = vector_for(at, 11);
  Tensor product, ahead, behind;
  products.hessian_times(at, {data}, v, product);
  constexpr double h = 1e-5;
  products.gradient(moved(at, v, h), {data}, ahead);
  products.gradient(moved(at, v, -h), {data}, behind);
  double worst = 0, largest = 0;
  for (std::int64_t i = 0; i < v.size(); ++i) {
    worst = std::max(worst, std::abs(product.at(i) - (ahead.at(i) - behind.at(i)) / (2 * h)));
    largest = std::max(largest, std::abs(product.at(i)));
  }
  return worst / largest;
}

ModelFunction smooth_mlp(std::int64_t outputs) { return nn::mlp(outputs, {.hidden = {7, 5}, .activation = "tanh"}); }

TEST(Products, OfLeastSquaresAreThoseOfTheNormalEquations) {
  const Dataset data = rows_of({3}, 40, 0);
  const EvaluationFunction function = evaluation_of(nn::linear(1), loss::mse);
  Workers workers(1);
  Products products(function, workers);
  const State at = start_of(function, data);
  const Tensor v = vector_for(at, 5);  // weight (3, 1) and bias (1)
  Tensor hessian, gauss_newton;
  products.hessian_times(at, {data}, v, hessian);
  products.gauss_newton_times(at, {data}, v, gauss_newton);
  std::vector<double> expected(4, 0);  // 2 / n X^T X v, with a column of ones for the bias
  for (std::int64_t row = 0; row < 40; ++row) {
    double along = v.at(3);
    for (std::int64_t c = 0; c < 3; ++c) along += data["input"].at(3 * row + c) * v.at(c);
    for (std::int64_t c = 0; c < 3; ++c) expected[static_cast<std::size_t>(c)] += along * data["input"].at(3 * row + c);
    expected[3] += along;
  }
  for (std::int64_t i = 0; i < 4; ++i) {
    EXPECT_NEAR(hessian.at(i), 2.0 / 40 * expected[static_cast<std::size_t>(i)], 1e-13);
    EXPECT_NEAR(gauss_newton.at(i), hessian.at(i), 1e-13);
  }
}

struct Case {
  std::string name;
  ModelFunction model;
  LossFunction loss;
  Shape row;
  std::int64_t classes;
};

std::vector<Case> cases() {
  const auto normed = [](Scope s, const Arg& x) {
    Var h = tanh(nn::layer_norm(s / "norm", nn::dense(s / "in", x, 6)));
    h = nn::batch_norm(s / "batch", h);
    return nn::dense(s / "out", nn::dropout(s / "drop", h, 0.3), 3);
  };
  const auto pictures = [](Scope s, const Arg& x) {
    Var h = tanh(nn::conv2d(s / "conv", x, {.filters = 3}));
    h = avg_pool2d(h, {.window = 2});
    return nn::dense(s / "out", reshape(h, {h.dim(0), h.size() / h.dim(0)}), 3);
  };
  return {{"mlp", smooth_mlp(3), loss::cross_entropy, {4}, 3},
          {"regression", smooth_mlp(1), loss::mse, {4}, 0},
          {"normed", normed, loss::cross_entropy, {4}, 3},
          {"pictures", pictures, loss::cross_entropy, {6, 6, 2}, 3}};
}

class ProductsOf : public testing::TestWithParam<Case> {};
INSTANTIATE_TEST_SUITE_P(Models, ProductsOf, testing::ValuesIn(cases()),
                         [](const auto& test) { return test.param.name; });

TEST_P(ProductsOf, HessianIsTheDerivativeOfTheGradientInBothModes) {
  const Dataset data = rows_of(GetParam().row, 30, GetParam().classes);
  const EvaluationFunction function = evaluation_of(GetParam().model, GetParam().loss);
  Workers workers(2);
  const State at = start_of(function, data);
  for (const Mode mode : {Mode::evaluate, Mode::train}) {
    Products products(function, workers, {.mode = mode, .shard_size = 8});
    EXPECT_LT(difference_from_gradients(products, at, data), 1e-7);
    Tensor hu, hv;
    const Tensor u = vector_for(at, 21), v = vector_for(at, 22);
    products.hessian_times(at, {data}, u, hu);
    products.hessian_times(at, {data}, v, hv);
    EXPECT_NEAR(dot(u, hv), dot(v, hu), 1e-10 * std::abs(dot(u, hv)));
  }
}

TEST_P(ProductsOf, GaussNewtonIsSymmetricAndNotNegative) {
  const Dataset data = rows_of(GetParam().row, 30, GetParam().classes);
  const EvaluationFunction function = evaluation_of(GetParam().model, GetParam().loss);
  Workers workers(1);
  Products products(function, workers);
  const State at = start_of(function, data);
  for (std::uint64_t seed = 1; seed < 6; ++seed) {
    const Tensor u = vector_for(at, seed), v = vector_for(at, seed + 50);
    Tensor gu, gv;
    products.gauss_newton_times(at, {data}, u, gu);
    products.gauss_newton_times(at, {data}, v, gv);
    EXPECT_GE(dot(u, gu), 0);
    EXPECT_NEAR(dot(u, gv), dot(v, gu), 1e-10 * (std::abs(dot(u, gv)) + 1e-3));
  }
}

TEST_P(ProductsOf, AreTheSameBitsForAnyThreads) {
  const Dataset data = rows_of(GetParam().row, 67, GetParam().classes);
  const EvaluationFunction function = evaluation_of(GetParam().model, GetParam().loss);
  const State at = start_of(function, data, f32);
  const Tensor v = vector_for(at, 9);
  std::vector<Tensor> first;
  for (const int threads : {1, 2, 3}) {
    Workers workers(threads);
    Products products(function, workers, {.shard_size = 8});
    std::vector<Tensor> results(3);
    products.gradient(at, {data}, results[0]);
    products.hessian_times(at, {data}, v, results[1]);
    products.gauss_newton_times(at, {data}, v, results[2]);
    if (first.empty()) first = results;
    for (std::size_t i = 0; i < 3; ++i) EXPECT_TRUE(identical(results[i], first[i])) << i;
  }
}

TEST(Products, GaussNewtonOfSquaresIsTheJacobianSquared) {
  const Dataset data = rows_of({4}, 12, 0);
  const ModelFunction model = smooth_mlp(1);
  const EvaluationFunction function = evaluation_of(model, loss::mse);
  Workers workers(1);
  Products products(function, workers);
  const State at = start_of(function, data);
  const Tensor v = vector_for(at, 2);
  Tensor product;
  products.gauss_newton_times(at, {data}, v, product);
  // v^T G v = 2 / n times the sum of (J v)^2 over the rows; J v is a central difference of the outputs
  constexpr double h = 1e-5;
  const Apply apply([&](Scope s, const Batch& b) { return model(s, b["input"]); }, 1);
  const auto outputs = [&](double step) { return apply(moved(at, v, step), {{"input", data["input"]}}); };
  const Tensor ahead = outputs(h), behind = outputs(-h);
  double expected = 0;
  for (std::int64_t i = 0; i < 12; ++i) expected += std::pow((ahead.at(i) - behind.at(i)) / (2 * h), 2);
  EXPECT_NEAR(dot(v, product), 2.0 / 12 * expected, 1e-7 * expected);
}

TEST(Products, GradientAndLossAreThoseOfATrainingStep) {
  const Dataset data = rows_of({4}, 30, 3);
  const EvaluationFunction function = evaluation_of(smooth_mlp(3), loss::cross_entropy);
  Engine engine(function, optim::sgd({.lr = 1}), 1);
  State state = engine.init(data, 1, f64);
  const State before = state;
  Workers workers(1);
  Products products(function, workers);
  Tensor gradient;
  const double loss = products.gradient(before, {data}, gradient);
  const StepReport report = engine.step(state, {data}, {}, 0);
  EXPECT_NEAR(loss, report.loss, 1e-14);
  EXPECT_NEAR(loss, products.value(before, {data}), 1e-14);
  for (std::int64_t i = 0; i < gradient.size(); ++i)
    EXPECT_NEAR(gradient.at(i), before.parameters.at(i) - state.parameters.at(i), 1e-14);
}

TEST(Products, DivideByTheWeightOfTheRows) {
  Dataset data = rows_of({4}, 30, 3);
  Tensor weights({30});
  for (std::int64_t i = 0; i < 30; ++i) weights.set(i, i < 10 ? 1 : 0);
  data.set("weight", weights);
  const EvaluationFunction function = evaluation_of(smooth_mlp(3), loss::cross_entropy);
  const State at = start_of(function, data);
  Workers workers(1);
  Products products(function, workers, {.shard_size = 7});
  const Tensor v = vector_for(at, 1);
  Tensor weighted, of_ten;
  const double loss = products.hessian_times(at, {data}, v, weighted);
  EXPECT_EQ(products.weight(), 10);
  const Dataset ten = data.slice(0, 10);
  EXPECT_NEAR(loss, products.hessian_times(at, {ten}, v, of_ten), 1e-14);
  for (std::int64_t i = 0; i < v.size(); ++i) EXPECT_NEAR(weighted.at(i), of_ten.at(i), 1e-14);
}

TEST(Products, UseTheSameDropoutForTheSameSeedAndStep) {
  const auto model = [](Scope s, const Arg& x) {
    return nn::dense(s / "out", nn::dropout(s / "drop", nn::dense(s / "in", x, 16), 0.5), 3);
  };
  const Dataset data = rows_of({4}, 30, 3);
  const EvaluationFunction function = evaluation_of(model, loss::cross_entropy);
  State at = start_of(function, data);
  Workers workers(2);
  Products training(function, workers, {.mode = Mode::train}), evaluating(function, workers);
  const double first = training.value(at, {data});
  EXPECT_EQ(first, training.value(at, {data}));
  EXPECT_NE(first, evaluating.value(at, {data}));
  at.step = 1;
  EXPECT_NE(first, training.value(at, {data}));
}

TEST(Products, OfStreamedRowsHaveTheSameBits) {
  const Dataset data = rows_of({4}, 70, 3);
  Dataset streamed;
  const Tensor input = data["input"];
  streamed.set("input",
               RowReader{{4},
                         f32,
                         [input](std::int64_t row, std::span<std::byte> into) {
                           std::memcpy(into.data(), input.raw() + static_cast<std::size_t>(row) * 16, into.size());
                         }},
               70);
  streamed.set("target", data["target"]);
  const EvaluationFunction function = evaluation_of(smooth_mlp(3), loss::cross_entropy);
  const State at = start_of(function, data);
  Workers workers(2);
  Products products(function, workers, {.shard_size = 6});
  const Tensor v = vector_for(at, 1);
  const std::vector<std::int64_t> some = {60, 3, 3, 17, 42, 5, 9, 8, 1};
  for (const RowSelection& rows : {RowSelection{data}, RowSelection{data, some}}) {
    Tensor here, read;
    const double loss = products.hessian_times(at, rows, v, here);
    EXPECT_EQ(loss, products.hessian_times(at, {streamed, rows.rows}, v, read));
    EXPECT_TRUE(identical(here, read));
  }
}

TEST(Products, OfAnObjectiveThatMixesSamplesTakeOneShard) {
  const EvaluationFunction function = [](Scope s, const Batch& b) {
    const Var y = nn::dense(s / "d", b["input"], 1);
    return Evaluated{Loss(mean(square(y - mean(y)))), {}};  // the variance of the predictions
  };
  const Dataset data = rows_of({4}, 33, 0);
  const State at = start_of(function, data);
  Workers workers(2);
  Products products(function, workers, {.shard_size = 4});
  EXPECT_LT(difference_from_gradients(products, at, data), 1e-7);
  Tensor product;
  EXPECT_THROW(products.gauss_newton_times(at, {data}, vector_for(at, 1), product), UsageError);
}

TEST(Products, RefuseAVectorOfAnotherSizeOrDtype) {
  const Dataset data = rows_of({4}, 10, 3);
  const EvaluationFunction function = evaluation_of(smooth_mlp(3), loss::cross_entropy);
  const State at = start_of(function, data);
  Workers workers(1);
  Products products(function, workers);
  Tensor product;
  EXPECT_THROW(products.hessian_times(at, {data}, zeros({3}, f64), product), UsageError);
  EXPECT_THROW(products.hessian_times(at, {data}, zeros({at.layout->trained_size}, f32), product), UsageError);
}

TEST(Products, OfAnF32StateAgreeWithThoseInF64) {
  const Dataset data = rows_of({4}, 50, 3);
  const EvaluationFunction function = evaluation_of(smooth_mlp(3), loss::cross_entropy);
  const State single = start_of(function, data, f32), twice = state_in(f64, single);
  Workers workers(1);
  Products products(function, workers);
  const Tensor v = vector_for(single, 4);
  Tensor rough, exact;
  products.hessian_times(single, {data}, v, rough);
  products.hessian_times(twice, {data}, v.to(f64), exact);
  for (std::int64_t i = 0; i < v.size(); ++i) EXPECT_NEAR(rough.at(i), exact.at(i), 2e-6);
}

}  // namespace
}  // namespace thalweg
