// The paths of optimizers against those of PyTorch: tests/reference/optimizers.py.

#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "optim/stepper.hpp"
#include "reference_file.hpp"

namespace thalweg {
namespace {

using testing::one_vector;
using testing::options_of;
using testing::run_on_smooth_problem;
using testing::SmoothProblem;
using testing::Stepper;

/// Relative to the largest element. In Rprop a rounding error may change a sign, and so the size of a step.
double tolerance_of(const std::string& kind, DType dtype) {
  if (kind == "rprop") return dtype == f64 ? 4e-12 : 4e-3;
  return dtype == f64 ? 1e-12 : 1e-5;
}

void expect_path(const nlohmann::json& entry, const nlohmann::json& steps, DType dtype) {
  const auto kind = entry["kind"].get<std::string>();
  const std::string where = kind + entry["options"].dump() + (dtype == f64 ? " f64" : " f32");
  Stepper stepper(optimizer_named(kind).make(options_of(entry["options"])), one_vector(SmoothProblem::size, dtype),
                  SmoothProblem::start());
  const auto& path = entry[dtype == f64 ? "f64" : "f32"];
  for (std::size_t k = 0; k < steps.size(); ++k) {
    run_on_smooth_problem(stepper, steps[k].get<int>() - static_cast<int>(stepper.state.step),
                          entry["options"].value("maximize", false));
    const auto theirs = path[k].get<std::vector<double>>();
    const Tensor evaluated = stepper.evaluated();
    double largest = 0, error = 0;
    for (std::size_t i = 0; i < theirs.size(); ++i) {
      const auto at = static_cast<std::int64_t>(i % SmoothProblem::size);
      const double ours = i < SmoothProblem::size ? stepper.x(at) : evaluated.at(at);  // ASGD: the averages follow
      largest = std::max(largest, std::abs(theirs[i]));
      error = std::max(error, std::abs(ours - theirs[i]));
    }
    EXPECT_LE(error, tolerance_of(kind, dtype) * largest) << where << " step " << steps[k];
  }
}

TEST(OptimizerReference, PathsAreThoseOfPyTorch) {
  const auto reference = testing::reference("optimizers");
  std::set<std::string> kinds;
  for (const auto& entry : reference["cases"]) {
    for (DType dtype : {f64, f32}) expect_path(entry, reference["steps"], dtype);
    kinds.insert(entry["kind"].get<std::string>());
  }
  EXPECT_EQ(kinds.size(), 10u);
}

}  // namespace
}  // namespace thalweg
