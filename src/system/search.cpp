#include "system/search.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <set>

namespace thalweg::acting {

Tree::Tree(const Environment& root) {
  nodes_.push_back({});
  nodes_.front().position = root.copy();
}

std::size_t Tree::best_child(std::size_t at, double exploration) const {
  const Node& node = nodes_[at];
  const double wide = exploration * std::sqrt(static_cast<double>(node.visits));
  std::size_t best = node.first_child;
  double highest = -1e300;
  for (std::size_t i = node.first_child; i < node.first_child + node.children; ++i) {
    const Node& child = nodes_[i];
    const auto visits = static_cast<double>(child.visits);
    const double value = child.visits > 0 ? child.value_sum / visits : 0;
    const double score = value + wide * child.prior / (1 + visits);
    if (score > highest) {
      highest = score;
      best = i;
    }
  }
  return best;
}

const Environment* Tree::descend(double exploration) {
  std::size_t at = 0;
  while (nodes_[at].children > 0) {
    const std::size_t next = best_child(at, exploration);
    if (!nodes_[next].position) {
      nodes_[next].position = nodes_[at].position->copy();
      nodes_[next].position->step(nodes_[next].action);
    }
    at = next;
  }
  leaf_ = at;
  const Environment& position = *nodes_[at].position;
  if (!position.over()) return &position;
  back_up(at, position.outcome(position.player()));
  return nullptr;
}

void Tree::expand(std::span<const float> log_probabilities, double value) {
  const std::size_t first = nodes_.size();
  const Environment& position = *nodes_[leaf_].position;
  double total = 0;
  for (const std::int64_t action : position.legal_actions()) {
    Node child;
    child.prior = std::exp(static_cast<double>(log_probabilities[static_cast<std::size_t>(action)]));
    child.parent = leaf_;
    child.action = action;
    total += child.prior;
    nodes_.push_back(std::move(child));
  }
  nodes_[leaf_].first_child = first;
  nodes_[leaf_].children = nodes_.size() - first;
  for (std::size_t i = first; i < nodes_.size(); ++i) nodes_[i].prior /= total;
  back_up(leaf_, value);
}

/// `value` is for the one whose turn it is at the leaf; where the game is over, for the one who ended it.
void Tree::back_up(std::size_t leaf, double value) {
  const int seen_by = nodes_[leaf].position->player();
  for (std::size_t at = leaf;; at = nodes_[at].parent) {
    Node& node = nodes_[at];
    const int chooser = nodes_[node.parent].position->player();
    ++node.visits;
    node.value_sum += chooser == seen_by ? value : -value;
    if (at == 0) return;
  }
}

namespace {

/// Gamma of shape a >= 1 (Marsaglia and Tsang 2000); below 1 that of a + 1, made smaller.
double random_gamma(double a, RandomKey key) {
  if (a < 1) return random_gamma(a + 1, key) * std::pow(1 - random_unit(key.fold("small"), 0), 1 / a);
  const double d = a - 1.0 / 3.0, c = 1 / std::sqrt(9 * d);
  for (std::uint64_t i = 0;; ++i) {
    const double x = random_gauss(key, i), v = std::pow(1 + c * x, 3), u = 1 - random_unit(key.fold("accept"), i);
    if (v > 0 && std::log(u) < x * x / 2 + d - d * v + d * std::log(v)) return d * v;
  }
}

}  // namespace

void Tree::add_noise(const SearchOptions& options, RandomKey key) {
  const Node& root = nodes_.front();
  std::vector<double> noise;
  double total = 0;
  for (std::size_t i = 0; i < root.children; ++i) {
    noise.push_back(random_gamma(options.concentration, key.fold(i)));
    total += noise.back();
  }
  for (std::size_t i = 0; i < root.children; ++i) {
    double& prior = nodes_[root.first_child + i].prior;
    prior = (1 - options.noise) * prior + options.noise * noise[i] / total;
  }
}

std::vector<std::int64_t> Tree::visits() const {
  std::vector<std::int64_t> counts(static_cast<std::size_t>(root().actions()));
  const Node& top = nodes_.front();
  for (std::size_t i = top.first_child; i < top.first_child + top.children; ++i)
    counts[static_cast<std::size_t>(nodes_[i].action)] = nodes_[i].visits;
  return counts;
}

void Tree::advance(std::int64_t action) {
  const Node& top = nodes_.front();
  std::size_t chosen = top.first_child;
  while (nodes_[chosen].action != action) ++chosen;
  if (!nodes_[chosen].position) {
    nodes_[chosen].position = top.position->copy();
    nodes_[chosen].position->step(action);
  }
  // breadth first, so that the children of one stand together
  std::vector<Node> kept;
  kept.push_back(std::move(nodes_[chosen]));
  kept.front().parent = 0;
  for (std::size_t at = 0; at < kept.size(); ++at) {
    const std::size_t from = kept[at].first_child, first = kept.size();
    for (std::size_t i = 0; i < kept[at].children; ++i) {
      kept.push_back(std::move(nodes_[from + i]));
      kept.back().parent = at;
    }
    kept[at].first_child = first;
  }
  nodes_ = std::move(kept);
}

Said Evaluations::operator()(Positions positions) {
  constexpr std::size_t most = 200'000;  // positions: a few hundred megabytes of boards
  if (known_.size() > most) known_.clear();
  std::vector<std::string> keys, asked;
  std::vector<const Environment*> fresh;
  for (const Environment* position : positions) {
    keys.push_back(key_of(*position));
    if (!known_.try_emplace(keys.back()).second) continue;
    fresh.push_back(position);
    asked.push_back(keys.back());
  }
  if (!fresh.empty()) {
    const Said said = (*adviser_)(state_, fresh);
    for (std::size_t i = 0; i < fresh.size(); ++i) {
      const auto own = said.of(i);
      known_[asked[i]] = {{own.begin(), own.end()}, said.values[i]};
    }
  }
  Said all{positions.front()->actions()};
  for (const std::string& key : keys) {
    const Known& known = known_.at(key);
    all.log_probabilities.insert(all.log_probabilities.end(), known.log_probabilities.begin(),
                                 known.log_probabilities.end());
    all.values.push_back(known.value);
  }
  return all;
}

namespace {

/// One visit of each of some trees.
void visit(const std::vector<Tree*>& trees, Evaluations& net, double exploration) {
  std::vector<Tree*> waiting;
  std::vector<const Environment*> leaves;
  for (Tree* tree : trees) {
    if (const Environment* leaf = tree->descend(exploration)) {
      waiting.push_back(tree);
      leaves.push_back(leaf);
    }
  }
  if (leaves.empty()) return;
  const Said said = net(leaves);
  for (std::size_t i = 0; i < waiting.size(); ++i) waiting[i]->expand(said.of(i), static_cast<double>(said.values[i]));
}

}  // namespace

void search(std::span<Tree> trees, Evaluations& net, const SearchOptions& options, std::span<const RandomKey> keys) {
  std::vector<Tree*> all, fresh;
  for (Tree& tree : trees) {
    all.push_back(&tree);
    if (!tree.is_expanded()) fresh.push_back(&tree);
  }
  visit(fresh, net, options.exploration);  // the noise goes into what the net says of a root
  for (std::size_t i = 0; i < trees.size(); ++i) {
    if (options.noise > 0) trees[i].add_noise(options, keys[i]);
  }
  for (std::int64_t k = 1; k < options.simulations; ++k) visit(all, net, options.exploration);
}

namespace {

std::int64_t most_visited(const std::vector<std::int64_t>& visits) {
  return std::ranges::max_element(visits) - visits.begin();
}

}  // namespace

Side searching(const Adviser& adviser, State state, SearchOptions options) {
  options.noise = 0;
  const auto net = std::make_shared<Evaluations>(adviser, std::move(state));
  return [net, options](Positions positions, std::span<const std::int64_t>) {
    std::vector<Tree> trees;
    for (const Environment* position : positions) trees.emplace_back(*position);
    search(trees, *net, options, {});
    std::vector<std::int64_t> actions;
    for (const Tree& tree : trees) actions.push_back(most_visited(tree.visits()));
    return actions;
  };
}

namespace {

/// Plain tree search from one position.
class Playouts {
 public:
  Playouts(const Environment& root, RandomKey key) : key_(key) {
    nodes_.push_back({});
    nodes_.front().position = root.copy();
    add_children(0);
  }

