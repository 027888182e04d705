// Gradient descent with a line search (Cauchy 1847; Armijo 1966).

#include "optim/elements.hpp"
#include "optim/line_search.hpp"
#include "optim/method_row.hpp"

namespace thalweg::optim {

Fields fields(GradientDescentOptions& o) {
  return {{.name = "line_search",
           .place = &o.line_search,
           .doc = "what a step must reach: enough fall (armijo), or a small slope at its end as well (wolfe)",
           .choices = {"armijo", "wolfe"}},
          {"decrease", &o.decrease, decrease_doc, open_unit},
          {"curvature", &o.curvature, curvature_doc, open_unit},
          {"evaluations", &o.evaluations, evaluations_doc, {.low = 1}}};
}

namespace {

class GradientDescent : public Method {
 public:
  explicit GradientDescent(const GradientDescentOptions& options) : o_(options) {}

  [[nodiscard]] std::vector<MethodSlot> slots(const Tensor& x) const override {
    const std::int64_t n = x.size();
    return {{"last", 2},  // the fall that the slope predicted for the last step's length; the number of steps so far
            {"direction", n, x.dtype(), false},
            {"x", n, x.dtype(), false},
            {"gradient", n, x.dtype(), false}};
  }

  MethodStep step(MethodPoint& at, MethodMemory& memory, Oracle& oracle) const override {
    const auto last = memory.numbers("last");
    Tensor &d = memory["direction"], &x = memory["x"], &gradient = memory["gradient"];
    copy(at.gradient, d);
    thalweg::scale(d, -1);
    const double slope = -dot(d, d);
    if (!leads_down(slope)) return {.moved = false, .why = why_not_down(at.gradient, d)};
    // the predicted fall of the first trial is that of the last step (Nocedal and Wright 2006, equation 3.60)
    const double first = last[1] == 0 ? std::min(1.0, 1 / sum_abs(at.gradient)) : 2 * last[0] / slope;
    const LineOptions options{o_.decrease, o_.curvature, 1e20, static_cast<int>(o_.evaluations)};
    const auto search = o_.line_search == "armijo" ? search_armijo : search_wolfe;
    const LineStep found = search(oracle, at, d, slope, first, {x, gradient}, options);
    if (!found.found) return {.moved = false, .why = "the line search found no lower value"};
    last[0] = found.step * slope;
    last[1] += 1;
    std::swap(at.x, x);
    std::swap(at.gradient, gradient);
    at.value = found.value;
    return {.size = found.step};
  }

 private:
  GradientDescentOptions o_;
};

}  // namespace

Optimizer gradient_descent(GradientDescentOptions o) {
  return method_optimizer<GradientDescent>("gradient_descent", o);
}

std::vector<OptimizerRow> gradient_descent_methods() {
  return {method_row(gradient_descent, {.name = "gradient_descent",
                                        .summary = "steps against the gradient, of a length that a line search finds",
                                        .formula = "x -= t g, with f(x - t g) <= f(x) - decrease t |g|^2; for "
                                                   "line_search = wolfe the slope at the end is small, too",
                                        .when = "to see what a line search alone achieves; no learning rate to tune",
                                        .source = "Cauchy 1847; Armijo 1966"})};
}

}  // namespace thalweg::optim
