// Adafactor: Adam with row and column means for the second moment, and none for the first (Shazeer and Stern 2018; as
// PyTorch's Adafactor).

#include <algorithm>
#include <cmath>
#include <limits>

#include "optim/row.hpp"

namespace thalweg::optim {

Fields fields(AdafactorOptions& o) {
  return framed_fields(
      o, decoupled_doc,
      {{"beta2_decay", &o.beta2_decay, "the decay of the second moment is 1 - t^beta2_decay", {.high = 0}},
       {"eps1", &o.eps1, "lower limit of the root mean square of gradients; 0 is the dtype's epsilon", not_negative},
       {"eps2", &o.eps2, "lower limit of the root mean square of a parameter", not_negative},
       {"clip_threshold", &o.clip_threshold, "largest root mean square of a step", positive}});
}

namespace {

Var root_mean_square(const Var& x) { return norm(x) * (1 / std::sqrt(static_cast<double>(x.size()))); }

Shape shortened(const Shape& shape, int axis) {
  if (shape.rank() < 2) return {0};
  Shape result = shape;
  result.set(axis, 1);
  return result;
}
Shape without_last(const Shape& shape) { return shortened(shape, -1); }
Shape without_second_last(const Shape& shape) { return shortened(shape, -2); }
Shape of_vectors(const Shape& shape) { return shape.rank() < 2 ? shape : Shape{0}; }

Var direction(Update& u, const AdafactorOptions& o) {
  const Var g = u.gradient, x = u.parameter, t = u.step(), lr = u.scalar("lr", o.lr);
  const Var b2 = 1 - pow(t, o.beta2_decay);
  const double eps1 = o.eps1 > 0 ? o.eps1 : x.dtype() == f64 ? 0x1p-52 : 0x1p-23;
  // limited, so that neither a square nor a sum of them is infinite: infinity / infinity is NaN
  const double most = x.dtype() == f64 ? std::numeric_limits<double>::max() : std::numeric_limits<float>::max();
  const Var squares = minimum(square(g), most / static_cast<double>(std::max<std::int64_t>(1, g.size())));
  Var v;
  if (g.rank() < 2) {
    v = u["v"] = running_mean(u["v"], squares, b2);
  } else {
    u["rows"] = running_mean(u["rows"], mean(squares, -1, Keep::yes), b2);
    u["columns"] = running_mean(u["columns"], mean(squares, -2, Keep::yes), b2);
    v = u["rows"] * u["columns"] / maximum(mean(u["rows"], -2, Keep::yes), eps1);
  }
  const Var step = g * rsqrt(maximum(v, eps1 * eps1));
  const Var size = maximum(u.scalar("eps2", o.eps2), root_mean_square(x)) * minimum(lr, rsqrt(t));
  const Var clipped = step * (size / maximum(1, root_mean_square(step) / o.clip_threshold));
  const Var decay = u.weight_decay(o.weight_decay);
  return decay.defined() ? clipped + lr * decay * x : clipped;
}

}  // namespace

Optimizer adafactor(AdafactorOptions o) {
  return framed("adafactor", o, Decay::own,
                {{.name = "adafactor",
                  .slots = {{.name = "rows", .shape = without_last},
                            {.name = "columns", .shape = without_second_last},
                            {.name = "v", .shape = of_vectors}},
                  .rule = with(direction, o),
                  .per_parameter = true,
                  .lr = o.lr}});
}

std::vector<OptimizerRow> adafactor_methods() {
  return {row(adafactor, {.name = "adafactor",
                          .summary = "Adam with row and column means for the second moment, and none for the first",
                          .formula = "v = rows columns / mean(rows), of g^2; s = g/sqrt(v); x -= max(eps2, rms(x)) "
                                     "min(lr, 1/sqrt(t)) s / max(1, rms(s)/clip_threshold)",
                          .when = "large models where memory is short",
                          .source = "Shazeer and Stern 2018; as PyTorch's Adafactor",
                          .passes = 0})};
}

}  // namespace thalweg::optim