  void visit() {
    std::size_t at = 0;
    while (nodes_[at].children > 0) {
      at = next(at);
      if (nodes_[at].position) continue;
      nodes_[at].position = nodes_[nodes_[at].parent].position->copy();
      nodes_[at].position->step(nodes_[at].action);
      add_children(at);
      break;
    }
    const double value = played_out(*nodes_[at].position);
    for (;; at = nodes_[at].parent) {
      const int chooser = nodes_[nodes_[at].parent].position->player();
      ++nodes_[at].visits;
      nodes_[at].value_sum += (1 + (chooser == 0 ? value : -value)) / 2;
      if (at == 0) return;
    }
  }

  [[nodiscard]] std::int64_t best() const {
    const Node& top = nodes_.front();
    std::size_t most = top.first_child;
    for (std::size_t i = top.first_child; i < top.first_child + top.children; ++i) {
      if (nodes_[i].visits > nodes_[most].visits) most = i;
    }
    return nodes_[most].action;
  }

 private:
  struct Node {
    std::unique_ptr<Environment> position = {};
    double value_sum = 0;  // in [0, visits], for the one who chose the action
    std::int64_t visits = 0, action = 0;
    std::size_t parent = 0, first_child = 0, children = 0;
  };

  void add_children(std::size_t at) {
    const std::vector<std::int64_t> actions = nodes_[at].position->legal_actions();
    nodes_[at].first_child = nodes_.size();
    nodes_[at].children = actions.size();
    for (const std::int64_t action : actions) {
      Node child;
      child.action = action;
      child.parent = at;
      nodes_.push_back(std::move(child));
    }
  }

