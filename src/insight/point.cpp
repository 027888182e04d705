#include "insight/point.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "core/error.hpp"
#include "core/numbers.hpp"
#include "core/random.hpp"

namespace thalweg {

std::string_view name(PointKind kind) {
  switch (kind) {
    case PointKind::slope: return "slope";
    case PointKind::rate_too_high: return "rate too high";
    case PointKind::rate_too_low: return "rate too low";
    case PointKind::saddle: return "saddle";
    case PointKind::plateau: return "plateau";
    case PointKind::minimum: return "minimum";
  }
  return "";
}

namespace {

using Vector = std::vector<double>;

double norm(std::span<const double> v) { return std::sqrt(std::inner_product(v.begin(), v.end(), v.begin(), 0.0)); }

/// The best step along a direction, and how much it lowers the loss.
struct Descent {
  double gain = 0, step = 0;
};

/// Along the axes, both ways: the lowest place, and whether the loss rises along all of them.
struct Axes {
  Descent lowest;  // step: a distance, with its sign
  std::size_t axis = 0;
  bool rises = false;
};

/// What was measured at a point, from which its kind follows.
struct Findings {
  double loss = 0, fall = 0, scale = 0;
  double gradient_norm = 0;
  double curvature = 0;    // along the gradient: g^T H g / g^T g
  double flatness = 0;     // |H g| / (|g| largest)
  double own_gain = 0;     // gain of a step with the run's learning rate
  Descent stable;          // a step along the gradient of 1 / the largest eigenvalue
  Descent along_gradient;  // step: the best learning rate
  Descent along_negative;  // step: a distance, with its sign
  Descent newton;          // step: a part of Newton's step, where the Hessian is positive and known as a whole
  Axes axes;               // where there is no curvature
  bool is_flat = false;    // there is none
  Extremes extremes;
  std::vector<std::string> silent;  // layers that have no effect on the loss
  std::size_t layers = 0;

  [[nodiscard]] double part(double gain) const { return scale > 0 ? gain / scale : gain > 0 ? 1 : 0; }
  [[nodiscard]] bool counts(double gain) const { return part(gain) >= point_rule::worth; }
  [[nodiscard]] double radius() const { return extremes.radius(); }
  /// Whether a stable step along the gradient lowers the loss by much.
  [[nodiscard]] bool falls_off() const { return counts(along_gradient.gain) && along_gradient.step * radius() <= 2; }
  /// The smallest change of the loss that is neither rounding nor the last gain of a descent.
  [[nodiscard]] double least() const {
    return std::max(point_rule::trace * fall, 1e3 * std::numeric_limits<double>::epsilon() * std::abs(loss));
  }
  /// Whether a gain is a relevant fraction of the loss, however small compared with the whole gain of the descent.
  [[nodiscard]] bool is_of_the_loss(double gain) const {
    return gain >= point_rule::worth * std::abs(loss) && gain > point_rule::trace * fall;
  }
  /// Whether Newton's step gains more than any step along the gradient: the point is on the floor of a valley.
  [[nodiscard]] bool is_valley() const { return counts(newton.gain) || is_of_the_loss(newton.gain); }
  /// Whether the loss falls along an axis though there is neither curvature nor, within that distance, a slope.
  [[nodiscard]] bool leaves_by_axis() const {
    return axes.lowest.gain > least() && gradient_norm * std::abs(axes.lowest.step) <= least();
  }
  /// Whether a stable step gains a relevant fraction of the whole descent, however large the loss is.
  [[nodiscard]] bool still_descends() const {
    return stable.gain >= point_rule::worth * fall && stable.gain > point_rule::rounding * std::abs(loss);
  }
  /// Whether the loss keeps falling along the gradient far beyond the point where its curvature predicts a rise: by
  /// little compared with the fall so far, but by a relevant fraction of the loss. Its minimum is elsewhere, or at
  /// infinity.
  [[nodiscard]] bool goes_on() const {
    return along_gradient.gain >= point_rule::worth * std::abs(loss) && along_gradient.gain > 0 &&
           along_gradient.step * curvature > point_rule::behind;
  }
  [[nodiscard]] bool is_above_its_lowest() const { return is_of_the_loss(along_gradient.gain); }
  /// The same for a stable step: then the point is not flat, even where the descent began far above.
  [[nodiscard]] bool goes_down_at_once() const { return is_above_its_lowest() && along_gradient.step * radius() <= 2; }
  /// Whether negative curvature leads down: by much, or at a point where the gradient leads nowhere.
  [[nodiscard]] bool leaves() const {
    const double gain = along_negative.gain, ratio = extremes.smallest.value / radius();
    if (!(gain > 0) || gain < along_gradient.gain) return false;
    const bool stationary = gain >= point_rule::beyond * along_gradient.gain;
    const bool certain = extremes.smallest.value < -2 * extremes.smallest.error && gain > point_rule::rounding * scale;
    return counts(gain) ||
           (stationary && (certain || (ratio < -point_rule::negative && part(gain) >= point_rule::little)));
  }
  /// Whether a stable step gains far more than the whole descent did, and most of what can be gained along the
  /// gradient: then the point is on a slope, however large the loss is.
  [[nodiscard]] bool outdoes() const {
    return fall > 0 && stable.gain >= point_rule::far_more * fall && stable.gain > along_gradient.gain / 2 &&
           stable.gain > point_rule::rounding * std::abs(loss);
  }
  [[nodiscard]] bool is_maximum() const { return extremes.largest.value < -extremes.largest.error; }
};

/// Moves along a direction and measures the gain: by how much the loss falls.
class Line {
 public:
  Line(const Surface& surface, std::span<const double> x, double loss, const Vector& direction)
      : surface_(surface), x_(x), loss_(loss), direction_(direction), point_(x.size()) {}

