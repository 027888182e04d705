#include "system/search.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>
#include <unordered_set>

#include "core/error.hpp"

namespace thalweg::acting {

std::vector<std::int64_t> considered_visits(std::int64_t considered, std::int64_t simulations) {
  std::vector<std::int64_t> schedule, visits(static_cast<std::size_t>(considered));
  std::int64_t rounds = 1, left = considered;
  while (std::int64_t{1} << rounds < considered) ++rounds;
  while (std::ssize(schedule) < simulations) {
    const std::int64_t each = std::max<std::int64_t>(1, simulations / (rounds * left));
    for (std::int64_t i = 0; i < each; ++i) {
      for (std::int64_t action = 0; action < left; ++action)
        schedule.push_back(visits[static_cast<std::size_t>(action)]++);
    }
    left = std::max(std::min<std::int64_t>(2, considered), left / 2);
  }
  schedule.resize(static_cast<std::size_t>(simulations));
  return schedule;
}

namespace {

/// The look ahead, or less where it would take too many positions for each new one.
std::int64_t affordable(std::int64_t look_ahead, std::int64_t actions) {
  constexpr std::int64_t most_positions = 4096;
  std::int64_t ahead = 0;
  for (std::int64_t positions = actions; ahead < look_ahead && positions <= most_positions / actions; ++ahead)
    positions *= actions;
  return ahead;
}

}  // namespace

Tree::Tree(const Environment& root, const SearchOptions& options, std::optional<RandomKey> key)
    : scale_(options.value_scale), look_ahead_(affordable(options.look_ahead, root.actions())) {
  nodes_.push_back({.position = root.copy()});
  open(0);
  const auto actions = static_cast<std::int64_t>(nodes_.front().children);
  schedule_ = considered_visits(std::min(actions, options.considered), options.simulations);
  noise_.resize(nodes_.front().children);
  for (std::size_t i = 0; key && i < noise_.size(); ++i) noise_[i] = -std::log(-std::log1p(-random_unit(*key, i)));
}

namespace {

/// 1 if the player whose turn it is wins within so many actions, whatever the other player does; -1 if it loses; else
/// 0.
int decided(const Environment& at, std::int64_t actions) {
  if (actions == 0) return 0;
  const std::vector<std::int64_t> legal = at.legal_actions();
  bool loses = !legal.empty();  // a game that is stuck is refused where it is reached
  for (const std::int64_t action : legal) {
    const std::unique_ptr<Environment> after = at.copy();
    after->step(action);
    double outcome = 0;
    if (after->over()) {
      outcome = after->outcome(at.player());
    } else {
      const int next = decided(*after, actions - 1);
      outcome = after->player() == at.player() ? next : -next;
    }
    if (outcome == 1) return 1;
    loses = loses && outcome == -1;
  }
  return loses ? -1 : 0;
}

}  // namespace

/// Makes the positions that follow a position. A position that ends the game has a known outcome, and so has one that a
/// look ahead decides. They may make the outcome of the position before them known too.
void Tree::open(std::size_t at) {
  const Environment& position = *nodes_[at].position;
  const std::size_t first = nodes_.size();
  for (std::int64_t action = 0; action < position.actions(); ++action) {
    if (!position.legal(action)) continue;
    Node child{.position = position.copy(), .action = action, .parent = at};
    child.position->step(action);
    if (child.position->over()) {
      child.exact = child.position->outcome(position.player());
      if (!(std::abs(*child.exact) <= 1))
        fail<UsageError>("[self_play] a game of {} came to {}. Wanted: an outcome in [-1, 1], where 1 is a game won",
                         position.name(), *child.exact);
    } else if (const int known = decided(*child.position, look_ahead_); known != 0) {
      child.exact = child.position->player() == position.player() ? known : -known;
    }
    nodes_.push_back(std::move(child));
  }
  nodes_[at].first_child = first;
  nodes_[at].children = nodes_.size() - first;
  if (nodes_[at].children == 0)
    fail<UsageError>("[self_play] a game of {} is not over, and no action is legal", position.name());
  settle(at);
}

/// Converts a value for the player whose turn it is at a node to the value for the player who moved there.
double Tree::for_chooser(std::size_t at, double value) const {
  const Node& node = nodes_[at];
  return nodes_[node.parent].position->player() == node.position->player() ? value : -value;
}

/// The outcome of a node is known if one of its actions is known to win, or if all its actions are known.
void Tree::settle(std::size_t at) {
  double best = -1;
  bool all = true;
  for (const Node& child : children_of(at)) {
    all = all && child.exact;
    best = std::max(best, child.exact.value_or(-1));
  }
  if (all || best == 1) nodes_[at].exact = for_chooser(at, best);
}

void Tree::back_up(std::size_t at, double value) {
  while (at != 0) {
    Node& node = nodes_[at];
    ++node.visits;
    node.value_sum += value;
    if (node.exact) settle(node.parent);
    at = node.parent;
    value = nodes_[at].exact.value_or(for_chooser(at, value));
  }
}

/// The mean of the net's value and of the children's known values, which are weighted by their priors. Every visit
/// counts equally.
double Tree::mixed_value(std::size_t at) const {
  double priors = 0, values = 0, visits = 0;
  for (const Node& child : children_of(at)) {
    if (!child.is_known()) continue;
    const double prior = std::exp(child.log_prior);
    priors += prior;
    values += prior * child.value();
    visits += static_cast<double>(child.visits);
  }
  const double said = nodes_[at].said.value_or(0);
  return priors > 0 ? (said + visits * values / priors) / (1 + visits) : said;
}

void Tree::score(std::size_t at, std::vector<double>& scores) const {
  constexpr double base = 50;  // c_visit
  std::int64_t most = 0;
  for (const Node& child : children_of(at)) most = std::max(most, child.visits);
  const double scale = (base + static_cast<double>(most)) * scale_, mixed = mixed_value(at);
  scores.clear();
  for (const Node& child : children_of(at))
    scores.push_back(child.log_prior + scale * (child.is_known() ? child.value() : mixed));
}

/// The action with the highest score, noise included, among those that the schedule selects. If the outcomes of all
/// these are known, among the others.
std::size_t Tree::root_choice() {
  score(0, scores_);
  const std::int64_t wanted = schedule_[static_cast<std::size_t>(next_ - 1)];  // the root's own evaluation was number 0
  const auto children = children_of(0);
  std::size_t best = children.size();
  const auto is_better = [&](std::size_t i) {
    if (best == children.size()) return true;
    const bool fits = children[i].visits == wanted, best_fits = children[best].visits == wanted;
    if (fits != best_fits) return fits;
    return scores_[i] + noise_[i] > scores_[best] + noise_[best];
  };
  for (std::size_t i = 0; i < children.size(); ++i) {
    if (!children[i].exact && is_better(i)) best = i;
  }
  return nodes_.front().first_child + best;
}

/// The child with the fewest visits relative to its share of the policy. Children that are known to lose are left out.
std::size_t Tree::choice_below(std::size_t at) {
  score(at, scores_);
  const double highest = *std::ranges::max_element(scores_);
  const auto children = children_of(at);
  double total = 0, visits = 1;
  for (double& one : scores_) total += one = std::exp(one - highest);
  for (const Node& child : children) visits += static_cast<double>(child.visits);
  std::size_t best = 0;
  double widest = -2;
  for (std::size_t i = 0; i < children.size(); ++i) {
    const double gap = scores_[i] / total - static_cast<double>(children[i].visits) / visits;
    if (gap <= widest || children[i].exact == -1) continue;
    widest = gap;
    best = i;
  }
  return nodes_[at].first_child + best;
}

/// The action to take if all others are known to lose.
std::optional<std::size_t> Tree::only_choice(std::size_t at) const {
  std::optional<std::size_t> only;
  for (std::size_t i = 0; i < nodes_[at].children; ++i) {
    const std::size_t child = nodes_[at].first_child + i;
    if (nodes_[child].exact == -1) continue;
    if (only) return std::nullopt;
    only = child;
  }
  return only;
}

const Environment* Tree::descend() {
  std::size_t at = next_ == 0 ? 0 : root_choice();
  ++next_;
  for (;;) {
    if (nodes_[at].children == 0 && !nodes_[at].exact) open(at);
    if (nodes_[at].exact) {
      back_up(at, *nodes_[at].exact);
      return nullptr;
    }
    if (const std::optional<std::size_t> only = only_choice(at)) {
      at = *only;
      continue;
    }
    if (!nodes_[at].said) break;
    at = choice_below(at);
  }
  leaf_ = at;
  return nodes_[at].position.get();
}

void Tree::expand(std::span<const float> log_probabilities, double value) {
  Node& leaf = nodes_[leaf_];
  leaf.said = value;
  const auto children = std::span(nodes_).subspan(leaf.first_child, leaf.children);
  double total = 0;
  for (Node& child : children) {
    child.log_prior = static_cast<double>(log_probabilities[static_cast<std::size_t>(child.action)]);
    total += std::exp(child.log_prior);
  }
  for (Node& child : children) child.log_prior -= std::log(total);
  back_up(leaf_, for_chooser(leaf_, value));
}

bool Tree::is_worse(const Node& child) const {
  const std::optional<double>& known = nodes_.front().exact;
  return known ? child.exact.value_or(-2) < *known : child.exact == -1;
}

std::int64_t Tree::best() const {
  std::vector<double> scores;
  score(0, scores);
  const auto children = children_of(0);
  std::size_t best = children.size();
  const bool by_visits = !solved() || *nodes_.front().exact == -1;  // a loss that took long to find may not be found
  const auto is_better = [&](std::size_t i) {
    if (best == children.size()) return true;
    if (by_visits && children[i].visits != children[best].visits) return children[i].visits > children[best].visits;
    return scores[i] + noise_[i] > scores[best] + noise_[best];
  };
  for (std::size_t i = 0; i < children.size(); ++i) {
    if (!is_worse(children[i]) && is_better(i)) best = i;
  }
  return children[best].action;
}

std::vector<double> Tree::policy() const {
  std::vector<double> scores, all(static_cast<std::size_t>(nodes_.front().position->actions()));
  score(0, scores);
  const auto children = children_of(0);
  double highest = -std::numeric_limits<double>::infinity(), total = 0;
  for (std::size_t i = 0; i < children.size(); ++i) {
    if (!is_worse(children[i])) highest = std::max(highest, scores[i]);
  }
  for (std::size_t i = 0; i < children.size(); ++i) {
    if (is_worse(children[i])) continue;
    total += all[static_cast<std::size_t>(children[i].action)] = std::exp(scores[i] - highest);
  }
  for (double& one : all) one /= total;
  return all;
}

double Tree::value() const {
  if (solved()) return *nodes_.front().exact;
  const std::vector<double> parts = policy();
  const double mixed = mixed_value(0);
  double value = 0;
  for (const Node& child : children_of(0))
    value += parts[static_cast<std::size_t>(child.action)] * (child.is_known() ? child.value() : mixed);
  return value;
}

std::vector<std::int64_t> Tree::visits() const {
  std::vector<std::int64_t> counts(static_cast<std::size_t>(nodes_.front().position->actions()));
  for (const Node& child : children_of(0)) counts[static_cast<std::size_t>(child.action)] = child.visits;
  return counts;
}

const Evaluations::Known* Evaluations::find(const Environment& position) const {
  const auto found = known_.find(key_of(position));
  return found == known_.end() ? nullptr : &found->second;
}

void Evaluations::ask(Positions positions) {
  constexpr std::size_t most = 200'000;  // positions: a few hundred megabytes of boards
  if (known_.size() > most) known_.clear();
  const Said said = (*adviser_)(state_, positions, symmetries_);
  for (std::size_t i = 0; i < positions.size(); ++i) {
    const auto own = said.of(i);
    known_[key_of(*positions[i])] = {{own.begin(), own.end()}, said.values[i]};
  }
}

namespace {

/// Continues the simulations of a tree up to a leaf that the net has not evaluated yet; null if the tree is done.
const Environment* next_leaf(Tree& tree, const Evaluations& net) {
  while (!tree.is_done()) {
    const Environment* const leaf = tree.descend();
    if (!leaf) continue;
    const Evaluations::Known* const known = net.find(*leaf);
    if (!known) return leaf;
    tree.expand(known->log_probabilities, static_cast<double>(known->value));
  }
  return nullptr;
}

}  // namespace

void search(std::span<Tree> trees, Evaluations& net, const Stop& stop) {
  while (!stop.stop_requested()) {
    std::vector<std::pair<Tree*, const Environment*>> waiting;
    std::vector<const Environment*> asked;
    std::unordered_set<std::string> fresh;
    for (Tree& tree : trees) {
      const Environment* const leaf = next_leaf(tree, net);
      if (!leaf) continue;
      waiting.emplace_back(&tree, leaf);
      if (fresh.insert(key_of(*leaf)).second) asked.push_back(leaf);
    }
    if (waiting.empty()) return;
    net.ask(asked);
    for (const auto& [tree, leaf] : waiting) {
      const Evaluations::Known& known = *net.find(*leaf);
      tree->expand(known.log_probabilities, static_cast<double>(known.value));
    }
  }
}

Side searching(const Adviser& adviser, State state, SearchOptions options,
               std::vector<Environment::Symmetry> symmetries) {
  const auto net = std::make_shared<Evaluations>(adviser, std::move(state), std::move(symmetries));
  return [net, options](Positions positions, std::span<const std::int64_t>) {
    std::vector<Tree> trees;
    for (const Environment* position : positions) trees.emplace_back(*position, options);
    search(trees, *net);
    std::vector<std::int64_t> actions;
    for (const Tree& tree : trees) actions.push_back(tree.best());
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
    double value_sum = 0;  // in [0, visits], for the player who chose the action
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

  /// A random child without visits, if there is one; otherwise the child with the highest mean + sqrt(2 ln N / n).
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

  /// The outcome for player 0 when both players continue at random.
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
                               const Side& first, const Side& second, const Stop& stop) {
  for (bool going = true; going && !stop.stop_requested();) {
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
  if (values_.size() > most) return 0;  // the game is too large, so the returned value has no meaning
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
