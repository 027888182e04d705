#pragma once
// The parts of a schedule: its options with their fields, and a curve over its own steps.

#include <algorithm>

#include "options/rows.hpp"
#include "thalweg/schedule.hpp"

namespace thalweg::schedule {

/// The argument of a curve: step t of n.
struct Place {
  double t = 0, n = 1;
  Progress run;

  Place(const Duration& length, const Progress& progress)
      : n(std::max(1.0, static_cast<double>(length.steps(progress.total, progress.steps_per_epoch)))), run(progress) {
    t = std::clamp(static_cast<double>(run.step), 0.0, n);
  }
  [[nodiscard]] double done() const { return t / n; }
  /// The step for a curve with jumps: t, but at most n - 1, because a jump at n would come after the last step.
  [[nodiscard]] double inside() const { return std::min(t, n - 1); }
  /// A duration in steps, at least one.
  [[nodiscard]] double steps(const Duration& duration) const {
    return std::max(1.0, static_cast<double>(duration.steps(run.total, run.steps_per_epoch)));
  }
};

/// The options that every curve has.
struct CurveOptions {
  Duration length = "100%", warmup = 0;
  double warmup_start = 0;
};

/// The progress of a run as if it had begun `steps` steps later.
[[nodiscard]] Progress after(const Progress& progress, std::int64_t steps);

/// `inner` after a warm-up, under the name and options given.
Schedule warmed(const Schedule& inner, std::string name, OptionMap options, const Duration& length, double start);

/// The fields of a schedule: its own, then the fields that all schedules have.
template <class Options>
Fields with_shared(Options& o, Fields fields) {
  if constexpr (requires { o.length; }) {
    fields.push_back(
        {"length", &o.length, "length of the curve after the warm-up; afterwards it keeps its last value", positive});
  }
  fields.push_back({"warmup", &o.warmup, "length of a linear warm-up, which is part of the run", not_negative});
  fields.push_back(
      {"warmup_start", &o.warmup_start, "factor at the start of the warm-up, relative to its end", not_negative});
  return fields;
}

/// A schedule with these options. A curve takes the options and a Place. Without a momentum curve the schedule does not
/// set the momentum.
template <class Options, class Factor>
Schedule build(std::string name, Options o, Factor factor, double (*momentum)(const Options&, const Place&) = nullptr) {
  const Fields described = fields(o);
  check_fields(described, name);
  const OptionMap values = field_values(described);
  const auto over = [](const Options& options, auto curve) {
    return [options, curve](const Progress& progress) { return curve(options, Place(options.length, progress)); };
  };
  const Schedule inner(name, values, over(o, factor), momentum ? over(o, momentum) : Schedule::Curve{});
  return o.warmup.amount > 0 ? warmed(inner, std::move(name), values, o.warmup, o.warmup_start) : inner;
}

/// A row that takes its options and their texts from the options struct.
template <class Options>
[[nodiscard]] ScheduleRow row(Schedule (*make)(Options), ScheduleRow texts) {
  texts.options = docs_of<Options>();
  texts.make = [make, name = texts.name](const OptionMap& values) { return make(options_from<Options>(values, name)); };
  return texts;
}

}  // namespace thalweg::schedule
