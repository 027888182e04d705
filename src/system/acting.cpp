#include "system/acting.hpp"

#include <algorithm>
#include <cmath>

#include "core/error.hpp"
#include "core/numbers.hpp"
#include "options/nearest_name.hpp"
#include "thalweg/ops.hpp"
#include "thalweg/optimizers.hpp"

namespace thalweg::acting {

std::unique_ptr<Environment> environment_named(const SystemData& data, std::string_view system, const std::string& name,
                                               int players) {
  const auto row = std::ranges::find(data.environments, name, &EnvironmentRow::name);
  if (row == data.environments.end()) {
    std::vector<std::string> names;
    for (const EnvironmentRow& one : data.environments) names.emplace_back(one.name);
    fail<UsageError>("[{}] there is no environment '{}'. Hint: {}", system, name, name_hint(name, names));
  }
  std::unique_ptr<Environment> environment = row->make();
  if (environment->actions() < 1)
    fail<UsageError>("[{}] {} has {} actions. Wanted: at least one", system, name, environment->actions());
  if (environment->players() != 1 && environment->players() != 2)
    fail<UsageError>("[{}] {} is for {} players. Wanted: one or two", system, name, environment->players());
  if (environment->players() != players)
    fail<UsageError>("[{}] {} is for {}. Wanted: an environment for {}", system, name,
                     environment->players() == 1 ? "one" : "two", players == 1 ? "one" : "two");
  environment->reset(0);
  return environment;
}

std::uint64_t seed_of(RandomKey key) {
  const auto words = random_words(key, 0);
  return std::uint64_t{words[0]} << 32 | words[1];
}

Tensor observations(Positions positions, std::int64_t rows) {
  const Shape one = positions.front()->observation_shape();
  Shape shape{rows};
  for (const std::int64_t size : one) shape.push_back(size);
  Tensor all(shape);
  const auto into = all.mutable_values<float>();
  const auto size = static_cast<std::size_t>(one.size());
  for (std::size_t i = 0; i < positions.size(); ++i) positions[i]->observe(into.subspan(i * size, size));
  return all;
}

Tensor legal_actions(Positions positions, std::int64_t rows) {
  const std::int64_t actions = positions.front()->actions();
  Tensor all = ones({rows, actions});
  const auto into = all.mutable_values<float>();
  for (std::size_t i = 0; i < positions.size(); ++i) {
    for (std::int64_t action = 0; action < actions; ++action) {
      if (!positions[i]->legal(action))
        into[i * static_cast<std::size_t>(actions) + static_cast<std::size_t>(action)] = 0;
    }
  }
  return all;
}

Var masked(const Var& logits, const Var& legal) { return logits + (legal - 1) * 1e9; }

namespace {

/// The size of the batch for `count` positions: a power of two up to 16; above that, a multiple of a sixteenth of the
/// next lower power of two.
std::int64_t batch_for(std::int64_t count) {
  std::int64_t unit = 1;
  while (unit * 16 < count) unit *= 2;
  if (unit == 1) {
    std::int64_t power = 1;
    while (power < count) power *= 2;
    return power;
  }
  return (count + unit - 1) / unit * unit;
}

std::vector<float> first_of(const Tensor& tensor, std::int64_t count) {
  const auto values = tensor.values<float>().first(static_cast<std::size_t>(count));
  return {values.begin(), values.end()};
}

}  // namespace

Said Adviser::operator()(const State& state, Positions positions,
                         std::span<const Environment::Symmetry> symmetries) const {
  const std::size_t count = positions.size(), images = symmetries.size() + 1;
  const auto actions = static_cast<std::size_t>(positions.front()->actions());
  const auto rows = batch_for(static_cast<std::int64_t>(count * images));
  Tensor seen = observations(positions, rows), legal = legal_actions(positions, rows);
  const auto pixels = seen.mutable_values<float>(), allowed = legal.mutable_values<float>();
  const auto size = pixels.size() / static_cast<std::size_t>(rows);
  for (std::size_t image = 1; image < images; ++image) {
    const Environment::Symmetry& look = symmetries[image - 1];
    for (std::size_t i = 0; i < count; ++i) {
      const std::size_t to = image * count + i;
      for (std::size_t k = 0; k < size; ++k)
        pixels[to * size + k] = pixels[i * size + static_cast<std::size_t>(look.from[k])];
      for (std::size_t a = 0; a < actions; ++a)
        allowed[to * actions + a] = allowed[i * actions + static_cast<std::size_t>(look.actions[a])];
    }
  }
  const NamedTensors out = net_.all(state, {{"observation", seen}, {"legal", legal}});
  const auto width = static_cast<std::int64_t>(actions), said = static_cast<std::int64_t>(count * images);
  const Said all{width, first_of(out[0].second, said * width), first_of(out[1].second, said)};
  if (images == 1) return all;
  Said mean{width, std::vector<float>(count * actions), std::vector<float>(count)};
  const auto part = 1 / static_cast<float>(images);
  for (std::size_t image = 0; image < images; ++image) {
    for (std::size_t i = 0; i < count; ++i) {
      const auto own = all.of(image * count + i);
      for (std::size_t a = 0; a < actions; ++a) {
        const std::size_t at = image == 0 ? a : static_cast<std::size_t>(symmetries[image - 1].actions[a]);
        mean.log_probabilities[i * actions + at] += part * own[a];
      }
      mean.values[i] += part * all.values[image * count + i];
    }
  }
  return mean;
}

void Adviser::expect_net_in(const State& state, const Environment& game) const {
  const Environment* const one = &game;
  (void)(*this)(state, {&one, 1});
}

std::int64_t most_probable(std::span<const float> log_probabilities, const Environment& at) {
  std::int64_t best = -1;
  for (std::int64_t action = 0; action < std::ssize(log_probabilities); ++action) {
    if (!at.legal(action)) continue;
    const bool better = best < 0 || log_probabilities[static_cast<std::size_t>(action)] >
                                        log_probabilities[static_cast<std::size_t>(best)];
    if (better) best = action;
  }
  return best;
}

std::int64_t drawn(std::span<const float> log_probabilities, const Environment& at, double unit) {
  double left = unit;
  std::int64_t last = -1;
  for (std::int64_t action = 0; action < std::ssize(log_probabilities); ++action) {
    if (!at.legal(action)) continue;
    last = action;
    left -= std::exp(static_cast<double>(log_probabilities[static_cast<std::size_t>(action)]));
    if (left < 0) break;
  }
  return last;
}

std::int64_t any_action(const Environment& at, double unit) {
  const std::int64_t actions = at.actions();
  std::int64_t count = 0;
  for (std::int64_t action = 0; action < actions; ++action) count += at.legal(action);
  auto left = static_cast<std::int64_t>(unit * static_cast<double>(count));
  for (std::int64_t action = 0; action < actions; ++action) {
    if (at.legal(action) && left-- == 0) return action;
  }
  return -1;
}

void expect_collection(std::string_view system, std::int64_t rows, std::int64_t numbers) {
  constexpr std::int64_t most = std::int64_t{1} << 26;
  if (rows <= most / std::max<std::int64_t>(1, numbers)) return;
  fail<UsageError>("[{}] a collection of {} rows of {} numbers. Wanted: at most {} numbers", system, with_commas(rows),
                   with_commas(numbers), with_commas(most));
}

State untrained(const Objective& objective, const Dataset& like, std::uint64_t seed) {
  Trainer trainer(objective, optim::sgd({.lr = 1}), 1);
  trainer.init(like.slice(0, 1), seed);
  return trainer.state();
}

}  // namespace thalweg::acting
