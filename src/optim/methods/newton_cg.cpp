// Newton's method in a trust region, by conjugate gradients (Steihaug 1983).

#include <algorithm>
#include <cmath>
#include <limits>

#include "optim/krylov.hpp"
#include "optim/method_row.hpp"

namespace thalweg::optim {

Fields fields(NewtonCgOptions& o) {
  return {{"radius", &o.radius, "initial radius of the trust region", positive},
          {"largest_radius", &o.largest_radius, "largest radius of the trust region", positive},
          {"accept",
           &o.accept,
           "a step must reach this fraction of the fall that the quadratic model predicts",
           {.low = 0, .high = 0.25}},
          {"iterations", &o.iterations, iterations_doc, not_negative}};
}

namespace {

constexpr double rounding = 10 * std::numeric_limits<double>::epsilon();

class NewtonCg : public Method {
 public:
  explicit NewtonCg(const NewtonCgOptions& options) : o_(options) {}

  [[nodiscard]] std::vector<Need> needs() const override { return {Need::gradient, Need::curvature}; }

  [[nodiscard]] std::vector<MethodSlot> slots(const Tensor& x) const override {
    const std::int64_t n = x.size();
    std::vector<MethodSlot> all = {{"radius", 1}};
    for (const char* room : {"step", "x", "gradient", "residual", "direction", "product"}) {
      all.push_back({room, n, x.dtype(), false});
    }
    return all;
  }

  MethodStep step(MethodPoint& at, MethodMemory& memory, Oracle& oracle) const override {
    double& radius = memory.numbers("radius")[0];
    if (radius == 0) radius = o_.radius;
    Tensor &step = memory["step"], &x = memory["x"], &gradient = memory["gradient"];
    const LinearOperator hessian = [&](const Tensor& v, Tensor& product) { oracle.curvature(at.x, v, product); };
    const double size = norm(at.gradient), smallest = std::numeric_limits<double>::epsilon() * (1 + norm(at.x));
    while (radius > smallest) {
      const QuadraticStep model =
          minimize_quadratic(hessian, at.gradient, radius, std::min(0.5, std::sqrt(size)) * size, iterations(at.x),
                             step, {memory["residual"], memory["direction"], memory["product"]});
      move(at.x, 1, step, x);
      const double value = oracle.gradient(x, gradient), fall = at.value - value;
      const bool hidden =
          std::abs(fall) <= rounding * std::abs(at.value) && model.fall <= rounding * std::abs(at.value);
      const double ratio = !std::isfinite(value) ? -1 : hidden && norm(gradient) < size ? 1 : fall / model.fall;
      if (!(ratio >= 0.25)) {
        radius = model.length / 4;
      } else if (ratio > 0.75 && model.at_border) {
        radius = std::min(2 * radius, o_.largest_radius);
      }
      if (ratio > o_.accept) {
        std::swap(at.x, x);
        std::swap(at.gradient, gradient);
        at.value = value;
        return {.size = radius};
      }
    }
    return {.moved = false, .size = radius, .why = "the trust region shrank to nothing"};
  }

  /// Goes along the direction of the lowest curvature, if that is negative, as long as the value falls.
  bool leave(MethodPoint& at, MethodMemory& memory, Oracle& oracle) const override {
    const LinearOperator hessian = [&](const Tensor& v, Tensor& product) { oracle.curvature(at.x, v, product); };
    LowestCurvature lowest = lowest_curvature(hessian, at.x, 100, 1);
    if (!(lowest.value < -1e-6 * std::max(std::abs(lowest.largest), 1e-6))) return false;
    if (dot(lowest.direction, at.gradient) > 0) thalweg::scale(lowest.direction, -1);
    Tensor &x = memory["x"], &gradient = memory["gradient"];
    double& radius = memory.numbers("radius")[0];
    for (double t = std::max(o_.radius, radius); t > 1e-8 * (1 + norm(at.x)); t /= 4) {
      for (const double sign : {1.0, -1.0}) {
        move(at.x, sign * t, lowest.direction, x);
        const double value = oracle.gradient(x, gradient);
        if (!(value < at.value + 0.1 * lowest.value * t * t / 2)) continue;
        std::swap(at.x, x);
        std::swap(at.gradient, gradient);
        at.value = value;
        radius = t;
        return true;
      }
    }
    return false;
  }

 private:
  [[nodiscard]] std::int64_t iterations(const Tensor& x) const {
    return o_.iterations > 0 ? o_.iterations : 2 * x.size() + 10;
  }

  NewtonCgOptions o_;
};

}  // namespace

Optimizer newton_cg(NewtonCgOptions o) { return method_optimizer<NewtonCg>("newton_cg", o); }

std::vector<OptimizerRow> newton_cg_methods() {
  return {method_row(
      newton_cg,
      {.name = "newton_cg",
       .summary = "Newton's method in a trust region, by products with the Hessian; leaves saddle points",
       .formula = "s = argmin g s + s H s / 2 over |s| <= radius, by conjugate gradients; x += s",
       .when = "smooth functions on which L-BFGS is slow or stops at a saddle; each step takes several products",
       .source = "Steihaug 1983; Conn, Gould and Toint 2000"})};
}

}  // namespace thalweg::optim
