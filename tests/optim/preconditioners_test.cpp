// Shampoo and SOAP against plain NumPy: tests/reference/preconditioners.py.

#include <gtest/gtest.h>

#include <cmath>

#include "optim/stepper.hpp"
#include "reference_file.hpp"
#include "thalweg/curved_optimizers.hpp"
#include "thalweg/error.hpp"

namespace thalweg {
namespace {

using testing::layout_of;
using testing::options_of;
using testing::Stepper;

std::vector<ParameterEntry> entries_of(const nlohmann::json& shapes) {
  std::vector<ParameterEntry> entries;
  for (const auto& sizes : shapes) {
    Shape shape;
    for (const auto& size : sizes) shape.push_back(size.get<std::int64_t>());
    entries.push_back({"p" + std::to_string(entries.size()), shape});
  }
  return entries;
}

Tensor start_of(const Layout& layout) {
  Tensor x(Shape{layout.size}, f64);
  for (int i = 0; i < x.size(); ++i) x.set(i, 1.125 - 0.375 * (i % 7) + (i % 5) * (i % 5) / 32.0);
  return x;
}

/// The gradient of the problem, with the same order of operations as in the generator.
template <class T>
Tensor gradient(const Tensor& at) {
  Tensor result(at.shape(), at.dtype());
  const auto x = at.values<T>();
  const auto g = result.mutable_values<T>();
  for (std::size_t i = 0; i < x.size(); ++i) {
    const auto k = static_cast<T>(i % 8);
    const T d = x[i] - (T(0.125) * k - T(0.5));
    g[i] = (T(0.5) + T(0.25) * k) * d + d * d * d;
  }
  for (std::size_t i = 1; i < x.size(); ++i) g[i] += x[i] - x[i - 1];
  for (std::size_t i = 1; i < x.size(); ++i) g[i - 1] -= x[i] - x[i - 1];
  return result;
}

/// The largest difference, relative to the largest element.
template <class Ours>
double distance(const std::vector<double>& theirs, Ours ours) {
  double largest = 0, error = 0;
  for (std::size_t i = 0; i < theirs.size(); ++i) {
    largest = std::max(largest, std::abs(theirs[i]));
    error = std::max(error, std::abs(ours(static_cast<std::int64_t>(i)) - theirs[i]));
  }
  return error / largest;
}

/// The matrices of one kind: for each parameter in order, those of its axes.
std::vector<double> matrices_of(const State& state, const std::string& kind, const nlohmann::json& shapes,
                                std::int64_t max_size) {
  std::vector<std::int64_t> read(4);
  std::vector<double> all;
  for (const auto& sizes : shapes) {
    for (std::size_t axis = 0; axis < sizes.size() && sizes.size() > 1; ++axis) {
      const auto n = sizes[axis].get<std::int64_t>();
      if (n > max_size) continue;
      const std::string wanted = kind + std::to_string(axis + 1);
      for (const auto& [name, slot] : state.slots) {
        if (!name.ends_with(wanted)) continue;
        for (std::int64_t i = 0; i < n * n; ++i) all.push_back(slot.at(read[axis]++));
      }
    }
  }
  return all;
}

void expect_case(const nlohmann::json& entry, const nlohmann::json& reference, DType dtype) {
  const auto kind = entry["kind"].get<std::string>();
  SCOPED_TRACE(kind + entry["options"].dump() + (dtype == f64 ? " f64" : " f32"));
  const double tolerance = dtype == f64 ? 1e-12 : 1e-5;
  OptionMap options = options_of(entry["options"]);
  options["weight_decay"] = {0.0};
  const Layout layout = layout_of(entries_of(reference["shapes"]), dtype);
  Stepper stepper(optimizer_named(kind).make(options), layout, start_of(layout));
  const auto& steps = reference["steps"];
  for (std::size_t k = 0; k < steps.size(); ++k) {
    while (stepper.state.step < steps[k].get<std::int64_t>()) {
      Tensor g = dtype == f64 ? gradient<double>(stepper.state.parameters) : gradient<float>(stepper.state.parameters);
      stepper.step(g);
    }
    const auto theirs = entry["x"][k].get<std::vector<double>>();
    EXPECT_LE(distance(theirs, [&](std::int64_t i) { return stepper.x(i); }), tolerance) << "step " << steps[k];
  }
  for (const auto& [name, list] : entry["matrices"].items()) {
    std::vector<double> theirs;
    for (const auto& matrix : list) {
      for (const double element : matrix.get<std::vector<double>>()) theirs.push_back(element);
    }
    const auto ours = matrices_of(stepper.state, name, reference["shapes"], entry["options"]["max_size"].get<int>());
    ASSERT_EQ(ours.size(), theirs.size()) << name;
    EXPECT_LE(distance(theirs, [&](std::int64_t i) { return ours[static_cast<std::size_t>(i)]; }), tolerance) << name;
  }
}

TEST(Preconditioners, PathsAndMatricesAreThoseOfNumPy) {
  const auto reference = testing::reference("preconditioners");
  EXPECT_EQ(reference["cases"].size(), 5U);
  for (const auto& entry : reference["cases"]) {
    for (DType dtype : {f64, f32}) expect_case(entry, reference, dtype);
  }
}

TEST(Preconditioners, AParameterWithTooManyAxesIsRefused) {
  const Layout layout = layout_of({{"deep", {2, 2, 2, 2, 2}}});
  EXPECT_THROW((void)make_update(optim::shampoo(), layout), UsageError);
  EXPECT_THROW((void)make_update(optim::soap(), layout), UsageError);
}

/// A gradient that is not finite does not change the matrices if such steps are skipped.
TEST(Preconditioners, ASkippedStepChangesNothing) {
  const Layout layout = layout_of({{"w", {3, 4}}});
  Tensor x(Shape{12}, f64), g(Shape{12}, f64), bad(Shape{12}, f64);
  for (int i = 0; i < 12; ++i) g.set(i, 1.0 / (1 + i)), bad.set(i, std::nan(""));
  for (const Optimizer& optimizer : {optim::shampoo({.every = 1}), optim::soap({.every = 1})}) {
    Stepper with(optim::prepend(optim::skip_nonfinite(), optimizer), layout, x);
    Stepper without(optim::prepend(optim::skip_nonfinite(), optimizer), layout, x);
    for (int i = 0; i < 3; ++i) with.step(g), without.step(g);
    with.step(bad);
    with.step(g), without.step(g);
    EXPECT_TRUE(identical(with.state.parameters, without.state.parameters)) << optimizer.name;
  }
}

}  // namespace
}  // namespace thalweg
