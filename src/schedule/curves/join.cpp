// Schedules one after the other.

#include "schedule/curve.hpp"

namespace thalweg::schedule {

namespace {

/// The options of `join` in a configuration.
struct JoinOptions {
  std::vector<OptionMap> parts;
  std::vector<Duration> lengths;
  Duration warmup = 0;
  double warmup_start = 0;
};
Fields fields(JoinOptions& o) {
  return with_shared(o, {{"parts", &o.parts,
                          "tables, each with a kind and its options; each schedule treats its part as the whole run"},
                         {"lengths", &o.lengths,
                          "length of each part; the last length may be left out: that part takes the rest", positive}});
}

/// The part that a step falls into, and the progress within that part.
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
      fail<UsageError>("[join] the part '{}' has no length. Hint: only the last part needs none.",
                       part.schedule.name());
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

namespace {
Schedule join_options(JoinOptions o) {
  if (o.lengths.size() > o.parts.size() || o.lengths.size() + 1 < o.parts.size()) {
    fail<UsageError>("[join] {} parts, {} lengths. Wanted: one length for each part; the last may be left out.",
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
}  // namespace

std::vector<ScheduleRow> join_curves() {
  return {row(join_options, {.name = "join",
                             .summary = "one schedule after the other",
                             .formula = "part_k(t - begin_k), each with its own length as n",
                             .when = "no single schedule has the wanted form",
                             .source = "PyTorch SequentialLR"})};
}

}  // namespace thalweg::schedule
