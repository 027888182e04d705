#include "engine/check_state.hpp"

#include <algorithm>

#include "core/error.hpp"
#include "engine/entries.hpp"

namespace thalweg {

void refuse_parameters(const State& state) {
  if (!state.layout) fail<UsageError>("[state] it is empty. Hint: it comes from TrainStep::init, or Trainer::init.");
  const Layout& layout = *state.layout;
  const std::string first =
      layout.entries.empty() ? ""
                             : fmt::format(", of '{}' {} and others", layout.entries[0].name, layout.entries[0].shape);
  fail<UsageError>("[state] the parameters are {} {}. Wanted: {} ({}){}", state.parameters.dtype(),
                   state.parameters.shape(), layout.dtype, layout.size, first);
}

namespace {

void check_places(const Layout& layout) {
  for (const ParameterEntry& entry : layout.entries) {
    const std::int64_t size = entry.shape.size();
    if (entry.offset < 0 || size > layout.size || entry.offset > layout.size - size)
      fail<UsageError>("[state] the parameter '{}' {} lies outside the block of {}", entry.name, entry.shape,
                       layout.size);
  }
  const bool in_order = 0 <= layout.decayed_size && layout.decayed_size <= layout.trained_size &&
                        layout.trained_size <= layout.size && 0 <= layout.statistics_size &&
                        layout.statistics_size <= layout.size - layout.trained_size;
  if (!in_order) fail<UsageError>("[state] its layout's groups are larger than its {} elements", layout.size);
}

}  // namespace

void check_state(const State& state, const Layout* known) {
  check_parameters(state);
  check_places(*state.layout);
  constexpr std::int64_t most = std::int64_t{1} << 53;
  if (state.step < 0 || state.step > most) fail<UsageError>("[state] step = {}. Wanted: in [0, 2^53]", state.step);
  if (!known) return;
  const Entries entries(*state.layout);
  for (const ParameterEntry& wanted : known->entries) {
    const ParameterEntry* found = entries.find(wanted.name);
    if (!found)
      fail<ModelError>("[state] there is no parameter '{}'. Hint: the state is of another model.", wanted.name);
    if (found->shape != wanted.shape)
      fail<ModelError>("[state] the parameter '{}' is {}. Wanted: {}", wanted.name, found->shape, wanted.shape);
  }
}

bool same_places(const Layout& a, const Layout& b) {
  const auto same = [](const ParameterEntry& x, const ParameterEntry& y) {
    return x.name == y.name && x.shape == y.shape && x.offset == y.offset && x.frozen == y.frozen &&
           x.statistic == y.statistic;
  };
  return a.dtype == b.dtype && a.size == b.size && a.trained_size == b.trained_size &&
         a.statistics_size == b.statistics_size && std::ranges::equal(a.entries, b.entries, same);
}

}  // namespace thalweg
