#include "optim/line_search.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "optim/elements.hpp"

namespace thalweg {

namespace {

/// A step, and the value and slope there.
struct Sample {
  double t = 0, f = 0, g = 0;
};

/// The function along a line.
class Line {
 public:
  Line(Oracle& oracle, const MethodPoint& from, const Tensor& direction, LinePlace place)
      : oracle_(oracle), from_(from), direction_(direction), place_(place) {}

  Sample at(double t) {
    move(from_.x, t, direction_, place_.x);
    const double f = oracle_.gradient(place_.x, place_.gradient);
    ++evaluations;
    return {t, f, dot(place_.gradient, direction_)};
  }
  int evaluations = 0;

 private:
  Oracle& oracle_;
  const MethodPoint& from_;
  const Tensor& direction_;
  LinePlace place_;
};

bool finite(const Sample& s) { return std::isfinite(s.f) && std::isfinite(s.g); }

/// The interval of uncertainty of More and Thuente: x is the best step so far, y the other end.
struct Interval {
  Sample x, y;
  bool bracketed = false;

  /// The next step, between low and high, after a trial at p; updates the interval.
  double next(const Sample& p, double low, double high);

 private:
  [[nodiscard]] double above(const Sample& p);
  [[nodiscard]] double turned(const Sample& p);
  [[nodiscard]] double flatter(const Sample& p, double low, double high) const;
  [[nodiscard]] double steeper(const Sample& p, double low, double high) const;
};

/// theta and gamma of the cubic through two points, gamma signed so that the root is the minimum between them.
struct Cubic {
  Cubic(const Sample& a, const Sample& b, bool flip, bool may_have_none = false) {
    theta = 3 * (a.f - b.f) / (b.t - a.t) + a.g + b.g;
    const double s = std::max({std::abs(theta), std::abs(a.g), std::abs(b.g)});
    double inside = std::pow(theta / s, 2) - (a.g / s) * (b.g / s);
    if (may_have_none) inside = std::max(0.0, inside);
    gamma = s * std::sqrt(inside);
    if (flip) gamma = -gamma;
  }
  double theta, gamma;
};

/// The value rose, so the minimum lies between x and p. The cubic's step; or halfway to the parabola's if that is
/// nearer to x.
double Interval::above(const Sample& p) {
  const Cubic c(x, p, p.t < x.t);
  const double r = ((c.gamma - x.g) + c.theta) / (((c.gamma - x.g) + c.gamma) + p.g);
  const double cubic = x.t + r * (p.t - x.t);
  const double parabola = x.t + ((x.g / ((x.f - p.f) / (p.t - x.t) + x.g)) / 2) * (p.t - x.t);
  bracketed = true;
  return std::abs(cubic - x.t) < std::abs(parabola - x.t) ? cubic : cubic + (parabola - cubic) / 2;
}

/// The slope changed its sign, so the minimum lies between x and p. Of the cubic's and the secant's step, the one
/// farther from p.
double Interval::turned(const Sample& p) {
  const Cubic c(x, p, p.t > x.t);
  const double r = ((c.gamma - p.g) + c.theta) / (((c.gamma - p.g) + c.gamma) + x.g);
  const double cubic = p.t + r * (x.t - p.t), secant = p.t + (p.g / (p.g - x.g)) * (x.t - p.t);
  bracketed = true;
  return std::abs(cubic - p.t) > std::abs(secant - p.t) ? cubic : secant;
}

/// The slope kept its sign and became smaller: the cubic may have no minimum in this direction.
double Interval::flatter(const Sample& p, double low, double high) const {
  const Cubic c(x, p, p.t > x.t, true);
  const double r = ((c.gamma - p.g) + c.theta) / ((c.gamma + (x.g - p.g)) + c.gamma);
  double cubic = p.t > x.t ? high : low;
  if (r < 0 && c.gamma != 0) cubic = p.t + r * (x.t - p.t);
  const double secant = p.t + (p.g / (p.g - x.g)) * (x.t - p.t);
  const bool cubic_nearer = std::abs(cubic - p.t) < std::abs(secant - p.t);
  if (!bracketed) return std::clamp(cubic_nearer ? secant : cubic, low, high);
  const double most = p.t + 0.66 * (y.t - p.t), step = cubic_nearer ? cubic : secant;
  return p.t > x.t ? std::min(most, step) : std::max(most, step);
}

/// The slope kept its sign and did not become smaller.
double Interval::steeper(const Sample& p, double low, double high) const {
  if (!bracketed) return p.t > x.t ? high : low;
  const Cubic c(p, y, p.t > y.t);
  const double r = ((c.gamma - p.g) + c.theta) / (((c.gamma - p.g) + c.gamma) + y.g);
  return p.t + r * (y.t - p.t);
}

double Interval::next(const Sample& p, double low, double high) {
  const bool turns = p.g * std::copysign(1.0, x.g) < 0;
  const double step = p.f > x.f                       ? above(p)
                      : turns                         ? turned(p)
                      : std::abs(p.g) < std::abs(x.g) ? flatter(p, low, high)
                                                      : steeper(p, low, high);
  if (p.f > x.f) {
    y = p;
  } else {
    if (turns) y = x;
    x = p;
  }
  return step;
}

/// The search itself, from a value and slope at 0.
class Search {
 public:
  Search(Line& line, double f0, double g0, const LineOptions& options)
      : line_(line), f0_(f0), g0_(g0), o_(options), test_(options.decrease * g0) {
    interval_.x = interval_.y = {0, f0, g0};
  }