  /// One that was not visited yet, at random; else the highest mean + sqrt(2 ln N / n).
  [[nodiscard]] std::size_t next(std::size_t at) {
    const Node& node = nodes_[at];
    std::size_t fresh = 0, best = node.first_child;
    double highest = -1;
    const double wide = 2 * std::log(static_cast<double>(std::max<std::int64_t>(1, node.visits)));
    for (std::size_t i = node.first_child; i < node.first_child + node.children; ++i) {
      const auto visits = static_cast<double>(nodes_[i].visits);
      if (nodes_[i].visits == 0) {
        ++fresh;
      } else if (const double score = nodes_[i].value_sum / visits + std::sqrt(wide / visits); score > highest) {
        highest = score;
        best = i;
      }
    }
    if (fresh == 0) return best;
    auto left = static_cast<std::size_t>(unit() * static_cast<double>(fresh));
    for (std::size_t i = node.first_child;; ++i) {
      if (nodes_[i].visits == 0 && left-- == 0) return i;
    }
  }

  /// The outcome for player 0 where both go on at random.
  [[nodiscard]] double played_out(const Environment& from) {
    if (from.over()) return from.outcome(0);
    const std::unique_ptr<Environment> game = from.copy();
    while (!game->over()) game->step(any_action(*game, unit()));
    return game->outcome(0);
  }

  [[nodiscard]] double unit() { return random_unit(key_, drawn_++); }

