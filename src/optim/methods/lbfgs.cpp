// L-BFGS (Nocedal 1980; Liu and Nocedal 1989), and L-BFGS-B between bounds (Byrd, Lu, Nocedal and Zhu 1995).

#include <algorithm>
#include <cmath>
#include <limits>

#include "optim/bounded.hpp"
#include "optim/elements.hpp"
#include "optim/line_search.hpp"
#include "optim/method_row.hpp"

namespace thalweg::optim {

Fields fields(LbfgsOptions& o) {
  return {
      {"history", &o.history, "number of pairs (step, change of the gradient) that are kept", {.low = 1, .high = 1000}},
      {"decrease", &o.decrease, decrease_doc, open_unit},
      {"curvature", &o.curvature, curvature_doc, open_unit},
      {"evaluations", &o.evaluations, evaluations_doc, {.low = 1}}};
}

namespace {

class Lbfgs : public Method {
 public:
  explicit Lbfgs(const LbfgsOptions& options) : o_(options) {}

  [[nodiscard]] bool keeps_bounds() const override { return true; }

  [[nodiscard]] std::vector<MethodSlot> slots(const Tensor& x) const override {
    const std::int64_t n = x.size();
    return {{"s", o_.history * n, x.dtype()},   {"y", o_.history * n, x.dtype()}, {"pairs", count_},
            {"products", o_.history},  // s'y of each pair
            {"direction", n, x.dtype(), false}, {"x", n, x.dtype(), false},       {"gradient", n, x.dtype(), false},
            {"alpha", o_.history, f64, false}};
  }

  MethodStep step(MethodPoint& at, MethodMemory& memory, Oracle& oracle) const override {
    for (;;) {
      const bool first = pairs(memory) == 0;
      const MethodStep done = try_step(at, memory, oracle);
      if (done.moved || first) return done;
      memory.numbers("pairs")[kept_pairs] = 0;  // the kept pairs mislead: start again without them
    }
  }

 private:
  enum { kept_pairs, next_pair, count_ };

  static std::int64_t pairs(MethodMemory& memory) {
    return static_cast<std::int64_t>(memory.numbers("pairs")[kept_pairs]);
  }
  /// The row of a pair; pair 0 is the newest.
  [[nodiscard]] std::int64_t row(MethodMemory& memory, std::int64_t age) const {
    const auto next = static_cast<std::int64_t>(memory.numbers("pairs")[next_pair]);
    return (next - 1 - age + 2 * o_.history) % o_.history;
  }

  MethodStep try_step(MethodPoint& at, MethodMemory& memory, Oracle& oracle) const {
    const bool bounded = oracle.lower() || oracle.upper(), first = pairs(memory) == 0;
    Tensor& d = memory["direction"];
    bounded ? aim_inside(at, memory, oracle) : aim(at, memory);
    double slope = dot(at.gradient, d);
    if (!leads_down(slope)) return {.moved = false, .why = why_not_down(at.gradient, d)};
    LineOptions line{o_.decrease, o_.curvature, 1e20, static_cast<int>(o_.evaluations)};
    if (bounded) line.longest = 1;
    const double begin = first && !bounded ? std::min(1.0, 1 / norm(at.gradient)) : 1.0;
    Tensor &x = memory["x"], &gradient = memory["gradient"];
    const LineStep found = search_wolfe(oracle, at, d, slope, begin, {x, gradient}, line);
    if (!found.found) return {.moved = false, .why = "the line search found no lower value"};
    remember(at, memory);
    std::swap(at.x, x);
    std::swap(at.gradient, gradient);
    at.value = found.value;
    return {.size = found.step};
  }

