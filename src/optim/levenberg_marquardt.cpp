#include "optim/levenberg_marquardt.hpp"

#include <Eigen/Cholesky>
#include <Eigen/QR>
#include <Eigen/SVD>
#include <algorithm>
#include <cmath>
#include <limits>

namespace thalweg {

namespace {

using Vector = LevenbergMarquardt::Vector;
using Matrix = LevenbergMarquardt::Matrix;

/// The part of a scale that is left after a step, so that it follows columns that become shorter within a few steps.
constexpr double forgetting = 0.7;
constexpr double most_bend = 0.75;  // largest 2 |a| / |s|: above it the path is too curved for the step to be trusted
constexpr double most_damping = 1e30;  // where this finds no lower value, there is none to be found
constexpr double hardly = 1e-15;       // a relative fall that may be rounding
constexpr std::int64_t most_refined = 40;
/// Outside them the unit of the residuals is changed.
constexpr double least_square = 0x1p-400, largest_square = 0x1p400;

std::span<const double> span_of(const Vector& v) { return {v.data(), static_cast<std::size_t>(v.size())}; }
std::span<double> span_of(Vector& v) { return {v.data(), static_cast<std::size_t>(v.size())}; }

/// The length of each column: the plain sum of squares where it neither vanishes nor overflows.
Vector plain_lengths(const Matrix& jacobian) {
  Vector all(jacobian.cols());
  for (Eigen::Index i = 0; i < all.size(); ++i) {
    const double square = jacobian.col(i).squaredNorm();
    const bool is_plain = square > least_square && square < largest_square;
    all[i] = is_plain ? std::sqrt(square) : jacobian.col(i).stableNorm();
  }
  return all;
}

/// The same with 1 in place of 0.
Vector lengths(const Matrix& jacobian) {
  return plain_lengths(jacobian).unaryExpr([](double d) { return d > 0 ? d : 1; });
}

Matrix with_unit_columns(const Matrix& jacobian, const Vector& scale) {
  return jacobian * scale.cwiseInverse().asDiagonal();
}

}  // namespace

/// min |J s + r|^2 + lambda |D s|^2: J D^-1 = Q R once, then a small problem for each lambda.
class LevenbergMarquardt::Damped {
 public:
  Damped(const Matrix& jacobian, const Vector& scale)
      : scale_(scale), factors_(with_unit_columns(jacobian, scale)), rank_(std::min(jacobian.rows(), jacobian.cols())) {
    upper_ = factors_.matrixQR().topRows(rank_).triangularView<Eigen::Upper>();
  }

  /// The part of a vector of residuals in the column space of J.
  [[nodiscard]] Vector reached(const Vector& r) const {
    Vector all = r;
    all.applyOnTheLeft(factors_.householderQ().adjoint());
    return all.head(rank_);
  }
  void set_damping(double lambda) {
    Matrix stacked(rank_ + upper_.cols(), upper_.cols());
    stacked << upper_, std::sqrt(lambda) * Matrix::Identity(upper_.cols(), upper_.cols());
    damped_.compute(stacked);
  }
  /// D s, from the part in the column space.
  [[nodiscard]] Vector scaled_step(const Vector& reached) const {
    Vector right = Vector::Zero(rank_ + upper_.cols());
    right.head(rank_) = -reached;
    return damped_.solve(right);
  }
  [[nodiscard]] double promised_fall(const Vector& reached, const Vector& scaled_step) const {
    return reached.squaredNorm() - (reached + upper_ * scaled_step).squaredNorm();
  }
  [[nodiscard]] Vector unscaled(const Vector& scaled_step) const { return scaled_step.cwiseQuotient(scale_); }

