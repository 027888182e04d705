// Nonlinear conjugate gradients (Fletcher and Reeves 1964; Polak and Ribiere 1969).

#include <algorithm>

#include "optim/elements.hpp"
#include "optim/line_search.hpp"
#include "optim/method_row.hpp"

namespace thalweg::optim {

Fields fields(NonlinearCgOptions& o) {
  return {{.name = "beta",
           .place = &o.beta,
           .doc = "the formula for beta, the factor of the last direction",
           .choices = {"polak_ribiere", "fletcher_reeves"}},
          {"decrease", &o.decrease, decrease_doc, open_unit},
          {"curvature", &o.curvature, curvature_doc, {.low = 0, .high = 0.5, .low_open = true, .high_open = true}},
          {"evaluations", &o.evaluations, evaluations_doc, {.low = 1}}};
}

namespace {

class NonlinearCg : public Method {
 public:
  explicit NonlinearCg(const NonlinearCgOptions& options) : o_(options) {}

  [[nodiscard]] std::vector<MethodSlot> slots(const Tensor& x) const override {
    const std::int64_t n = x.size();
    return {
        {"direction", n, x.dtype()}, {"last", count_}, {"x", n, x.dtype(), false}, {"gradient", n, x.dtype(), false}};
  }

  MethodStep step(MethodPoint& at, MethodMemory& memory, Oracle& oracle) const override {
    const auto last = memory.numbers("last");
    for (;;) {
      const bool anew = last[since_anew] == 0;
      const MethodStep done = try_step(at, memory, oracle);
      if (done.moved || anew) return done;
      last[since_anew] = 0;
    }
  }

 private:
  enum { since_anew, last_fall, count_ };  // steps since the last restart; step times slope

  MethodStep try_step(MethodPoint& at, MethodMemory& memory, Oracle& oracle) const {
    const auto last = memory.numbers("last");
    Tensor &d = memory["direction"], &x = memory["x"], &gradient = memory["gradient"];
    double slope = dot(at.gradient, d);
    if (last[since_anew] == 0 || !(slope < 0)) {
      copy(at.gradient, d);
      thalweg::scale(d, -1);
      slope = -dot(d, d);
      last[since_anew] = 0;
    }
    if (!leads_down(slope)) return {.moved = false, .why = why_not_down(at.gradient, d)};
    const double first = last[last_fall] == 0 ? std::min(1.0, 1 / sum_abs(at.gradient)) : last[last_fall] / slope;
    const LineOptions options{o_.decrease, o_.curvature, 1e20, static_cast<int>(o_.evaluations)};
    const LineStep found = search_wolfe(oracle, at, d, slope, first, {x, gradient}, options);
    if (!found.found) return {.moved = false, .why = "the line search found no lower value"};
    last[last_fall] = found.step * slope;
    turn(at.gradient, gradient, d, last[since_anew]);
    std::swap(at.x, x);
    std::swap(at.gradient, gradient);
    at.value = found.value;
    return {.size = found.step};
  }

  /// The next direction, from the last gradient and the new one.
  void turn(const Tensor& before, const Tensor& now, Tensor& d, double& since) const {
    const double squares = dot(before, before), kept = dot(now, before), both = dot(now, now);
    const bool restart = since + 1 >= static_cast<double>(std::max<std::int64_t>(now.size(), 2));
    const double beta = o_.beta == "polak_ribiere" ? std::max(0.0, (both - kept) / squares) : both / squares;
    since = restart ? 0 : since + 1;
    thalweg::scale(d, beta);
    add(d, -1, now);
  }

  NonlinearCgOptions o_;
};

}  // namespace

Optimizer nonlinear_cg(NonlinearCgOptions o) { return method_optimizer<NonlinearCg>("nonlinear_cg", o); }

std::vector<OptimizerRow> nonlinear_cg_methods() {
  return {method_row(nonlinear_cg,
                     {.name = "nonlinear_cg",
                      .summary = "conjugate directions, with a line search for each",
                      .formula = "d = -g' + beta d, beta = max(0, g'(g' - g)/g g) or g'g'/g g; x += t d",
                      .when = "smooth functions of so many elements that the pairs of L-BFGS take too much memory",
                      .source = "Fletcher and Reeves 1964; Polak and Ribiere 1969; Nocedal and Wright 2006"})};
}

}  // namespace thalweg::optim
