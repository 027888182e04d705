#pragma once
// The dense steps of Levenberg and Marquardt's method on residuals.

#include <Eigen/Core>
#include <cmath>

#include "optim/residuals.hpp"
#include "thalweg/least_squares.hpp"

namespace thalweg {

class LevenbergMarquardt {
 public:
  using Vector = Eigen::VectorXd;
  using Matrix = Eigen::MatrixXd;

  /// What the method keeps from step to step besides x.
  struct Memory {
    double damping = 1e-3, growth = 2;
    Vector scale = {};  ///< D: one number for each parameter; empty before the first step
  };
  enum class Outcome {
    moved,
    small,      ///< moved by at most options.step_size
    no_change,  ///< no lower sum was found, or the sum hardly changes any more
  };

  LevenbergMarquardt(const Residuals& residuals, const LeastSquaresOptions& options, Vector x, Memory memory);

  /// Tries growing dampings until the sum of squares falls.
  Outcome step();
  /// Newton's steps on |r|^2 / 2, as long as they get smaller; they give a minimum to its last digits.
  void refine();
  /// Fills in the length of the residuals, the standard errors, the covariance, and which parameters are undetermined.
  void judge(LeastSquaresResult& result);

  [[nodiscard]] const Vector& x() const { return x_; }
  [[nodiscard]] Memory memory() const;
  [[nodiscard]] double sum_of_squares() const { return std::ldexp(sum_, -2 * exponent_); }
  [[nodiscard]] bool is_finite() const { return std::isfinite(sum_); }
  [[nodiscard]] std::int64_t evaluations() const { return evaluations_; }
  [[nodiscard]] std::int64_t jacobians() const { return jacobians_; }

 private:
  struct Trial {
    Vector x, residuals;
    double sum = 0, relative = 0;
    double gain = 0;  ///< the fall divided by the fall that the linear model predicts
    bool usable = false;
  };
  class Damped;

  [[nodiscard]] Vector values_at(const Vector& x);
  [[nodiscard]] Matrix jacobian();
  [[nodiscard]] Vector bend(const Vector& direction) const;
  void choose_unit();
  void rescale(const Matrix& jacobian);
  [[nodiscard]] Trial tried(const Damped& system);
  [[nodiscard]] bool bent(const Damped& system, Vector& step) const;
  [[nodiscard]] Matrix hessian(const Matrix& scaled_jacobian, const Vector& scale) const;
  [[nodiscard]] double relative(const Vector& step, const Vector& scale) const;

  const Residuals& residuals_;
  const LeastSquaresOptions& options_;
  Memory memory_;
  Vector x_, r_;
  int exponent_ = 0;  // residuals are multiplied by 2 to this power, so that their squares are neither 0 nor infinite
  double sum_ = 0;
  int hardly_changed_ = 0;  // steps in a row
  std::int64_t evaluations_ = 0, jacobians_ = 0;
};

}  // namespace thalweg