  /// d = -H g by the two-loop recursion.
  void aim(const MethodPoint& at, MethodMemory& memory) const {
    const std::int64_t n = at.x.size(), known = pairs(memory);
    Tensor &d = memory["direction"], &s = memory["s"], &y = memory["y"];
    const auto alpha = memory.numbers("alpha"), products = memory.numbers("products");
    copy(at.gradient, d);
    for (std::int64_t age = 0; age < known; ++age) {
      const std::int64_t i = row(memory, age);
      alpha[static_cast<std::size_t>(i)] = dot(row_of(s, i, n), d) / products[static_cast<std::size_t>(i)];
      add(d, -alpha[static_cast<std::size_t>(i)], row_of(y, i, n));
    }
    if (known > 0) {
      const std::int64_t newest = row(memory, 0);
      const ConstElements change = row_of(y, newest, n);
      thalweg::scale(d, products[static_cast<std::size_t>(newest)] / dot(change, change));
    }
    for (std::int64_t age = known; age-- > 0;) {
      const std::int64_t i = row(memory, age);
      const double beta = dot(row_of(y, i, n), d) / products[static_cast<std::size_t>(i)];
      add(d, alpha[static_cast<std::size_t>(i)] - beta, row_of(s, i, n));
    }
    thalweg::scale(d, -1);
  }

  /// d from x to the lowest point of the model between the bounds.
  void aim_inside(const MethodPoint& at, MethodMemory& memory, const Oracle& oracle) const {
    using Vector = CompactMatrix::Vector;
    const Eigen::Index n = at.x.size(), known = pairs(memory);
    const double infinity = std::numeric_limits<double>::infinity();
    const auto vector = [&](const Tensor& t) {
      Vector v(n);
      for (Eigen::Index i = 0; i < n; ++i) v[i] = t.at(i);
      return v;
    };
    const Vector lower = oracle.lower() ? vector(*oracle.lower()) : Vector::Constant(n, -infinity);
    const Vector upper = oracle.upper() ? vector(*oracle.upper()) : Vector::Constant(n, infinity);
    CompactMatrix::Matrix s(n, known), y(n, known);
    for (std::int64_t age = 0; age < known; ++age) {
      const std::int64_t from = row(memory, age) * n;
      for (Eigen::Index i = 0; i < n; ++i) {
        s(i, known - 1 - age) = memory["s"].at(from + i);
        y(i, known - 1 - age) = memory["y"].at(from + i);
      }
    }
    const CompactMatrix model = known == 0 ? CompactMatrix(n) : CompactMatrix(s, y);
    const Vector x = vector(at.x), g = vector(at.gradient), lowest = model.minimum(x, g, lower, upper);
    Tensor& d = memory["direction"];
    for (Eigen::Index i = 0; i < n; ++i) d.set(i, lowest[i] - x[i]);
  }

  /// Keeps the pair of a step if the curvature along the step is positive.
  void remember(const MethodPoint& from, MethodMemory& memory) const {
    const std::int64_t n = from.x.size();
    const auto numbers = memory.numbers("pairs");
    const auto next = static_cast<std::int64_t>(numbers[next_pair]);
    const Elements s = row_of(memory["s"], next, n), y = row_of(memory["y"], next, n);
    subtract(memory["x"], from.x, s);
    subtract(memory["gradient"], from.gradient, y);
    const double product = dot(s, y);
    if (!(product > std::numeric_limits<double>::epsilon() * dot(y, y))) return;
    memory.numbers("products")[static_cast<std::size_t>(next)] = product;
    numbers[next_pair] = static_cast<double>((next + 1) % o_.history);
    numbers[kept_pairs] = static_cast<double>(std::min(pairs(memory) + 1, o_.history));
  }

  LbfgsOptions o_;
};

}  // namespace

Optimizer lbfgs(LbfgsOptions o) { return method_optimizer<Lbfgs>("lbfgs", o); }

std::vector<OptimizerRow> lbfgs_methods() {
  return {method_row(
      lbfgs, {.name = "lbfgs",
              .summary = "a quasi-Newton method: curvature from the last steps, and a line search for each step",
              .formula = "x += t d, d = -H g, H from pairs s = x' - x, y = g' - g; t by strong Wolfe conditions",
              .when = "smooth functions, and training on all rows in each step; with bounds it is L-BFGS-B",
              .source = "Liu and Nocedal 1989; Byrd, Lu, Nocedal and Zhu 1995; line search of More and "
                        "Thuente 1994"})};
}

}  // namespace thalweg::optim
