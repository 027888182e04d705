// The same checks for every row of the op table, on its own samples.

#include <gtest/gtest.h>

#include <cmath>

#include "core/error.hpp"
#include "evaluate.hpp"
#include "ops/table.hpp"
#include "sample_inputs.hpp"
#include "thalweg/ops.hpp"

namespace thalweg {
namespace {

double inner(const Tensor& a, const Tensor& b) {
  double total = 0;
  for (std::int64_t i = 0; i < a.size(); ++i) total += a.at(i) * b.at(i);
  return total;
}

class OpTable : public testing::TestWithParam<const Op*> {
 protected:
  template <class Check>
  void each_sample(const Check& check) {
    const Op& op = *GetParam();
    for (std::size_t i = 0; i < op.samples.size(); ++i) {
      SCOPED_TRACE(std::string(op.name) + ", sample " + std::to_string(i));
      check(op.samples[i]);
    }
  }
  static Traced call(const Sample& sample) {
    return [&sample](const std::vector<Var>& x) { return std::vector<Var>{sample.call(x)}; };
  }
  static std::vector<Var> floats(const std::vector<Var>& x) {
    std::vector<Var> found;
    for (const Var& v : x) {
      if (is_float(v.dtype())) found.push_back(v);
    }
    return found;
  }
};

TEST_P(OpTable, HasFormulaAndSamples) {
  EXPECT_FALSE(GetParam()->formula.empty());
  EXPECT_FALSE(GetParam()->samples.empty());
}

TEST_P(OpTable, ValueAgreesWithPlainLoops) {
  each_sample([](const Sample& sample) {
    const auto inputs = inputs_of(sample, f64, 1);
    const Tensor y = evaluate(call(sample), inputs)[0];
    const Tensor wanted = sample.expected(inputs);
    ASSERT_EQ(y.shape(), wanted.shape());
    EXPECT_LE(distance(y, wanted), 1e-13 * sample.tolerance);
  });
}

TEST_P(OpTable, F32IsCloseToF64) {
  each_sample([](const Sample& sample) {
    const auto inputs = inputs_of(sample, f32, 2);
    auto wide = inputs;
    for (Tensor& x : wide) x = is_float(x.dtype()) ? x.to(f64) : x;
    EXPECT_LE(distance(evaluate(call(sample), inputs)[0], evaluate(call(sample), wide)[0]),
              4e-6 * std::max(1.0, std::min(sample.tolerance, 10.0)));
  });
}

TEST_P(OpTable, PassesAndThreadsDoNotChangeABit) {
  each_sample([](const Sample& sample) {
    for (DType dtype : {f32, f64}) {
      const auto inputs = inputs_of(sample, dtype, 3);
      const Traced value_and_gradients = [&](const std::vector<Var>& x) {
        const Var y = sample.call(x);
        std::vector<Var> all{y};
        if (is_float(y.dtype())) {
          for (const Var& g : gradients(sum(y * sin(y)), floats(x))) all.push_back(g);
        }
        return all;
      };
      const auto wanted = evaluate(value_and_gradients, inputs);
      const auto same = [&](Passes passes, int threads, const char* what) {
        const auto got = evaluate(value_and_gradients, inputs, passes, threads);
        for (std::size_t i = 0; i < got.size(); ++i)
          EXPECT_TRUE(identical(got[i], wanted[i])) << what << ", output " << i;
      };
      same({.simplify = false}, 1, "simplify off");
      same({.fuse = false}, 1, "fuse off");
      same({.order = false}, 1, "order off");
      same({.reuse = false}, 1, "reuse off");
      same({false, false, false, false}, 1, "all off");
      same({}, 3, "three threads");
    }
  });
}

/// A scalar function of the outputs with non-constant derivatives.
Var scalar_of(const Sample& sample, const std::vector<Var>& x) {
  const Var y = sample.call(x);
  Tensor weights = random_uniform(y.shape(), 0.5, 1.5, 99, f64).to(y.dtype());
  return sum(y * sin(y) * constant(weights));
}

TEST_P(OpTable, GradientAgreesWithDifferences) {
  each_sample([](const Sample& sample) {
    if (!sample.differences || sample.shapes[0].size() > 100) return;  // differences need an evaluation per element
    const auto inputs = inputs_of(sample, f64, 4);
    const Traced traced = [&](const std::vector<Var>& x) { return gradients(scalar_of(sample, x), floats(x)); };
    const Traced value = [&](const std::vector<Var>& x) { return std::vector<Var>{scalar_of(sample, x)}; };
    const auto analytic = evaluate(traced, inputs);
    std::size_t output = 0;
    for (std::size_t k = 0; k < inputs.size(); ++k) {
      if (!is_float(inputs[k].dtype())) continue;
      Tensor numeric(inputs[k].shape(), f64);
      for (std::int64_t i = 0; i < numeric.size(); ++i) {
        constexpr double h = 1e-5;
        auto above = inputs, below = inputs;
        above[k].set(i, inputs[k].at(i) + h);
        below[k].set(i, inputs[k].at(i) - h);
        numeric.set(i, (evaluate(value, above)[0].item() - evaluate(value, below)[0].item()) / (2 * h));
      }
      EXPECT_LE(distance(analytic[output++], numeric), 2e-8 * sample.tolerance) << "input " << k;
    }
  });
}

TEST_P(OpTable, ForwardAndReverseAreTransposed) {
  each_sample([](const Sample& sample) {  // <v, J u> = <J^T v, u>
    const auto inputs = inputs_of(sample, f64, 5);
    const Tensor y = evaluate(call(sample), inputs)[0];
    if (!is_float(y.dtype())) return;
    const Tensor v = random_normal(y.shape(), 7, f64);
    std::vector<Tensor> u;
    for (const Tensor& x : inputs) {
      if (is_float(x.dtype())) u.push_back(random_normal(x.shape(), 8 + u.size(), f64));
    }
    const Tensor ju = evaluate(
        [&](const std::vector<Var>& x) {
          std::vector<Var> tangents;
          for (const Tensor& t : u) tangents.push_back(x[0].graph().constant(t));
          return jvp({sample.call(x)}, floats(x), tangents);
        },
        inputs)[0];
    const auto jtv = evaluate(
        [&](const std::vector<Var>& x) { return vjp({sample.call(x)}, {x[0].graph().constant(v)}, floats(x)); },
        inputs);
    double transposed = 0;
    for (std::size_t k = 0; k < u.size(); ++k) transposed += inner(jtv[k], u[k]);
    EXPECT_NEAR(inner(v, ju), transposed, 1e-10 * sample.tolerance * std::max(1.0, std::abs(transposed)));
  });
}

TEST_P(OpTable, SecondDerivativeAgreesWithDifferences) {
  each_sample([](const Sample& sample) {
    if (!sample.differences) return;
    const auto inputs = inputs_of(sample, f64, 6);
    std::vector<Tensor> u;
    for (const Tensor& x : inputs) {
      if (is_float(x.dtype())) u.push_back(random_uniform(x.shape(), -1, 1, 20 + u.size(), f64));
    }
    const Traced traced = [&](const std::vector<Var>& x) { return gradients(scalar_of(sample, x), floats(x)); };
    const auto curvature = evaluate(
        [&](const std::vector<Var>& x) {
          std::vector<Var> tangents;
          for (const Tensor& t : u) tangents.push_back(x[0].graph().constant(t));
          return jvp(traced(x), floats(x), tangents);
        },
        inputs);
    constexpr double h = 1e-5;
    const auto moved = [&](double by) {
      auto result = inputs;
      std::size_t k = 0;
      for (Tensor& x : result) {
        if (!is_float(x.dtype())) continue;
        for (std::int64_t i = 0; i < x.size(); ++i) x.set(i, x.at(i) + by * u[k].at(i));
        ++k;
      }
      return evaluate(traced, result);
    };
    const auto above = moved(h), below = moved(-h);
    for (std::size_t k = 0; k < curvature.size(); ++k) {
      Tensor numeric(curvature[k].shape(), f64);
      for (std::int64_t i = 0; i < numeric.size(); ++i) numeric.set(i, (above[k].at(i) - below[k].at(i)) / (2 * h));
      EXPECT_LE(distance(curvature[k], numeric), 2e-7 * sample.tolerance) << "input " << k;
    }
  });
}

std::vector<const Op*> testable() {
  std::vector<const Op*> rows;
  for (const Op* op : all_ops()) {
    if (op->kind != OpKind::leaf) rows.push_back(op);
  }
  return rows;
}

INSTANTIATE_TEST_SUITE_P(Rows, OpTable, testing::ValuesIn(testable()),
                         [](const auto& row) { return std::string(row.param->name); });

}  // namespace
}  // namespace thalweg