  LineStep run(double first) {
    double t = std::min(first, o_.longest), width = o_.longest, width_before = 2 * width, low = 0, high = 5 * t;
    bool first_stage = true;
    while (line_.evaluations < o_.most) {
      Sample s = line_.at(t);
      for (; !finite(s) && line_.evaluations < o_.most; s = line_.at(t)) {
        o_.longest = t;  // the function is not defined as far out as this
        t = interval_.x.t + 0.1 * (t - interval_.x.t);
      }
      if (!finite(s)) break;
      if (accepted(s)) return {true, s.t, s.f};
      const bool fell = s.f <= f0_ + s.t * test_;
      if (s.t == o_.longest && fell && s.g <= test_) return {true, s.t, s.f};
      first_stage = first_stage && !(fell && s.g >= 0);
      t = std::clamp(next(s, first_stage && s.f <= interval_.x.f && !fell, low, high), 0.0, o_.longest);
      if (interval_.bracketed) {
        const double now = std::abs(interval_.y.t - interval_.x.t);
        if (now >= 0.66 * width_before) t = interval_.x.t + (interval_.y.t - interval_.x.t) / 2;
        width_before = width;
        width = now;
        low = std::min(interval_.x.t, interval_.y.t);
        high = std::max(interval_.x.t, interval_.y.t);
        if (t <= low || t >= high || high - low <= 1e-16 * high) break;
      } else {
        low = t + 1.1 * (t - interval_.x.t);
        high = t + 4 * (t - interval_.x.t);
      }
      if (t == s.t) break;
    }
    return lowest();
  }

 private:
  [[nodiscard]] bool accepted(const Sample& s) const {
    if (s.f <= f0_ + s.t * test_ && std::abs(s.g) <= -o_.curvature * g0_) return true;
    const double rounding = 4 * std::numeric_limits<double>::epsilon() * std::abs(f0_);
    return s.f <= f0_ + rounding && s.g >= o_.curvature * g0_ && s.g <= (2 * o_.decrease - 1) * g0_ && s.t > 0;
  }

  /// In the first stage, while the value is lower but not low enough, the search is on f minus its Armijo line.
  double next(const Sample& s, bool shifted, double low, double high) {
    if (!shifted) return interval_.next(s, low, high);
    const auto lowered = [&](const Sample& p, double sign) {
      return Sample{p.t, p.f - sign * p.t * test_, p.g - sign * test_};
    };
    interval_.x = lowered(interval_.x, 1);
    interval_.y = lowered(interval_.y, 1);
    const double t = interval_.next(lowered(s, 1), low, high);
    interval_.x = lowered(interval_.x, -1);
    interval_.y = lowered(interval_.y, -1);
    return t;
  }

  LineStep lowest() {
    const Sample& best = interval_.x;
    if (!(best.t > 0 && best.f < f0_)) return {};
    const Sample s = line_.at(best.t);
    return {true, s.t, s.f};
  }

  Line& line_;
  double f0_, g0_;
  LineOptions o_;
  double test_;
  Interval interval_;
};

}  // namespace

LineStep search_wolfe(Oracle& oracle, const MethodPoint& from, const Tensor& direction, double slope, double first,
                      LinePlace place, const LineOptions& options) {
  Line line(oracle, from, direction, place);
  return Search(line, from.value, slope, options).run(first);
}

LineStep search_armijo(Oracle& oracle, const MethodPoint& from, const Tensor& direction, double slope, double first,
                       LinePlace place, const LineOptions& options) {
  Line line(oracle, from, direction, place);
  double t = std::min(first, options.longest);
  while (line.evaluations < options.most) {
    const Sample s = line.at(t);
    if (finite(s) && s.f <= from.value + options.decrease * t * slope) return {true, s.t, s.f};
    // the lowest point of the parabola through f(0), its slope and f(t)
    const double parabola = -slope * t * t / (2 * (s.f - from.value - slope * t));
    t = std::isfinite(parabola) ? std::clamp(parabola, 0.1 * t, 0.5 * t) : 0.1 * t;
  }
  return {};
}

}  // namespace thalweg
