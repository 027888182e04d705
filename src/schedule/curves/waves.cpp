// Schedules that rise and fall.

#include <cmath>
#include <numbers>

#include "core/error.hpp"
#include "schedule/curve.hpp"

namespace thalweg::schedule {

namespace {
double cosine_between(double from, double to, double part) {
  return to + (from - to) * (1 + std::cos(std::numbers::pi * part)) / 2;
}
}  // namespace

Fields fields(CosineRestartsOptions& o) {
  return with_shared(o, {{"period", &o.period, "steps of the first cosine", positive},
                         {"factor", &o.factor, "length of each period relative to the last one", {.low = 1}},
                         {"end", &o.end, "factor of lr at the end of each period", not_negative}});
}
Schedule cosine_restarts(CosineRestartsOptions options) {
  return build("cosine_restarts", options, [](const CosineRestartsOptions& o, const Place& at) {
    const double t = at.inside();
    double period = at.steps(o.period), begin = std::floor(t / period) * period;
    if (o.factor > 1) {
      const auto start = [first = period, f = o.factor](double k) { return first * (std::pow(f, k) - 1) / (f - 1); };
      double k = std::floor(std::log1p(t / period * (o.factor - 1)) / std::log(o.factor));
      if (start(k + 1) <= t) ++k;  // the logarithm may round to just below a restart
      begin = std::min(t, start(k));
      period *= std::pow(o.factor, k);
    }
    return cosine_between(1, o.end, (t - begin) / period);
  });
}

namespace {
/// From `low` to `high` over the rise, then to `end`; with three phases first back to `low`, then to `end`. This takes
/// n - 1 steps, so that the last step of the run has `end`.
double one_cycle_curve(const OneCycleOptions& o, const Place& at, double low, double high, double end) {
  const auto between = [&](double from, double to, double part) {
    return o.anneal == "linear" ? from + (to - from) * part : cosine_between(from, to, part);
  };
  const double t = at.inside(), last = at.n - 1, top = o.pct_start * at.n - 1;
  if (last <= 0) return high;  // one step has no room to rise or fall; a warm-up over the whole run leads up to it
  if (top > 0 && t <= top) return between(low, high, t / top);
  const double back = o.three_phase ? std::max(top, 2 * top) : top;
  if (back > top && t <= back) return between(high, low, (t - top) / (back - top));
  const double from = o.three_phase ? low : high;
  return between(from, end, last > back ? (t - back) / (last - back) : 1);
}
}  // namespace

Fields fields(OneCycleOptions& o) {
  return with_shared(
      o, {{"pct_start", &o.pct_start, "fraction of the steps in which lr rises", unit_interval},
          {"start", &o.start, "factor of lr at the first step", not_negative},
          {"end", &o.end, "factor of lr at the last step", not_negative},
          {"anneal", &o.anneal, "shape of the rise and the fall", any_number, {"cosine", "linear"}},
          {"three_phase", &o.three_phase, "fall back to start in as many steps as the rise took, then to end"},
          {"cycle_momentum", &o.cycle_momentum, "move the momentum (or beta1) in the opposite direction"},
          {"momentum_low", &o.momentum_low, "momentum at the peak", below_one},
          {"momentum_high", &o.momentum_high, "momentum at both ends", below_one}});
}
Schedule one_cycle(OneCycleOptions options) {
  if (options.three_phase && options.pct_start > 0.5) {
    fail<UsageError>(
        "[one_cycle] pct_start = {} in three phases. Wanted: at most 0.5, because the fall takes as many steps as the "
        "rise.",
        options.pct_start);
  }
  constexpr auto momentum = [](const OneCycleOptions& o, const Place& at) {
    return one_cycle_curve(o, at, o.momentum_high, o.momentum_low, o.momentum_high);
  };
  return build(
      "one_cycle", options,
      [](const OneCycleOptions& o, const Place& at) { return one_cycle_curve(o, at, o.start, 1, o.end); },
      options.cycle_momentum ? +momentum : nullptr);
}

namespace {
/// How high the wave is at a step, from 0 to 1.
double wave(const CyclicOptions& o, const Place& at) {
  const double up = at.steps(o.up), down = o.down.amount > 0 ? at.steps(o.down) : up;
  const double cycle = std::floor(at.t / (up + down)), within = at.t - cycle * (up + down);
  const double height = within <= up ? within / up : 1 - (within - up) / down;
  const double scale = o.mode == "triangular2" ? std::exp2(-cycle)
                       : o.mode == "exp_range" ? std::pow(o.gamma, at.t)
                                               : 1;
  return height * scale;
}
}  // namespace

Fields fields(CyclicOptions& o) {
  return with_shared(
      o,
      {{"start", &o.start, "factor of lr at the low points", not_negative},
       {"up", &o.up, "steps of each rise", positive},
       {"down", &o.down, "steps of each fall; 0: as many as the rise has", not_negative},
       {"mode",
        &o.mode,
        "height of the cycles: equal, halved each time, or gamma^t",
        any_number,
        {"triangular", "triangular2", "exp_range"}},
       {"gamma", &o.gamma, "factor of the height in each step, for exp_range", {.low = 0, .high = 1, .low_open = true}},
       {"cycle_momentum", &o.cycle_momentum, "move the momentum (or beta1) in the opposite direction"},
       {"momentum_low", &o.momentum_low, "momentum at the peaks", below_one},
       {"momentum_high", &o.momentum_high, "momentum at the low points", below_one}});
}
Schedule cyclic(CyclicOptions options) {
  constexpr auto momentum = [](const CyclicOptions& o, const Place& at) {
    return o.momentum_high - (o.momentum_high - o.momentum_low) * wave(o, at);
  };
  return build(
      "cyclic", options, [](const CyclicOptions& o, const Place& at) { return o.start + (1 - o.start) * wave(o, at); },
      options.cycle_momentum ? +momentum : nullptr);
}

std::vector<ScheduleRow> waves_curves() {
  return {
      row(cosine_restarts, {.name = "cosine_restarts",
                            .summary = "a cosine with restarts; each period is factor times as long as the last",
                            .formula = "end + (1 - end) (1 + cos(pi (t - t_k)/period_k))/2, period_k = period factor^k",
                            .when = "several good models along one run, for example as snapshots to average",
                            .source = "Loshchilov and Hutter 2017, SGDR; PyTorch CosineAnnealingWarmRestarts"}),
      row(one_cycle,
          {.name = "one_cycle",
           .summary = "up to lr, then down to almost 0; the momentum moves the other way",
           .formula = "start -> 1 over pct_start n - 1 steps, 1 -> end at step n - 1, each half a cosine",
           .when = "short runs: it tolerates the highest learning rates, and so often reaches a good result first",
           .source = "Smith and Topin 2018, Super-Convergence; PyTorch OneCycleLR"}),
      row(cyclic, {.name = "cyclic",
                   .summary = "up and down between start and 1",
                   .formula = "start + (1 - start) height(t) scale(cycle), height a triangle of up and down steps",
                   .when = "the best learning rate is not known, or models along the run are averaged",
                   .source = "Smith 2017, Cyclical Learning Rates; PyTorch CyclicLR"})};
}

}  // namespace thalweg::schedule