 private:
  const Vector& scale_;
  Eigen::HouseholderQR<Matrix> factors_, damped_;
  Eigen::Index rank_;
  Matrix upper_;
};

LevenbergMarquardt::LevenbergMarquardt(const Residuals& residuals, const LeastSquaresOptions& options, Vector x,
                                       Memory memory)
    : residuals_(residuals), options_(options), memory_(std::move(memory)), x_(std::move(x)) {
  r_ = values_at(x_);
  sum_ = r_.squaredNorm();
  choose_unit();
}

LevenbergMarquardt::Memory LevenbergMarquardt::memory() const {
  Memory memory = memory_;
  memory.scale *= std::ldexp(1.0, -exponent_);
  return memory;
}

/// A power of two, so that the multiplication does not round.
void LevenbergMarquardt::choose_unit() {
  if ((sum_ > least_square && sum_ < largest_square) || !r_.allFinite()) return;
  const double largest = r_.size() > 0 ? r_.cwiseAbs().maxCoeff() : 0;
  if (largest == 0) return;
  const int wanted = std::clamp(exponent_ - std::ilogb(largest), -1000, 1000);
  const double factor = std::ldexp(1.0, wanted - exponent_);
  exponent_ = wanted;
  r_ *= factor;
  memory_.scale *= factor;
  sum_ = r_.squaredNorm();
}

Vector LevenbergMarquardt::values_at(const Vector& x) {
  Vector r(residuals_.count());
  residuals_.values(span_of(x), span_of(r));
  ++evaluations_;
  if (exponent_ != 0) r *= std::ldexp(1.0, exponent_);
  return r;
}

Matrix LevenbergMarquardt::jacobian() {
  Matrix all(residuals_.count(), x_.size());
  residuals_.jacobian(span_of(std::as_const(x_)), {all.data(), static_cast<std::size_t>(all.size())});
  ++jacobians_;
  if (exponent_ != 0) all *= std::ldexp(1.0, exponent_);
  return all;
}

/// The second derivative of the residuals along a direction.
Vector LevenbergMarquardt::bend(const Vector& direction) const {
  Vector second(residuals_.count());
  residuals_.bend(span_of(x_), span_of(direction), span_of(second));
  if (exponent_ != 0) second *= std::ldexp(1.0, exponent_);
  return second;
}

void LevenbergMarquardt::rescale(const Matrix& jacobian) {
  const Vector now = plain_lengths(jacobian);
  Vector& scale = memory_.scale;
  scale = scale.size() == 0 ? now : now.cwiseMax(forgetting * scale);
  scale = scale.unaryExpr([](double d) { return d > 0 ? d : 1; });
}

double LevenbergMarquardt::relative(const Vector& step, const Vector& scale) const {
  const double size = scale.cwiseProduct(x_).norm();
  return scale.cwiseProduct(step).norm() / std::max(size, std::numeric_limits<double>::min());
}

/// Adds the curvature of the path to D s; false where it is too large to trust the step.
bool LevenbergMarquardt::bent(const Damped& system, Vector& step) const {
  step = system.unscaled(step);
  const Vector second = bend(step);
  if (!second.allFinite()) return false;
  const Vector half_bend = 0.5 * system.unscaled(system.scaled_step(system.reached(second)));
  const bool trusted =
      2 * memory_.scale.cwiseProduct(half_bend).norm() <= most_bend * memory_.scale.cwiseProduct(step).norm();
  step += half_bend;
  return trusted;
}

LevenbergMarquardt::Trial LevenbergMarquardt::tried(const Damped& system) {
  const Vector reached = system.reached(r_);
  Vector step = system.scaled_step(reached);
  const double promised = system.promised_fall(reached, step);
  Trial trial;
  trial.usable = true;
  if (options_.acceleration) {
    trial.usable = bent(system, step);
  } else {
    step = system.unscaled(step);
  }
  trial.relative = relative(step, memory_.scale);
  if (!trial.usable) return trial;
  trial.x = x_ + step;
  trial.residuals = values_at(trial.x);
  trial.sum = trial.residuals.squaredNorm();
  trial.usable = trial.sum < sum_;  // false for nan, too
  trial.gain = (sum_ - trial.sum) / std::max(promised, std::numeric_limits<double>::min());
  return trial;
}

LevenbergMarquardt::Outcome LevenbergMarquardt::step() {
  const Matrix j = jacobian();
  if (sum_ == 0 || !j.allFinite()) return Outcome::no_change;
  rescale(j);
  Damped system(j, memory_.scale);
  while (memory_.damping <= most_damping) {
    system.set_damping(memory_.damping);
    Trial trial = tried(system);
    if (!trial.usable) {
      if (trial.relative < std::numeric_limits<double>::epsilon()) break;
      memory_.damping *= memory_.growth;
      memory_.growth *= 2;
      continue;
    }
    const bool small_fall = sum_ - trial.sum <= hardly * sum_;
    hardly_changed_ = small_fall ? hardly_changed_ + 1 : 0;
    x_ = std::move(trial.x);
    r_ = std::move(trial.residuals);
    sum_ = trial.sum;
    choose_unit();
    memory_.damping *= std::max(1.0 / 3, 1 - std::pow(2 * trial.gain - 1, 3));
    memory_.growth = 2;
    if (hardly_changed_ >= 3) return Outcome::no_change;
    return trial.relative <= options_.step_size ? Outcome::small : Outcome::moved;
  }
  return Outcome::no_change;
}

/// The Hessian of |r|^2 / 2, in units of the scale: J^T J plus the sum of each residual times its second derivatives.
/// The mixed ones follow from the second derivatives along e_i, e_k and e_i + e_k.
Matrix LevenbergMarquardt::hessian(const Matrix& scaled_jacobian, const Vector& scale) const {
  const Eigen::Index n = x_.size();
  Vector direction = Vector::Zero(n);
  const auto curvature = [&](Eigen::Index i, Eigen::Index k) {
    direction[i] = 1 / scale[i];
    direction[k] = 1 / scale[k];
    const Vector second = bend(direction);
    direction[i] = direction[k] = 0;
    return r_.dot(second);
  };
  Matrix h(n, n);
  for (Eigen::Index i = 0; i < n; ++i) h(i, i) = curvature(i, i);
  for (Eigen::Index i = 0; i < n; ++i) {
    for (Eigen::Index k = 0; k < i; ++k) h(i, k) = h(k, i) = (curvature(i, k) - h(i, i) - h(k, k)) / 2;
  }
  return h + scaled_jacobian.transpose() * scaled_jacobian;
}

void LevenbergMarquardt::refine() {
  if (x_.size() > most_refined) return;
  double last = std::numeric_limits<double>::infinity();
  for (int i = 0; i < 10 && sum_ > 0; ++i) {
    const Matrix j = jacobian();
    if (!j.allFinite()) return;
    const Vector scale = lengths(j);
    const Matrix scaled = with_unit_columns(j, scale);
    const Matrix h = hessian(scaled, scale);
    if (!h.allFinite()) return;
    const Eigen::LLT<Matrix> factors(h);
    if (factors.info() != Eigen::Success) return;  // not at a minimum
    const Vector step = -factors.solve(scaled.transpose() * r_).cwiseQuotient(scale);
    const double size = relative(step, scale);
    if (!(size < last / 2)) return;
    const Vector next = x_ + step, values = values_at(next);
    const double sum = values.squaredNorm();
    if (!(sum <= sum_ * (1 + 1e-8))) return;
    x_ = next;
    r_ = values;
    sum_ = sum;
    last = size;
  }
}

void LevenbergMarquardt::judge(LeastSquaresResult& result) {
  const Eigen::Index n = x_.size();
  const Matrix j = jacobian();
  const Vector scale = lengths(j);
  const double nan = std::numeric_limits<double>::quiet_NaN(), infinite = std::numeric_limits<double>::infinity();
  const auto freedom = static_cast<double>(result.degrees_of_freedom());
  Matrix covariance = Matrix::Constant(n, n, nan);  // of parameters times their scale
  std::vector<char> free(static_cast<std::size_t>(n));
  if (j.allFinite()) {
    const Eigen::HouseholderQR<Matrix> factors(with_unit_columns(j, scale));
    const Matrix upper = factors.matrixQR().topRows(n).triangularView<Eigen::Upper>();
    const Eigen::JacobiSVD<Matrix> svd(upper, Eigen::ComputeFullV);
    const Vector& sizes = svd.singularValues();
    const double least = sizes[0] * std::numeric_limits<double>::epsilon() * static_cast<double>(j.rows());
    Vector weights = Vector::Zero(n);
    for (Eigen::Index k = 0; k < n; ++k) {
      if (sizes[k] > least) {
        weights[k] = 1 / (sizes[k] * sizes[k]);
        continue;
      }
      for (Eigen::Index i = 0; i < n; ++i) {
        if (std::abs(svd.matrixV()(i, k)) > 1e-6) free[static_cast<std::size_t>(i)] = 1;
      }
    }
    covariance =
        (freedom > 0 ? sum_ / freedom : nan) * (svd.matrixV() * weights.asDiagonal() * svd.matrixV().transpose());
  }
  result.covariance = Tensor({n, n}, f64);
  result.correlation = Tensor({n, n}, f64);
  result.errors = Tensor({n}, f64);
  const Vector sizes = covariance.diagonal().cwiseSqrt();
  for (Eigen::Index i = 0; i < n; ++i) {
    const bool is_free = free[static_cast<std::size_t>(i)] != 0;
    if (is_free) result.undetermined.push_back(i);
    result.errors.set(i, is_free ? infinite : sizes[i] / scale[i]);
    for (Eigen::Index k = 0; k < n; ++k) {
      const bool is_known = !is_free && !free[static_cast<std::size_t>(k)];
      result.covariance.set(i * n + k, is_known ? covariance(i, k) / scale[i] / scale[k] : infinite);
      result.correlation.set(i * n + k, is_known ? covariance(i, k) / (sizes[i] * sizes[k]) : nan);
    }
  }
  result.residual_norm = std::ldexp(std::sqrt(sum_), -exponent_);
}

}  // namespace thalweg
