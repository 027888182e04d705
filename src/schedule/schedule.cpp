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
/// Momentum, for a curve that is only asked where there is one.
Schedule::Curve momentum_of(const Schedule& schedule) {
  if (!schedule.momentum({})) return {};
  return [schedule](const Progress& progress) { return *schedule.momentum(progress); };
}

Progress after(const Progress& progress, std::int64_t steps) {
  Progress rest = progress;
  rest.step = std::max<std::int64_t>(0, progress.step - steps);
  rest.total = std::max<std::int64_t>(1, progress.total - steps);
  return rest;
}
}  // namespace

Schedule warmed(const Schedule& inner, std::string name, OptionMap options, const Duration& length, double start) {
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

namespace {
/// The part that a step falls into, and where it stands in it.
std::pair<const Part*, Progress> find_part(const std::vector<Part>& parts, const Progress& progress) {
  Progress place = progress;
  for (const Part& part : parts) {
    const std::int64_t length =
        part.length ? part.length->steps(progress.total, progress.steps_per_epoch) : place.total;
    if (&part == &parts.back() || place.step < length) {
      place.total = std::max<std::int64_t>(1, length);
      return {&part, place};
    }
    place = after(place, length);
  }
  defect("a join without parts");
}

OptionMap join_values(const std::vector<Part>& parts) {
  JoinOptions o;
  for (const Part& part : parts) {
    OptionMap& options = o.parts.emplace_back(part.schedule.options());
    options["kind"] = {part.schedule.name()};
    if (part.length) o.lengths.push_back(*part.length);
  }
  const Fields described = fields(o);
  check_fields(described, "join");
  return field_values(described);
}
}  // namespace

Schedule join(const std::vector<Part>& parts) {
  if (parts.empty())
    fail<UsageError>("[join] no parts. Hint: parts = [{{ kind = \"linear\" }}, {{ kind = \"cosine\" }}].");
  for (const Part& part : parts) {
    if (!part.length && &part != &parts.back()) {
      fail<UsageError>("[join] the part '{}' has no length. Hint: only the last may do without.", part.schedule.name());
    }
  }
  bool sets_momentum = true;
  std::optional<PlateauRule> rule;
  for (const Part& part : parts) {
    sets_momentum = sets_momentum && part.schedule.momentum({});
    if (!rule) rule = part.schedule.plateau();
  }
  const auto factor = [parts](const Progress& progress) {
    const auto [part, place] = find_part(parts, progress);
    return part->schedule.factor(place);
  };
  const auto momentum = [parts](const Progress& progress) {
    const auto [part, place] = find_part(parts, progress);
    return *part->schedule.momentum(place);
  };
  return {"join", join_values(parts), factor, sets_momentum ? Schedule::Curve(momentum) : Schedule::Curve{}, rule};
}

Fields fields(JoinOptions& o) {
  return with_shared(
      o, {{"parts", &o.parts, "tables, each with a kind and its options; each runs as if its part were the run"},
          {"lengths", &o.lengths, "of the parts; the last may be left out: it is the rest", positive}});
}

Schedule join_options(JoinOptions o) {
  if (o.lengths.size() > o.parts.size() || o.lengths.size() + 1 < o.parts.size()) {
    fail<UsageError>("[join] {} parts, {} lengths. Wanted: one length a part; the last may be left out.",
                     o.parts.size(), o.lengths.size());
  }
  std::vector<Part> parts;
  for (OptionMap options : o.parts) {
    const std::string place = fmt::format("parts[{}]", parts.size());
    const auto kind = options.find("kind");
    if (kind == options.end() || !kind->second.holds<std::string>()) {
      fail_option(place, "[join] a part without a kind. Hint: {{ kind = \"cosine\" }}.");
    }
    const std::string name = *kind->second.get_if<std::string>();
    options.erase(kind);
    Part& part = parts.emplace_back(Part{in_option(place, [&] { return make_schedule(name, options); })});
    if (parts.size() <= o.lengths.size()) part.length = o.lengths[parts.size() - 1];
  }
  const Schedule joined = join(parts);
  return o.warmup.amount > 0 ? warmup(joined, o.warmup, o.warmup_start) : joined;
}

}  // namespace schedule
}  // namespace thalweg
