// Derivatives at kinks and at borders of the domain are those of PyTorch, from tests/reference/kinks.py.

#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "evaluate.hpp"
#include "reference_file.hpp"
#include "thalweg/ops.hpp"

namespace thalweg {
namespace {

using Vars = std::vector<Var>;
using Value = std::function<Var(const Vars&)>;

const std::map<std::string, Value>& functions() {
  static const std::map<std::string, Value> table = {
      {"relu", [](const Vars& x) { return relu(x[0]); }},
      {"relu6", [](const Vars& x) { return relu6(x[0]); }},
      {"leaky_relu", [](const Vars& x) { return leaky_relu(x[0]); }},
      {"elu", [](const Vars& x) { return elu(x[0]); }},
      {"selu", [](const Vars& x) { return selu(x[0]); }},
      {"hard_sigmoid", [](const Vars& x) { return hard_sigmoid(x[0]); }},
      {"hard_swish", [](const Vars& x) { return hard_swish(x[0]); }},
      {"softsign", [](const Vars& x) { return softsign(x[0]); }},
      {"abs", [](const Vars& x) { return abs(x[0]); }},
      {"sign", [](const Vars& x) { return sign(x[0]); }},
      {"floor", [](const Vars& x) { return floor(x[0]); }},
      {"round", [](const Vars& x) { return round(x[0]); }},
      {"sqrt", [](const Vars& x) { return sqrt(x[0]); }},
      {"log", [](const Vars& x) { return log(x[0]); }},
      {"asin", [](const Vars& x) { return asin(x[0]); }},
      {"acosh", [](const Vars& x) { return acosh(x[0]); }},
      {"atanh", [](const Vars& x) { return atanh(x[0]); }},
      {"square_by_pow", [](const Vars& x) { return pow(x[0], 2); }},
      {"cube_by_pow", [](const Vars& x) { return pow(x[0], 3); }},
      {"root_by_pow", [](const Vars& x) { return pow(x[0], 0.5); }},
      {"zeroth_power", [](const Vars& x) { return pow(x[0], 0); }},
      {"power_2.5", [](const Vars& x) { return pow(x[0], 2.5); }},
      {"clamp", [](const Vars& x) { return clamp(x[0], -1, 1); }},
      {"clamp_crossed", [](const Vars& x) { return clamp(x[0], 1, -1); }},
      {"max", [](const Vars& x) { return max(x[0]); }},
      {"min", [](const Vars& x) { return min(x[0]); }},
      {"max_of_nan", [](const Vars& x) { return max(x[0]); }},
      {"max_outer_axes",
       [](const Vars& x) {
         return sum(max(x[0], {0, 2}));
       }},
      {"min_outer_axes",
       [](const Vars& x) {
         return sum(min(x[0], {0, 2}));
       }},
      {"norm", [](const Vars& x) { return norm(x[0]); }},
      {"norm_rows", [](const Vars& x) { return sum(norm(x[0], 1)); }},
      {"prod", [](const Vars& x) { return prod(x[0]); }},
      {"prod_two_zeros", [](const Vars& x) { return prod(x[0]); }},
      {"logsumexp_infinite", [](const Vars& x) { return sum(logsumexp(x[0], 1)); }},
      {"softmax_infinite", [](const Vars& x) { return sum(slice(softmax(x[0]), 0, 1, 1)); }},
      {"maximum", [](const Vars& x) { return maximum(x[0], x[1]); }},
      {"minimum", [](const Vars& x) { return minimum(x[0], x[1]); }},
      {"pow", [](const Vars& x) { return pow(x[0], x[1]); }},
      {"atan2", [](const Vars& x) { return atan2(x[0], x[1]); }},
      {"where", [](const Vars& x) { return where(x[0] > x[1], x[0], 2 * x[1]); }},
      {"clamp_below", [](const Vars& x) { return clamp(x[0], x[1], 2); }},
      {"clamp_above", [](const Vars& x) { return clamp(x[0], 0, x[1]); }},
  };
  return table;
}

/// Collects the numbers and the shape of nested lists; the numbers may be texts.
void collect(const nlohmann::json& value, std::vector<double>& numbers, std::vector<std::int64_t>& shape,
             int depth = 0) {
  if (!value.is_array()) return numbers.push_back(std::stod(value.get<std::string>()));
  if (static_cast<int>(shape.size()) == depth) shape.push_back(static_cast<std::int64_t>(value.size()));
  for (const auto& element : value) collect(element, numbers, shape, depth + 1);
}

Tensor tensor_of(const nlohmann::json& value) {
  std::vector<double> numbers;
  std::vector<std::int64_t> shape;
  collect(value, numbers, shape);
  return Tensor::from(numbers, Shape(shape));
}

void expect_equal(const Tensor& got, const Tensor& wanted, const std::string& where) {
  for (std::int64_t i = 0; i < wanted.size(); ++i) {
    if (std::isnan(wanted.at(i))) {
      EXPECT_TRUE(std::isnan(got.at(i))) << where << ": " << got.at(i) << " where PyTorch has NaN";
    } else if (std::isinf(wanted.at(i))) {
      EXPECT_EQ(got.at(i), wanted.at(i)) << where;
    } else {
      EXPECT_NEAR(got.at(i), wanted.at(i), 1e-8) << where;  // 1e-8, because PyTorch's hard_sigmoid uses 1/6 in f32
    }
  }
}

TEST(Kinks, ReverseAndForwardModeAreThoseOfPyTorch) {
  const auto cases = testing::reference("kinks");
  ASSERT_GE(cases.size(), 90U);
  for (const auto& entry : cases) {
    const Value& f = functions().at(entry["name"].get<std::string>());
    std::vector<Tensor> inputs;
    for (const auto& input : entry["inputs"]) inputs.push_back(tensor_of(input));
    const auto reverse = evaluate([&](const Vars& x) { return gradients(f(x), x); }, inputs);
    for (std::size_t k = 0; k < inputs.size(); ++k) {
      const Tensor wanted = tensor_of(entry["gradients"][k]);
      expect_equal(reverse[k], wanted, entry.dump() + ", input " + std::to_string(k));
      if (inputs[k].size() > 1) continue;
      const auto forward =
          evaluate([&](const Vars& x) { return jvp({f(x)}, {x[k]}, {x[0].graph().constant(ones({}, f64))}); }, inputs);
      expect_equal(forward[0], wanted, entry.dump() + " forward, input " + std::to_string(k));
    }
  }
}

}  // namespace
}  // namespace thalweg
