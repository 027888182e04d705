// Schedule: a factor of the learning rate as a function of the step; warm-up, chains and plateaus.

#include "thalweg/schedule.hpp"

#include <cmath>
#include <limits>

#include "options/error.hpp"
#include "schedule/curve.hpp"

namespace thalweg {

Schedule::Schedule() : Schedule(schedule::constant()) {}

Schedule::Schedule(std::string name, OptionMap options, Curve factor, Curve momentum,
                   std::optional<PlateauRule> plateau)
    : body_(std::make_shared<const Body>(
          Body{std::move(name), std::move(options), std::move(factor), std::move(momentum), std::move(plateau)})) {}

std::optional<double> Schedule::momentum(const Progress& progress) const {
  if (!body_->momentum) return std::nullopt;
  return body_->momentum(progress);
}

PlateauState PlateauRule::observe(const PlateauState& state, double value) const {
  const bool lower = mode == "min";
  const double best =
      state.best.value_or(lower ? std::numeric_limits<double>::infinity() : -std::numeric_limits<double>::infinity());
  const double margin = threshold_mode == "relative" ? (state.best ? best * threshold : 0) : threshold;
  PlateauState next = state;
  if (lower ? value < best - margin : value > best + margin) {
    next.best = value;
    next.bad_checks = 0;
  } else {
    ++next.bad_checks;
  }
  if (next.cooldown > 0) {
    --next.cooldown;
    next.bad_checks = 0;
  }
  if (next.bad_checks > patience) {
    next.factor = std::max(min, next.factor * factor);
    next.cooldown = cooldown;
    next.bad_checks = 0;
  }
  return next;
}

namespace schedule {

namespace {
/// The momentum of a schedule as a curve; empty where the schedule does not set it.
Schedule::Curve momentum_of(const Schedule& schedule) {
  if (!schedule.momentum({})) return {};
  return [schedule](const Progress& progress) { return *schedule.momentum(progress); };
}

}  // namespace

Progress after(const Progress& progress, std::int64_t steps) {
  Progress rest = progress;
  rest.step = std::max<std::int64_t>(0, progress.step - steps);
  rest.total = std::max<std::int64_t>(1, progress.total - steps);
  return rest;
}

Schedule warmed(const Schedule& inner, std::string name, OptionMap options, const Duration& length, double start) {
  if (length.unit == Duration::Unit::percent && length.amount > 100)
    fail<UsageError>("[{}] warmup = {}. Wanted: at most 100% of the run", name, length.str());
  const auto steps = [length](const Progress& p) { return length.steps(p.total, p.steps_per_epoch); };
  auto factor = [=](const Progress& progress) {
    const std::int64_t warm = steps(progress);
    const double value = inner.factor(after(progress, warm));
    if (progress.step >= warm) return value;
    return value * (start + (1 - start) * static_cast<double>(std::max<std::int64_t>(0, progress.step)) /
                                static_cast<double>(warm));
  };
  Schedule::Curve momentum;
  if (const auto curve = momentum_of(inner)) {
    momentum = [=](const Progress& progress) { return curve(after(progress, steps(progress))); };
  }
  return {std::move(name), std::move(options), std::move(factor), std::move(momentum), inner.plateau()};
}

Schedule warmup(const Schedule& inner, Duration length, double start) {
  check_fields({{"length", &length, "", not_negative}, {"start", &start, "", not_negative}}, "warmup");
  OptionMap options = inner.options();
  if (const auto had = options.find("warmup"); had != options.end()) {
    Duration before;
    read_fields({{"warmup", &before, ""}}, {*had}, inner.name());
    if (before.amount > 0) {
      fail<UsageError>("[warmup] {} has a warm-up already: {}. Hint: give one or the other.", inner.name(),
                       before.str());
    }
  }
  ConstantOptions shared{.warmup = length, .warmup_start = start};
  for (auto& [key, value] : field_values(with_shared(shared, {}))) options[key] = value;
  return warmed(inner, inner.name(), std::move(options), length, start);
}

}  // namespace schedule
}  // namespace thalweg
