// Environment: the checks of every call; and the table of environments.

#include "thalweg/environment.hpp"

#include <algorithm>
#include <cmath>

#include "core/error.hpp"
#include "environment/environments_parts.hpp"
#include "options/rows.hpp"

namespace thalweg {

namespace {

/// "(play.cpp:12)", without the folders.
std::string at(Source source) {
  const std::string_view path = source.file;
  return fmt::format("({}:{})", path.substr(path.rfind('/') + 1), source.line);
}

}  // namespace

std::string Environment::action_name(std::int64_t action) const { return std::to_string(action); }

void Environment::reset(std::uint64_t seed) {
  steps_ = 0;
  outcome_ = 0;
  player_ = 0;
  over_ = cut_ = false;
  start(seed);
}

bool Environment::legal(std::int64_t action) const {
  return !over_ && action >= 0 && action < actions() && allows(action);
}

std::vector<std::int64_t> Environment::legal_actions() const {
  std::vector<std::int64_t> all;
  for (std::int64_t action = 0; action < actions(); ++action) {
    if (legal(action)) all.push_back(action);
  }
  return all;
}

void Environment::refuse(std::int64_t action, Source source) const {
  if (over_)
    fail<UsageError>("[{}] action {}, and the episode is over {}. Hint: reset begins another.", name(), action,
                     at(source));
  std::vector<std::string> names;
  for (const std::int64_t one : legal_actions()) names.push_back(std::to_string(one));
  if (names.empty())
    fail<UsageError>("[{}] no action is legal after {} steps, and the episode is not over {}. Wanted: one or the other",
                     name(), steps_, at(source));
  fail<UsageError>("[{}] action {} is not legal here {}. Wanted: {}", name(), action, at(source),
                   fmt::join(names, ", "));
}

double Environment::step(std::int64_t action, Source source) {
  if (!legal(action)) refuse(action, source);
  const Result result = act(action);
  ++steps_;
  if (!std::isfinite(result.reward))
    fail<NumericError>("[{}] the reward of action {} in step {} is {} {}. Wanted: a finite number", name(), action,
                       steps_, result.reward, at(source));
  outcome_ += player_ == 0 ? result.reward : -result.reward;
  over_ = result.over || result.cut;
  cut_ = result.cut && !result.over;
  if (!over_ && players() == 2) player_ = 1 - player_;
  return result.reward;
}

void Environment::observe(std::span<float> into, Source source) const {
  const std::int64_t size = observation_shape().size();
  if (std::ssize(into) != size)
    fail<UsageError>("[{}] room for {} numbers {}. Wanted: {}", name(), into.size(), at(source), size);
  look(into);
  const auto wrong = std::ranges::find_if_not(into, [](float x) { return std::isfinite(x); });
  if (wrong != into.end())
    fail<NumericError>("[{}] element {} of the observation after {} steps is {} {}. Wanted: a finite number", name(),
                       wrong - into.begin(), steps_, *wrong, at(source));
}

const std::vector<EnvironmentRow>& environments() {
  static const std::vector<EnvironmentRow> rows = joined(environments_parts);
  return rows;
}

}  // namespace thalweg
