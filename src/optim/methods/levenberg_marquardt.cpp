// Levenberg and Marquardt's method for least squares, dense or by products (1944; 1963).

#include "optim/levenberg_marquardt.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "optim/krylov.hpp"
#include "optim/method_row.hpp"

namespace thalweg::optim {

Fields fields(LevenbergMarquardtOptions& o) {
  return {{.name = "solver", .place = &o.solver, .doc = solver_doc, .choices = {"auto", "dense", "products"}},
          {"damping", &o.damping, "lambda of the first step", positive},
          {"acceleration", &o.acceleration,
           "dense solver: bend each step by the second derivative of the residuals along it"},
          {"iterations", &o.iterations, iterations_doc, not_negative}};
}

namespace {

class LevenbergMarquardtMethod : public Method {
 public:
  explicit LevenbergMarquardtMethod(const LevenbergMarquardtOptions& options) : o_(options) {}

  [[nodiscard]] std::vector<Need> needs() const override {
    return {Need::gradient, o_.solver == "dense" ? Need::residuals : Need::gauss_newton};
  }

  [[nodiscard]] std::vector<MethodSlot> slots(const Tensor& x) const override {
    std::vector<MethodSlot> all = {{"damping", count_}, {"scale", x.size()}};
    for (const char* room : {"step", "x", "gradient", "residual", "direction", "product"}) {
      all.push_back({room, x.size(), x.dtype(), false});
    }
    return all;
  }

  MethodStep step(MethodPoint& at, MethodMemory& memory, Oracle& oracle) const override {
    const bool dense = o_.solver != "products" && oracle.offers(Need::residuals);
    return dense ? dense_step(at, memory, oracle) : step_by_products(at, memory, oracle);
  }

 private:
  enum { damping, growth, count_ };

  MethodStep dense_step(MethodPoint& at, MethodMemory& memory, Oracle& oracle) const {
    using Vector = LevenbergMarquardt::Vector;
    const auto numbers = memory.numbers("damping"), scale = memory.numbers("scale");
    LevenbergMarquardt::Memory kept{.damping = o_.damping};
    if (numbers[growth] != 0) {
      kept = {numbers[damping], numbers[growth], Eigen::Map<const Vector>(scale.data(), at.x.size())};
    }
    const LeastSquaresOptions options{.acceleration = o_.acceleration};
    const auto x = at.x.values<double>();
    LevenbergMarquardt method(oracle.residuals(), options, Eigen::Map<const Vector>(x.data(), at.x.size()),
                              std::move(kept));
    const auto outcome = method.step();
    oracle.evaluations += method.evaluations() - 1;  // the first was counted already
    numbers[damping] = method.memory().damping;
    numbers[growth] = method.memory().growth;
    if (outcome == LevenbergMarquardt::Outcome::no_change && !(method.sum_of_squares() < at.value)) {
      return {.moved = false, .size = numbers[damping], .why = "no damping makes the sum of squares smaller"};
    }
    std::ranges::copy_n(method.memory().scale.data(), at.x.size(), scale.begin());
    std::ranges::copy_n(method.x().data(), at.x.size(), at.x.mutable_values<double>().begin());
    at.value = oracle.gradient(at.x, at.gradient);
    return {.size = numbers[damping]};
  }

  /// D is the identity here; lambda starts in proportion to the curvature along the gradient.
  MethodStep step_by_products(MethodPoint& at, MethodMemory& memory, Oracle& oracle) const {
    const auto numbers = memory.numbers("damping");
    Tensor &step = memory["step"], &x = memory["x"], &gradient = memory["gradient"], &product = memory["product"];
    const LinearOperator matrix = [&](const Tensor& v, Tensor& out) {
      oracle.gauss_newton(at.x, v, out);
      add(out, numbers[damping], v);
    };
    const double size = norm(at.gradient);
    if (!(size * size > 0) || !std::isfinite(size * size))
      return {.moved = false, .why = why_not_down(at.gradient, at.gradient)};
    if (numbers[growth] == 0) {
      oracle.gauss_newton(at.x, at.gradient, product);
      numbers[damping] = o_.damping * dot(product, at.gradient) / (size * size);
      numbers[growth] = 2;
    }
    const std::int64_t most = o_.iterations > 0 ? o_.iterations : 2 * at.x.size() + 10;
    while (std::isfinite(numbers[damping])) {
      const QuadraticStep model =
          minimize_quadratic(matrix, at.gradient, INFINITY, std::min(0.1, std::sqrt(size)) * size, most, step,
                             {memory["residual"], memory["direction"], product});
      if (model.length <= std::numeric_limits<double>::epsilon() * norm(at.x)) break;
      move(at.x, 1, step, x);
      const double value = oracle.gradient(x, gradient);
      const double promised = model.fall + numbers[damping] * model.length * model.length / 2;
      if (value < at.value) {
        const double gain = (at.value - value) / promised;
        numbers[damping] *= std::max(1.0 / 3, 1 - std::pow(2 * gain - 1, 3));
        numbers[growth] = 2;
        std::swap(at.x, x);
        std::swap(at.gradient, gradient);
        at.value = value;
        return {.size = numbers[damping]};
      }
      numbers[damping] = std::max(numbers[damping], std::numeric_limits<double>::min()) * numbers[growth];
      numbers[growth] *= 2;
    }
    return {.moved = false, .size = numbers[damping], .why = "no damping makes the value smaller"};
  }

  LevenbergMarquardtOptions o_;
};

}  // namespace

Optimizer levenberg_marquardt(LevenbergMarquardtOptions o) {
  return method_optimizer<LevenbergMarquardtMethod>("levenberg_marquardt", o);
}

std::vector<OptimizerRow> levenberg_marquardt_methods() {
  return {method_row(
      levenberg_marquardt,
      {.name = "levenberg_marquardt",
       .summary = "least squares: Gauss-Newton with a damping that grows until a step lowers the sum of squares",
       .formula = "s = argmin |r + J s|^2 + lambda |D s|^2; x += s, and lambda follows the ratio of the fall to the "
                  "predicted fall",
       .when = "sums of squares: curves fitted to data (`thalweg fit`), small networks with squared errors",
       .source = "Levenberg 1944; Marquardt 1963; More 1978; Nielsen 1999; Transtrum and Sethna 2012"})};
}

}  // namespace thalweg::optim