  double gain(double step) {
    for (std::size_t i = 0; i < point_.size(); ++i) point_[i] = x_[i] + step * direction_[i];
    const double gained = loss_ - surface_.value(point_);
    return std::isfinite(gained) ? gained : -std::numeric_limits<double>::infinity();
  }
  Descent best_of(const Vector& steps) {
    Descent best;
    for (const double step : steps) {
      const double gained = gain(step);
      if (gained > best.gain) best = {gained, step};
    }
    return best;
  }

 private:
  const Surface& surface_;
  std::span<const double> x_;
  double loss_;
  const Vector& direction_;
  Vector point_;
};

/// `count` numbers from `first` on, each `factor` times the last.
Vector geometric(double first, double factor, int count) {
  Vector values;
  for (int i = 0; i < count; ++i, first *= factor) values.push_back(first);
  return values;
}

void look_along_gradient(const Surface& surface, std::span<const double> x, const Vector& gradient, double lr,
                         Findings& found) {
  Vector down(gradient.size());
  std::ranges::transform(gradient, down.begin(), std::negate{});
  Line line(surface, x, found.loss, down);
  const double squared = found.gradient_norm * found.gradient_norm;
  const double straight =
      found.scale > 0 && squared > 0 ? found.scale / squared : 1;  // the step to a loss of 0 without curvature
  const double base = lr > 0 ? lr : found.radius() > 0 ? 1 / found.radius() : straight;
  found.own_gain = lr > 0 ? line.gain(lr) : 0;
  if (found.radius() > 0) found.stable = {line.gain(1 / found.radius()), 1 / found.radius()};
  found.along_gradient = line.best_of(geometric(base / 64, 4, 19));
  if (found.stable.gain > found.along_gradient.gain) found.along_gradient = found.stable;
}

void look_along_negative(const Surface& surface, std::span<const double> x, Findings& found) {
  const Eigenvalue& smallest = found.extremes.smallest;
  if (!(smallest.value <= smallest.error)) return;  // at 0 or below, the loss along its eigenvector decides
  Line line(surface, x, found.loss, smallest.vector);
  Vector steps = geometric(std::max(norm(x), 1.0) / 1024, 2, 14);
  for (const std::size_t n = steps.size(); steps.size() < 2 * n;) steps.push_back(-steps[steps.size() - n]);
  found.along_negative = line.best_of(steps);
}

/// Solves H p = -g by conjugate gradients, and measures the gain of p and of parts of it.
void look_along_newton(const Surface& surface, std::span<const double> x, const Vector& gradient, Findings& found) {
  const Eigenvalue& smallest = found.extremes.smallest;
  if (x.size() > point_rule::all_of_it || !(smallest.value > smallest.error)) return;
  Vector p(x.size(), 0), rest(x.size()), along(x.size()), product(x.size());
  std::ranges::transform(gradient, rest.begin(), std::negate{});
  along = rest;
  double squared = std::pow(norm(rest), 2);
  const double enough = 1e-12 * squared;
  for (std::size_t i = 0; i < 2 * x.size() && squared > enough; ++i) {
    surface.hessian_times(x, along, product);
    const double step = squared / std::inner_product(along.begin(), along.end(), product.begin(), 0.0);
    for (std::size_t k = 0; k < p.size(); ++k) p[k] += step * along[k], rest[k] -= step * product[k];
    const double before = std::exchange(squared, std::pow(norm(rest), 2));
    for (std::size_t k = 0; k < p.size(); ++k) along[k] = rest[k] + squared / before * along[k];
  }
  found.newton = Line(surface, x, found.loss, p).best_of(geometric(1, 0.5, 8));
}

/// Where there is no curvature: measures some steps along each axis, in both directions.
void look_along_axes(const Surface& surface, std::span<const double> x, Findings& found) {
  if (x.size() > point_rule::all_of_it) return;
  found.axes.rises = true;
  for (std::size_t i = 0; i < x.size(); ++i) {
    Vector axis(x.size(), 0);
    axis[i] = 1;
    Line line(surface, x, found.loss, axis);
    for (const double sign : {-1.0, 1.0}) {
      double rise = 0;
      for (const double step : geometric(sign * std::max(norm(x), 1.0), 1.0 / 32, 3)) {
        const double gained = line.gain(step);
        rise = std::max(rise, -gained);
        if (gained > found.axes.lowest.gain) found.axes.lowest = {gained, step}, found.axes.axis = i;
      }
      found.axes.rises &= rise > found.least();
    }
  }
  found.axes.rises &= found.axes.lowest.gain <= found.least();
}

/// Whether even a step as long as the distance of the point from 0 makes no relevant change, in any direction: of the
/// loss, or, where no gain that was measured is a relevant fraction of the loss, of the whole gain of the descent.
bool is_flat_everywhere(const Findings& found, double distance) {
  const double change = found.radius() * distance * distance / 2;
  const bool is_known = found.fall > point_rule::rounding * std::abs(found.loss),
             is_low = found.counts(found.along_gradient.gain) || found.counts(found.along_negative.gain);
  return !found.counts(change) && (!is_known || is_low || change < point_rule::worth * found.fall);
}

/// The elements of a part of x, in order.
Vector part_of(const Surface::Part& part, std::span<const double> x) {
  Vector numbers;
  for (const auto& [begin, end] : part.places) numbers.insert(numbers.end(), x.begin() + begin, x.begin() + end);
  return numbers;
}

/// v^T H v for random signs v in the part, divided by the number of its elements.
double mean_curvature(const Surface& surface, const Surface::Part& part, std::span<const double> x) {
  Vector v(x.size(), 0), product(x.size());
  double count = 0;
  for (const auto& [begin, end] : part.places) {
    for (auto i = static_cast<std::size_t>(begin); i < static_cast<std::size_t>(end); ++i, ++count)
      v[i] = random_unit(RandomKey{1}.fold("layers"), i) < 0.5 ? -1 : 1;
  }
  surface.hessian_times(x, v, product);
  return std::abs(std::inner_product(v.begin(), v.end(), product.begin(), 0.0)) / count;
}

/// The layers along which the loss has no curvature compared with the other layers, and no relevant slope. Both are
/// multiplied by the size of the layer's parameters, so that they do not depend on the scale of the weights. A
/// piecewise linear loss (hinge, mae, quantile) has no curvature in any layer, but a slope in every layer that has an
/// effect on it.
void look_at_layers(const Surface& surface, std::span<const double> x, const Vector& gradient, Findings& found) {
  found.layers = surface.parts.size();
  if (found.layers < 2) return;
  Vector bends, slopes;
  for (const Surface::Part& part : surface.parts) {
    const Vector own = part_of(part, x);
    const double size = norm(own), squares = size * size / static_cast<double>(own.size());
    bends.push_back(mean_curvature(surface, part, x) * std::max(squares, 1e-12));
    slopes.push_back(norm(part_of(part, gradient)) * std::max(size, 1e-6));
  }
  const double bend = *std::ranges::max_element(bends);
  for (std::size_t i = 0; i < bends.size(); ++i) {
    const bool is_straight = bends[i] <= point_rule::silent * bend, is_level = !found.counts(slopes[i]);
    if (bend > 0 && is_straight && is_level) found.silent.push_back(surface.parts[i].name);
  }
}

Findings look(const Surface& surface, std::span<const double> x, const PointOptions& options) {
  Findings found;
  Vector gradient(x.size()), product(x.size());
  found.loss = surface.gradient(x, gradient);
  found.gradient_norm = norm(gradient);
  if (!std::isfinite(found.loss) || !std::isfinite(found.gradient_norm))
    fail<NumericError>("[point] the loss is {} and the norm of its gradient {}. Wanted: finite numbers.", found.loss,
                       found.gradient_norm);
  found.fall = options.fall;
  found.scale = std::max(std::abs(found.loss), point_rule::of_fall * options.fall);
  LanczosOptions lanczos = options.lanczos;
  if (x.size() <= point_rule::all_of_it) lanczos.steps = std::ssize(x), lanczos.tolerance = 0;
  found.extremes = options.extremes ? *options.extremes : extreme_eigenvalues(surface.hessian_at(x), lanczos);
  surface.hessian_times(x, gradient, product);
  const double squared = found.gradient_norm * found.gradient_norm;
  if (squared > 0)
    found.curvature = std::inner_product(gradient.begin(), gradient.end(), product.begin(), 0.0) / squared;
  const double most = found.gradient_norm * found.radius();
  found.flatness = most > 0 ? norm(product) / most : 0;
  look_along_gradient(surface, x, gradient, options.lr, found);
  look_along_negative(surface, x, found);
  look_along_newton(surface, x, gradient, found);
  found.is_flat = is_flat_everywhere(found, std::max(norm(x), 1.0));
  if (found.is_flat) look_along_axes(surface, x, found);
  look_at_layers(surface, x, gradient, found);
  return found;
}

PointKind kind_where_flat(const Findings& found) {
  if (found.leaves_by_axis()) return PointKind::saddle;
  return found.axes.rises && !found.counts(found.along_gradient.gain) ? PointKind::minimum : PointKind::plateau;
}

PointKind kind_of(const Findings& found, double lr) {
  const auto& [gain, step] = found.along_gradient;
  const bool goes_down = found.counts(gain);
  if (lr > 0 && found.counts(found.own_gain)) return PointKind::slope;
  if (lr > 0 && goes_down && found.own_gain < 0 && step < lr) return PointKind::rate_too_high;
  if (found.counts(found.stable.gain) || found.outdoes())
    return lr > 0 && found.stable.step >= point_rule::higher * lr ? PointKind::rate_too_low : PointKind::slope;
  if (found.falls_off() || found.goes_down_at_once()) return PointKind::slope;
  if (found.is_flat) return kind_where_flat(found);
  if (found.leaves()) return PointKind::saddle;
  if (goes_down || found.goes_on() || found.is_above_its_lowest()) return PointKind::plateau;
  if (found.still_descends()) return PointKind::slope;
  if (found.is_valley()) return PointKind::plateau;
  return found.silent.empty() ? PointKind::minimum : PointKind::plateau;
}

std::string with_error(const Eigenvalue& eigenvalue) {
  const bool counts = eigenvalue.error > 1e-3 * std::abs(eigenvalue.value);
  return number_text(eigenvalue.value, 3) + (counts ? " +- " + number_text(eigenvalue.error, 2) : "");
}

/// The object of "a step takes": "the loss from 3 to 2.5", or where five digits do not show the gain, "1e-3 off the
/// loss of 1e6".
std::string taken(const Findings& found, double gain) {
  const std::string before = number_text(found.loss, 5), after = number_text(found.loss - gain, 5);
  return before == after ? fmt::format("{} off the loss of {}", number_text(gain, 3), before)
                         : fmt::format("the loss from {} to {}", before, after);
}

/// What a step does: "gives a loss of 2.5 instead of 3", or "lowers the loss of 1e6 by 1e-3".
std::string instead(const Findings& found, double gain) {
  const std::string before = number_text(found.loss, 5), after = number_text(found.loss - gain, 5);
  return before == after ? fmt::format("lowers the loss of {} by {}", before, number_text(gain, 3))
                         : fmt::format("gives a loss of {} instead of {}", after, before);
}

std::string sentence_for(PointKind kind, const Findings& found, double lr) {
  const auto text = [](double value) { return number_text(value, 3); };
  const Descent &g = found.along_gradient, &v = found.along_negative;
  const Eigenvalue& smallest = found.extremes.smallest;
  switch (kind) {
    case PointKind::slope:
      if (lr > 0 && found.counts(found.own_gain))
        return fmt::format("A slope: one step with the learning rate {} still takes {}.", text(lr),
                           taken(found, found.own_gain));
      if (!found.counts(found.stable.gain) && !found.outdoes() && !found.still_descends())
        return fmt::format("A slope: a step of {} along the gradient takes {}, and {}.", text(g.step),
                           taken(found, g.gain),
                           found.radius() > 0 ? "2 / the largest absolute eigenvalue is " + text(2 / found.radius())
                                              : "there is no curvature");
      return fmt::format("A slope: a step of {} along the gradient, half the longest stable step, takes {}.",
                         text(found.stable.step), taken(found, found.stable.gain));
    case PointKind::rate_too_high:
      return fmt::format(
          "The learning rate is too high: a step of {} raises the loss by {}, a step of {} lowers it by {}.", text(lr),
          text(-found.own_gain), text(g.step), text(g.gain));
    case PointKind::rate_too_low:
      return fmt::format(
          "The learning rate is too low: one step of {} would take {}, and 2 / the largest absolute eigenvalue is {}; "
          "the learning rate is {}.",
          text(found.stable.step), taken(found, found.stable.gain), text(2 / found.radius()), text(lr));
    case PointKind::saddle:
      if (found.is_flat)
        return fmt::format(
            "A saddle: no slope, and no eigenvalue is above {} in absolute value; a step of {} along an axis {}.",
            text(found.radius()), text(std::abs(found.axes.lowest.step)), instead(found, found.axes.lowest.gain));
      if (found.is_maximum())
        return fmt::format("A maximum: flat along the gradient, and no eigenvalue is above {}; a step of {} {}.",
                           text(found.extremes.largest.value), text(std::abs(v.step)), instead(found, v.gain));
      return fmt::format(
          "A saddle: flat along the gradient, and the smallest eigenvalue is {} (the largest {}); a step of {} along "
          "its eigenvector {}.",
          text(found.extremes.smallest.value), text(found.extremes.largest.value), text(std::abs(v.step)),
          instead(found, v.gain));
    case PointKind::plateau:
      if (!found.counts(g.gain) && !found.silent.empty())
        return fmt::format(
            "A plateau: {} of {} layers have no effect on the loss ({}): its curvature along them is below {} of the "
            "largest, and its slope along them is too small to count.",
            found.silent.size(), found.layers, fmt::join(found.silent, ", "), point_rule::silent);
      if (!found.counts(g.gain) && found.goes_on())
        return fmt::format(
            "A plateau: no minimum is near. A step of {} along the gradient takes the loss from {} to {}; by the "
            "curvature here it would rise again after a step of {}.",
            text(g.step), number_text(found.loss, 3), number_text(found.loss - g.gain, 3), text(1 / found.curvature));
      if (!found.is_flat && !found.counts(g.gain) && !found.is_above_its_lowest() && found.is_valley())
        return fmt::format(
            "A plateau: the floor of a valley, with eigenvalues from {} to {}. No step along the gradient gains more "
            "than {}, and Newton's step takes {}.",
            with_error(smallest), text(found.extremes.largest.value), text(g.gain), taken(found, found.newton.gain));
      if (!found.counts(g.gain) && !found.is_above_its_lowest())
        return fmt::format("A plateau: the gradient's norm is {}, and no eigenvalue is above {} in absolute value.",
                           text(found.gradient_norm), text(found.radius()));
      return fmt::format(
          "A plateau: the curvature along the gradient is {} of the largest, and only a step of {} along it, where 2 / "
          "the largest absolute eigenvalue is {}, takes the loss from {} to {}.",
          text(found.flatness), text(g.step), text(2 / found.radius()), number_text(found.loss, 5),
          number_text(found.loss - g.gain, 5));
    case PointKind::minimum:
      if (found.is_flat)
        return fmt::format(
            "A minimum as far as this test shows: no eigenvalue is above {} in absolute value, and the loss rises "
            "along every axis.",
            text(found.radius()));
      return fmt::format("{}: eigenvalues from {} to {}, and no step along the gradient gains more than {}{}.",
                         smallest.value > smallest.error    ? "A minimum"
                         : smallest.value < -smallest.error ? "Nearly a minimum"
                                                            : "A minimum as far as this test shows",
                         with_error(smallest), text(found.extremes.largest.value), text(g.gain),
                         v.gain > 0 ? ", and no step along negative curvature more than " + text(v.gain) : "");
  }
  return "";
}

std::vector<Evidence> evidence_of(const Findings& found) {
  const auto line = [](std::string name, double value, std::string sentence) {
    return Evidence{std::move(name), value, std::move(sentence)};
  };
  return {line("gradient_norm", found.gradient_norm,
               fmt::format("The gradient's norm is {}.", number_text(found.gradient_norm, 3))),
          line("probe_gain", found.part(found.along_gradient.gain),
               found.along_gradient.gain > 0
                   ? fmt::format("The best step along the gradient, {}, {}.", number_text(found.along_gradient.step, 3),
                                 instead(found, found.along_gradient.gain))
                   : std::string("No step along the gradient lowers the loss.")),
          line("largest", found.extremes.largest.value,
               fmt::format("The largest eigenvalue of the Hessian is {} +- {}.",
                           number_text(found.extremes.largest.value, 4), number_text(found.extremes.largest.error, 2))),
          line("smallest", found.extremes.smallest.value,
               fmt::format("The smallest eigenvalue is {} +- {}.", number_text(found.extremes.smallest.value, 4),
                           number_text(found.extremes.smallest.error, 2))),
          line("leaving_gain", found.part(found.along_negative.gain),
               found.along_negative.gain > 0 ? fmt::format("A step of {} along its eigenvector {}.",
                                                           number_text(std::abs(found.along_negative.step), 3),
                                                           instead(found, found.along_negative.gain))
                                             : std::string("No negative curvature leads down.")),
          line("flatness", found.flatness,
               fmt::format("The curvature along the gradient is {} of the largest curvature.",
                           number_text(found.flatness, 3)))};
}

}  // namespace

Point kind_of_point(const Surface& surface, std::span<const double> x, const PointOptions& options) {
  const Findings found = look(surface, x, options);
  Point point;
  point.kind = kind_of(found, options.lr);
  point.sentence = sentence_for(point.kind, found, options.lr);
  point.evidence = evidence_of(found);
  point.largest = found.extremes.largest.value;
  point.smallest = found.extremes.smallest.value;
  if (point.kind == PointKind::saddle && found.is_flat) {
    point.direction.assign(x.size(), 0);
    point.direction[found.axes.axis] = found.axes.lowest.step < 0 ? -1 : 1;
    point.distance = std::abs(found.axes.lowest.step);
  } else if (point.kind == PointKind::saddle) {
    point.direction = found.extremes.smallest.vector;
    point.distance = std::abs(found.along_negative.step);
    if (found.along_negative.step < 0) std::ranges::transform(point.direction, point.direction.begin(), std::negate{});
  }
  return point;
}

}  // namespace thalweg
