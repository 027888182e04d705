// Gauss-Newton for least squares, dense or by products (Gauss 1809).

#include <Eigen/QR>
#include <cmath>

#include "optim/krylov.hpp"
#include "optim/line_search.hpp"
#include "optim/method_row.hpp"
#include "optim/residuals.hpp"

namespace thalweg::optim {

Fields fields(GaussNewtonOptions& o) {
  return {{.name = "solver", .place = &o.solver, .doc = solver_doc, .choices = {"auto", "dense", "products"}},
          {"decrease", &o.decrease, decrease_doc, open_unit},
          {"iterations", &o.iterations, iterations_doc, not_negative}};
}

namespace {

class GaussNewton : public Method {
 public:
  explicit GaussNewton(const GaussNewtonOptions& options) : o_(options) {}

  [[nodiscard]] std::vector<Need> needs() const override {
    return {Need::gradient, o_.solver == "dense" ? Need::residuals : Need::gauss_newton};
  }

  [[nodiscard]] std::vector<MethodSlot> slots(const Tensor& x) const override {
    std::vector<MethodSlot> all;
    for (const char* room : {"step", "x", "gradient", "residual", "direction", "product"}) {
      all.push_back({room, x.size(), x.dtype(), false});
    }
    return all;
  }

  MethodStep step(MethodPoint& at, MethodMemory& memory, Oracle& oracle) const override {
    Tensor &step = memory["step"], &x = memory["x"], &gradient = memory["gradient"];
    if (o_.solver != "products" && oracle.offers(Need::residuals)) {
      dense(at, oracle.residuals(), step);
    } else {
      by_products(at, memory, oracle);
    }
    const double slope = dot(at.gradient, step);
    if (!leads_down(slope)) return {.moved = false, .why = why_not_down(at.gradient, step)};
    const LineStep found =
        search_armijo(oracle, at, step, slope, 1, {x, gradient}, {.decrease = o_.decrease, .most = 60});
    if (!found.found) return {.moved = false, .why = "the line search found no lower value"};
    std::swap(at.x, x);
    std::swap(at.gradient, gradient);
    at.value = found.value;
    return {.size = found.step};
  }

 private:
  static void dense(const MethodPoint& at, const Residuals& residuals, Tensor& step) {
    const auto x = at.x.values<double>();
    Eigen::MatrixXd jacobian(residuals.count(), residuals.parameters());
    Eigen::VectorXd r(residuals.count());
    residuals.values(x, {r.data(), static_cast<std::size_t>(r.size())});
    residuals.jacobian(x, {jacobian.data(), static_cast<std::size_t>(jacobian.size())});
    const auto out = step.mutable_values<double>();
    Eigen::Map<Eigen::VectorXd>(out.data(), step.size()) = -jacobian.colPivHouseholderQr().solve(r);
  }

  void by_products(const MethodPoint& at, MethodMemory& memory, Oracle& oracle) const {
    const LinearOperator matrix = [&](const Tensor& v, Tensor& product) { oracle.gauss_newton(at.x, v, product); };
    const double size = norm(at.gradient);
    const std::int64_t most = o_.iterations > 0 ? o_.iterations : 2 * at.x.size() + 10;
    (void)minimize_quadratic(matrix, at.gradient, INFINITY, std::min(0.1, std::sqrt(size)) * size, most, memory["step"],
                             {memory["residual"], memory["direction"], memory["product"]});
  }

  GaussNewtonOptions o_;
};

}  // namespace

Optimizer gauss_newton(GaussNewtonOptions o) { return method_optimizer<GaussNewton>("gauss_newton", o); }

std::vector<OptimizerRow> gauss_newton_methods() {
  return {method_row(gauss_newton,
                     {.name = "gauss_newton",
                      .summary = "least squares: each step aims at the minimum of the linear model of the residuals",
                      .formula = "s = argmin |r + J s|^2; x += t s, with t from a line search",
                      .when = "sums of squares with small residuals, from a good start; otherwise levenberg_marquardt",
                      .source = "Gauss 1809; Nocedal and Wright 2006, section 10.3"})};
}

}  // namespace thalweg::optim
