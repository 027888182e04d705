// Views, broadcasting, reductions and products on awkward shapes: planned programs against the interpreter.

#include <gtest/gtest.h>

#include "evaluate.hpp"
#include "far_cpu.hpp"
#include "interpreter.hpp"
#include "thalweg/error.hpp"
#include "thalweg/ops.hpp"

namespace thalweg {
namespace {

using Vars = std::vector<Var>;

Tensor numbers(const Shape& shape, std::uint64_t seed = 1, DType dtype = f64) {
  return random_uniform(shape, -1, 1, seed, dtype);
}

Tensor indices(const Shape& shape, std::int64_t below, std::uint64_t seed = 9) {
  return random_uniform(shape, 0, static_cast<double>(below), seed, f64).to(i32);
}

/// Compares values with the interpreter, and gradients if the output is not integer, in f64 and f32, with and without
/// passes.
void expect_interpreted(const Traced& f, const std::vector<Tensor>& inputs, double tolerance = 1e-12) {
  const Traced with_gradients = [&](const Vars& x) {
    Vars outputs = f(x), real;
    for (const Var& v : x) {
      if (is_float(v.dtype())) real.push_back(v);
    }
    if (is_float(outputs[0].dtype())) {
      for (const Var& g : gradients(sum(outputs[0] * sin(outputs[0] + 1)), real)) outputs.push_back(g);
    }
    return outputs;
  };
  const Trace trace(with_gradients, inputs);
  const Interpreter wanted(trace.graph, inputs);
  const auto got = trace.run(inputs), plain = trace.run(inputs, {false, false, false, false, false});
  std::vector<Tensor> single;
  for (const Tensor& x : inputs) single.push_back(x.dtype() == f64 ? x.to(f32) : x);
  const auto rounded = evaluate(with_gradients, single);
  for (std::size_t i = 0; i < got.size(); ++i) {
    const Tensor& value = wanted.value(trace.outputs[i].var);
    ASSERT_EQ(got[i].shape(), value.shape());
    EXPECT_LE(distance(got[i], value), tolerance) << "output " << i;
    EXPECT_TRUE(identical(got[i], plain[i])) << "output " << i;
    EXPECT_LE(distance(rounded[i], value), 2e-3) << "output " << i << " in f32";
  }
}

TEST(Broadcasting, FollowsNumPy) {
  const std::pair<Shape, Shape> pairs[] = {
      {{}, {}},
      {{}, {3}},
      {{3}, {}},
      {{1}, {3}},
      {{3}, {2, 3}},
      {{2, 1}, {2, 3}},
      {{2, 1}, {3}},
      {{2, 1}, {1, 3}},
      {{4, 1, 5}, {3, 1}},
      {{1, 1, 1}, {2}},
      {{0, 3}, {1, 3}},
      {{0, 3}, {3}},
      {{1, 3}, {0, 1}},
      {{2, 0}, {}},
      {{1, 0}, {5, 1}},
      {{2, 1, 3, 1}, {4, 1, 5}},
      {{1, 2, 1, 2, 1, 2, 1, 2}, {2, 1, 2, 1, 2, 1, 2, 1}},
      {{2, 1, 1, 1, 1, 1, 1, 3}, {1}},
  };
  for (const auto& [a, b] : pairs) {
    SCOPED_TRACE(a.str() + " and " + b.str());
    expect_interpreted([](const Vars& x) { return Vars{x[0] * x[1] + x[1] - x[0]}; }, {numbers(a), numbers(b, 2)});
  }
}

TEST(Broadcasting, RefusesShapesThatDoNotFit) {
  const std::pair<Shape, Shape> pairs[] = {{{2}, {3}}, {{2, 3}, {2}}, {{0}, {2}}, {{4, 2, 3}, {4, 3, 3}}};
  for (const auto& [a, b] : pairs) {
    EXPECT_THROW(evaluate([](const Vars& x) { return Vars{x[0] + x[1]}; }, {numbers(a), numbers(b)}), UsageError)
        << a.str() << " and " << b.str();
  }
}

TEST(Shapes, EmptyTensors) {
  const std::vector<Traced> functions = {
      [](const Vars& x) {
        return Vars{reshape(x[0], {0, 2, 2})};
      },
      [](const Vars& x) {
        return Vars{reshape(transpose(x[0]), {2, 0, 2})};
      },
      [](const Vars& x) { return Vars{sum(x[0], 0)}; },
      [](const Vars& x) { return Vars{sum(x[0], 1)}; },
      [](const Vars& x) { return Vars{sum(square(x[0]))}; },
      [](const Vars& x) { return Vars{max(x[0], 1)}; },
      [](const Vars& x) { return Vars{softmax(x[0])}; },
      [](const Vars& x) { return Vars{logsumexp(x[0], 1)}; },
      [](const Vars& x) { return Vars{cumsum(x[0], 1)}; },
      [](const Vars& x) { return Vars{argmax(x[0], 1)}; },
      [](const Vars& x) { return Vars{matmul(x[0], transpose(x[0]))}; },
      [](const Vars& x) { return Vars{matmul(transpose(x[0]), x[0])}; },
      [](const Vars& x) {
        return Vars{concat({x[0], x[0]}, 0)};
      },
      [](const Vars& x) {
        return Vars{concat({x[0], x[0]}, 1)};
      },
      [](const Vars& x) {
        return Vars{pad(x[0], {{1, 2}, {0, 1}})};
      },
      [](const Vars& x) { return Vars{slice(x[0], 1, 3, 1)}; },
      [](const Vars& x) { return Vars{prod(x[0], 0)}; },
      [](const Vars& x) {
        return Vars{broadcast_to(x[0], {3, 0, 4})};
      },
  };
  for (std::size_t i = 0; i < functions.size(); ++i) {
    SCOPED_TRACE("function " + std::to_string(i));
    expect_interpreted(functions[i], {numbers({0, 4})});
  }
  EXPECT_THROW(evaluate([](const Vars& x) { return Vars{max(x[0])}; }, {numbers({0, 4})}), UsageError);
  EXPECT_THROW(evaluate([](const Vars& x) { return Vars{argmax(x[0], 0)}; }, {numbers({0, 4})}), UsageError);
}

TEST(Shapes, SizesAroundTheEdgesOfTilesAndBlocks) {
  for (std::int64_t n : {1, 2, 15, 16, 17, 255, 256, 257, 511, 512, 513, 1023, 1025, 4095, 4096, 4097, 8193}) {
    SCOPED_TRACE(n);
    expect_interpreted([](const Vars& x) { return Vars{x[0] * tanh(x[0]) + mean(x[0])}; }, {numbers({n})}, 1e-11);
    expect_interpreted([](const Vars& x) { return Vars{mean(square(x[0]), 1) + max(x[0], 1)}; }, {numbers({3, n})},
                       1e-11);
    expect_interpreted([](const Vars& x) { return Vars{mean(square(x[0]), 0) + min(x[0], 0)}; }, {numbers({n, 3})},
                       1e-11);
    expect_interpreted([](const Vars& x) { return Vars{logsumexp(x[0], 0) * mean(x[0], 0)}; }, {numbers({n, 2})},
                       1e-11);
  }
}

TEST(Shapes, ReductionsOverEverySetOfAxes) {
  const Shape shapes[] = {{2, 3, 4, 5}, {1, 3, 1, 2}, {3, 0, 2, 1}, {2, 300, 1, 3}};
  const std::pair<const char*, Var (*)(const Arg&, const Axes&, Keep)> reductions[] = {
      {"sum", sum}, {"mean", mean},         {"prod", prod}, {"max", max},
      {"min", min}, {"variance", variance}, {"norm", norm}, {"logsumexp", logsumexp}};
  for (const Shape& shape : shapes) {
    for (const auto& [name, reduction] : reductions) {
      for (unsigned set = 0; set < 16; ++set) {
        std::vector<int> axes;
        for (int axis = 0; axis < 4; ++axis) {
          if (set >> axis & 1U) axes.push_back(axis % 2 ? axis - 4 : axis);
        }
        const bool empty = shape.size() == 0 && (set & 2U);
        if (empty && std::string(name) != "sum" && std::string(name) != "prod" && std::string(name) != "norm") continue;
        SCOPED_TRACE(std::string(name) + " of " + shape.str() + ", axes " + std::to_string(set));
        for (Keep keep : {Keep::no, Keep::yes}) {
          expect_interpreted([&](const Vars& x) { return Vars{reduction(x[0], axes, keep)}; }, {numbers(shape)}, 1e-11);
        }
      }
    }
  }
}

TEST(Shapes, ViewsOfViews) {
  const std::vector<Traced> functions = {
      [](const Vars& x) { return Vars{slice(slice(x[0], 1, 6, 1, 2), 0, 3, 1, 2)}; },
      [](const Vars& x) { return Vars{slice(transpose(slice(x[0], 1, 4)), -5, -1, 0, 3)}; },
      [](const Vars& x) {
        return Vars{reshape(transpose(x[0]), {4, 6})};
      },
      [](const Vars& x) {
        return Vars{reshape(transpose(reshape(x[0], {2, 3, 4}), {2, 0, 1}), {8, 3})};
      },
      [](const Vars& x) {
        return Vars{transpose(reshape(slice(x[0], 0, 4, 0, 2), {3, 4}))};
      },
      [](const Vars& x) {
        return Vars{reshape(slice(x[0], 0, 6, 1, 3), {2, 2, 2})};
      },
      [](const Vars& x) {
        return Vars{broadcast_to(slice(x[0], 2, 3), {3, 4, 6}) * x[0]};
      },
      [](const Vars& x) {
        return Vars{reshape(broadcast_to(slice(x[0], 2, 3, 1), {4, 6}), {8, 3})};
      },
      [](const Vars& x) {
        return Vars{concat({transpose(x[0]), transpose(slice(x[0], 0, 4, 0, 2))}, 1)};
      },
      [](const Vars& x) {
        return Vars{concat({slice(x[0], 3, 6, 1), x[0], slice(x[0], 0, 1, 1)}, -1)};
      },
      [](const Vars& x) {
        return Vars{stack({x[0], transpose(reshape(x[0], {6, 4}))}, 1)};
      },
      [](const Vars& x) { return Vars{sum(transpose(slice(x[0], 1, 6, 1, 2)), 0)}; },
      [](const Vars& x) { return Vars{softmax(transpose(x[0]), 0)}; },
      [](const Vars& x) { return Vars{cumsum(slice(x[0], 1, 4), 0)}; },
      [](const Vars& x) {
        return Vars{pad(transpose(slice(x[0], 0, 6, 1, 5)), {{1, 0}, {0, 2}}, 7)};
      },
      [](const Vars& x) {
        return Vars{slice(pad(x[0], {{2, 2}, {1, 1}}), 1, 7, 0, 2)};
      },
      [](const Vars& x) {
        return Vars{max(reshape(x[0], {2, 2, 2, 3}), {0, 2})};
      },
      [](const Vars& x) { return Vars{slice(x[0], 2, 2) * 3.0}; },
      [](const Vars& x) { return Vars{x[0] + 0 * expand_dims(squeeze(slice(x[0], 3, 4, 1), 1), 1)}; },
  };
  for (std::size_t i = 0; i < functions.size(); ++i) {
    SCOPED_TRACE("function " + std::to_string(i));
    expect_interpreted(functions[i], {numbers({4, 6})});
    // as views of a computed value, and of the end of an input
    expect_interpreted([&](const Vars& x) { return functions[i]({exp(x[0])}); }, {numbers({4, 6})});
    expect_interpreted([&](const Vars& x) { return functions[i]({slice(x[0], 1, 5)}); }, {numbers({7, 6})});
  }
}

TEST(Shapes, ViewsOfIntegers) {
  const Tensor table = numbers({5, 2}), labels = indices({3, 4}, 5);
  expect_interpreted([](const Vars& x) { return Vars{gather(x[0], transpose(x[1]))}; }, {table, labels});
  expect_interpreted([](const Vars& x) { return Vars{gather(x[0], slice(x[1], 0, 4, 1, 2))}; }, {table, labels});
  expect_interpreted(
      [](const Vars& x) {
        return Vars{gather(x[0], reshape(transpose(x[1]), {6, 2}))};
      },
      {table, labels});
  expect_interpreted(
      [](const Vars& x) {
        return Vars{gather(x[0], broadcast_to(slice(x[1], 1, 2), {3, 4}))};
      },
      {table, labels});
  expect_interpreted([](const Vars& x) { return Vars{pick(x[0], slice(x[1], 1, 4))}; },
                     {numbers({3, 5}), indices({5}, 5)});
  expect_interpreted([](const Vars& x) { return Vars{one_hot(transpose(x[0]), 6, f64)}; }, {labels});
}

TEST(Shapes, IntegerOutputsAreExact) {
  Tensor bytes({2, 3}, u8);
  for (int i = 0; i < 6; ++i) bytes.set(i, 250 + i);
  const auto out = evaluate(
      [](const Vars& x) {
        return Vars{transpose(x[0]), x[0], slice(x[1], 1, 3), argmax(x[2]), argmax(x[2]), cast(transpose(x[1]), f32)};
      },
      {bytes, Tensor::of({7, -8, 2147483647}), numbers({3, 4})});
  EXPECT_EQ(out[0].shape(), (Shape{3, 2}));
  EXPECT_EQ(out[0].at(1), 253);
  EXPECT_TRUE(identical(out[1], bytes));
  EXPECT_EQ(out[2].at(0), -8);
  EXPECT_EQ(out[2].at(1), 2147483647);
  EXPECT_TRUE(identical(out[3], out[4]));
  EXPECT_EQ(out[5].at(1), -8);
}

TEST(Shapes, ConversionToIntegersRoundsToNearest) {
  const double inf = std::numeric_limits<double>::infinity(), nan = std::numeric_limits<double>::quiet_NaN();
  const Tensor y = evaluate([](const Vars& x) { return Vars{cast(x[0], i32)}; },
                            {Tensor::of({1.9, -1.9, 1e20, -1e20, -2147483648.0, inf, -inf, nan})})[0];
  const double wanted[] = {1, -1, 2147483647, -2147483648.0, -2147483648.0, 2147483647, -2147483648.0, 0};
  for (std::int64_t i = 0; i < y.size(); ++i) EXPECT_EQ(y.at(i), wanted[i]) << i;
}

TEST(Products, OfTransposedBroadcastAndSlicedOperands) {
  const std::vector<Traced> functions = {
      [](const Vars& x) { return Vars{matmul(transpose(x[0]), x[1])}; },
      [](const Vars& x) { return Vars{matmul(x[0], x[1], true, false)}; },
      [](const Vars& x) { return Vars{matmul(x[1], x[0], true, false)}; },
      [](const Vars& x) { return Vars{matmul(slice(x[0], 0, 5, 0, 2), slice(x[1], 1, 5, 0), false, true)}; },
      [](const Vars& x) {
        return Vars{matmul(broadcast_to(slice(x[0], 0, 1), {3, 4}), transpose(slice(x[1], 0, 1)))};
      },
      [](const Vars& x) { return Vars{matmul(x[0], slice(x[1], 2, 3), false, true)}; },
      [](const Vars& x) { return Vars{matmul(slice(x[0], 2, 3), x[1], false, true)}; },
      [](const Vars& x) { return Vars{matmul(reshape(slice(x[0], 0, 1), {4}), x[1], false, true)}; },
      [](const Vars& x) { return Vars{matmul(x[0], reshape(slice(x[1], 1, 2), {4}))}; },
      [](const Vars& x) { return Vars{matmul(reshape(slice(x[0], 0, 1), {4}), reshape(slice(x[1], 0, 1), {4}))}; },
      [](const Vars& x) {
        return Vars{matmul(stack({x[0], x[0] + 1}), transpose(x[1]))};
      },
      [](const Vars& x) {
        return Vars{matmul(stack({x[0], x[0] + 1}), x[1], true, false)};
      },
      [](const Vars& x) {
        return Vars{matmul(transpose(x[0]), stack({x[1], x[1] * 2, x[1] - 1}))};
      },
      [](const Vars& x) {
        return Vars{matmul(reshape(x[0], {5, 1, 1, 4}), reshape(x[1], {1, 5, 4, 1}))};
      },
      [](const Vars& x) { return Vars{matmul(slice(x[0], 0, 0), x[1], false, true)}; },
      [](const Vars& x) { return Vars{matmul(slice(x[0], 0, 0), slice(x[1], 0, 0), true, false)}; },
  };
  for (std::size_t i = 0; i < functions.size(); ++i) {
    SCOPED_TRACE("function " + std::to_string(i));
    expect_interpreted(functions[i], {numbers({5, 4}), numbers({5, 4}, 2)});
    expect_interpreted(
        [&](const Vars& x) {
          return functions[i]({x[0] * 2, tanh(x[1])});
        },
        {numbers({5, 4}), numbers({5, 4}, 2)});
  }
}

TEST(Products, SizesBelowAndAboveTheThresholdOfTheLibraryCall) {
  for (std::int64_t n : {1, 2, 5, 16, 17, 31, 33, 64}) {
    for (const auto& [m, k] : {std::pair<std::int64_t, std::int64_t>{1, 40}, {7, 1}, {33, 31}, {64, 33}, {3, 500}}) {
      for (bool ta : {false, true}) {
        for (bool tb : {false, true}) {
          SCOPED_TRACE(::testing::Message() << m << " " << k << " " << n << " " << ta << tb);
          expect_interpreted([&](const Vars& x) { return Vars{matmul(x[0], x[1], ta, tb)}; },
                             {numbers(ta ? Shape{k, m} : Shape{m, k}), numbers(tb ? Shape{n, k} : Shape{k, n}, 2)},
                             1e-10);
        }
      }
    }
  }
}

TEST(Products, BatchesOfSmallOnes) {
  for (bool ta : {false, true}) {
    for (bool tb : {false, true}) {
      expect_interpreted(
          [&](const Vars& x) { return Vars{matmul(x[0], x[1], ta, tb)}; },
          {numbers(ta ? Shape{30, 8, 6} : Shape{30, 6, 8}), numbers(tb ? Shape{30, 9, 8} : Shape{30, 8, 9})}, 1e-10);
    }
  }
}

TEST(Rows, RepeatedIndicesAddUp) {
  const Tensor many = Tensor::of({2, 2, 0, 2, 2, 1, 0, 2});
  expect_interpreted([](const Vars& x) { return Vars{scatter_add(x[0], x[1], 4)}; }, {numbers({8, 3}), many});
  expect_interpreted([](const Vars& x) { return Vars{scatter_add(x[0], x[1], 4)}; }, {numbers({8}), many});
  expect_interpreted([](const Vars& x) { return Vars{gather(x[0], x[1])}; }, {numbers({3, 2, 2}), many});
  expect_interpreted([](const Vars& x) { return Vars{gather(x[0], x[1])}; }, {numbers({3}), many.reshape({2, 2, 2})});
}

TEST(Rows, IndicesOutOfRangeAreRefusedWithTheirPlace) {
  const auto message = [](const Traced& f, const std::vector<Tensor>& inputs) -> std::string {
    try {
      evaluate(f, inputs, {}, 2);
    } catch (const UsageError& error) {
      return error.what();
    }
    return "";
  };
  for (int wrong : {-1, 3, 2147483647, -2147483647}) {
    const Tensor i = Tensor::of({0, 2, wrong, 1});
    // a kernel of a GPU tells only that there is one; training names it by running the rows here
    const auto is_named = [&](const std::string& text, const std::string& what) {
      return testing::is_on_a_gpu() ? !text.empty() : text.find(what + std::to_string(wrong)) != std::string::npos;
    };
    EXPECT_TRUE(
        is_named(message([](const Vars& x) { return Vars{gather(x[0], x[1])}; }, {numbers({3, 2}), i}), "index "));
    EXPECT_TRUE(
        is_named(message([](const Vars& x) { return Vars{scatter_add(x[0], x[1], 3)}; }, {numbers({4}), i}), "index "));
    EXPECT_TRUE(
        is_named(message([](const Vars& x) { return Vars{pick(x[0], x[1])}; }, {numbers({4, 3}), i}), "label "));
  }
  EXPECT_NE(message([](const Vars& x) { return Vars{gather(x[0], x[1])}; }, {numbers({0, 2}), Tensor::of({0})}), "");
}

TEST(Shapes, MoreThanEightAxesAreRefused) {
  EXPECT_THROW(evaluate([](const Vars& x) { return Vars{expand_dims(x[0], 0)}; }, {numbers({1, 1, 1, 1, 1, 1, 1, 1})}),
               UsageError);
}

}  // namespace
}  // namespace thalweg