  RandomKey key_;
  std::uint64_t drawn_ = 0;
  std::vector<Node> nodes_;
};

}  // namespace

std::int64_t best_by_playouts(const Environment& at, std::int64_t playouts, RandomKey key) {
  Playouts tree(at, key);
  for (std::int64_t i = 0; i < playouts; ++i) tree.visit();
  return tree.best();
}

Side playing_out(std::int64_t playouts, RandomKey key) {
  return [playouts, key](Positions positions, std::span<const std::int64_t> numbers) {
    std::vector<std::int64_t> actions;
    for (std::size_t i = 0; i < positions.size(); ++i) {
      const RandomKey own =
          key.fold(static_cast<std::uint64_t>(numbers[i])).fold(static_cast<std::uint64_t>(positions[i]->steps()));
      actions.push_back(best_by_playouts(*positions[i], playouts, own));
    }
    return actions;
  };
}

std::vector<double> play_games(std::span<std::unique_ptr<Environment>> games, const std::vector<bool>& swapped,
                               const Side& first, const Side& second) {
  for (bool going = true; going;) {
    going = false;
    for (const int side : {0, 1}) {
      std::vector<Environment*> here;
      std::vector<std::int64_t> numbers;
      for (std::size_t i = 0; i < games.size(); ++i) {
        const int turn = games[i]->player() ^ static_cast<int>(swapped[i]);
        if (games[i]->over() || turn != side) continue;
        here.push_back(games[i].get());
        numbers.push_back(static_cast<std::int64_t>(i));
      }
      if (here.empty()) continue;
      going = true;
      const std::vector<const Environment*> seen(here.begin(), here.end());
      const std::vector<std::int64_t> actions = side == 0 ? first(seen, numbers) : second(seen, numbers);
      for (std::size_t i = 0; i < here.size(); ++i) here[i]->step(actions[i]);
    }
  }
  std::vector<double> points;
  for (std::size_t i = 0; i < games.size(); ++i) points.push_back((1 + games[i]->outcome(swapped[i] ? 1 : 0)) / 2);
  return points;
}

std::string key_of(const Environment& at) {
  std::vector<float> seen(static_cast<std::size_t>(at.observation_shape().size()));
  at.observe(seen);
  std::string key(reinterpret_cast<const char*>(seen.data()), seen.size() * sizeof(float));
  key += static_cast<char>('0' + at.player());
  return key;
}

std::vector<std::unique_ptr<Environment>> random_openings(const Environment& start, std::int64_t count, int plies,
                                                          RandomKey key) {
  constexpr std::uint64_t most_tries = 100'000;
  std::vector<std::unique_ptr<Environment>> all;
  std::set<std::string> known;
  for (std::uint64_t t = 0; std::ssize(all) < count && t < most_tries; ++t) {
    std::unique_ptr<Environment> game = start.copy();
    for (int ply = 0; ply < plies && !game->over(); ++ply)
      game->step(any_action(*game, random_unit(key.fold(t), static_cast<std::uint64_t>(ply))));
    if (!game->over() && known.insert(key_of(*game)).second) all.push_back(std::move(game));
  }
  return all;
}

std::optional<Solved> Solved::of(const Environment& start, std::size_t most) {
  Solved solved;
  (void)solved.value(start, most);
  if (solved.values_.size() > most) return std::nullopt;
  return solved;
}

double Solved::value(const Environment& at, std::size_t most) {
  const std::string key = key_of(at);
  if (const auto found = values_.find(key); found != values_.end()) return found->second;
  if (values_.size() > most) return 0;  // it is too large, and what is said no longer counts
  double best = -1e300;
  for (const std::int64_t action : at.legal_actions()) {
    const std::unique_ptr<Environment> after = at.copy();
    after->step(action);
    best = std::max(best, after->over() ? after->outcome(at.player()) : -value(*after, most));
  }
  values_[key] = best;
  return best;
}

double Solved::known(const Environment& after, int player) const {
  return after.over() ? after.outcome(player) : -values_.at(key_of(after));
}

std::vector<std::int64_t> Solved::best_actions(const Environment& at) const {
  std::vector<std::int64_t> best;
  double highest = -1e300;
  for (const std::int64_t action : at.legal_actions()) {
    const std::unique_ptr<Environment> after = at.copy();
    after->step(action);
    const double value = known(*after, at.player());
    if (value > highest) best.clear();
    highest = std::max(highest, value);
    if (value == highest) best.push_back(action);
  }
  return best;
}

}  // namespace thalweg::acting
