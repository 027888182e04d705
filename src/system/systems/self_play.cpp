// Learns a game of two players by play against itself: a net with a policy and values guides a search, and learns from
// it.

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/error.hpp"
#include "system/row.hpp"
#include "system/search.hpp"
#include "thalweg/nn.hpp"
#include "thalweg/ops.hpp"

namespace thalweg {

namespace {

using acting::SearchOptions;
using acting::Side;
using acting::Tree;
using Worlds = std::vector<std::unique_ptr<Environment>>;

struct SelfPlayOptions {
  std::string environment = "tic_tac_toe";
  std::int64_t games = 64, simulations = 16, play_simulations = 0, considered = 16, rows = 2048, window = 16'384,
               passes = 1, random_moves = 4, sampled_moves = 6;
  double value_scale = 0.1, search_part = 0.5;
  std::int64_t look_ahead = 1, play_look_ahead = 0;
  std::int64_t filters = 32, blocks = 2, hidden = 64, trial_games = 20, trial_playouts = 50;
};

Fields fields(SelfPlayOptions& o) {
  return {
      {"environment", &o.environment, "the game: thalweg list environments"},
      {"games", &o.games, "games against itself in a collection, all at once", {.low = 1, .high = 65536}},
      {"simulations", &o.simulations, "simulations of the search before a move", {.low = 2, .high = 1'000'000}},
      {"play_simulations", &o.play_simulations,
       "the same for evaluation and for play against people; 0 is the same number", not_negative},
      {"considered",
       &o.considered,
       "the largest number of actions that the search compares at its root",
       {.low = 2, .high = 65536}},
      {"value_scale",
       &o.value_scale,
       "weight of the values in the search, relative to the policy",
       {.low = 1e-6, .high = 1e6}},
      {"look_ahead",
       &o.look_ahead,
       "actions beyond each move that are tried by the rules alone; fewer in a game with many actions, where more than "
       "4,096 positions would follow",
       {.low = 0, .high = 64}},
      {"play_look_ahead",
       &o.play_look_ahead,
       "the same for evaluation and for play against people; 0 is the same number",
       {.low = 0, .high = 64}},
      {"rows", &o.rows, "positions to train on after each collection", {.low = 1}},
      {"window", &o.window, "number of latest positions from which these are drawn", {.low = 1}},
      {"passes", &o.passes, "epochs on each collection", {.low = 1}},
      {"random_moves", &o.random_moves, "a game begins with 0 to this many random moves", {.low = 0, .high = 65536}},
      {"sampled_moves", &o.sampled_moves,
       "first moves of a game that are drawn by the search's policy; later ones are its best", not_negative},
      {"search_part", &o.search_part,
       "share of the search's value in the target of the values; the rest is the outcome of the game", unit_interval},
      {"filters", &o.filters, "filters of each convolution, for a board", {.low = 1}},
      {"blocks", &o.blocks, "residual blocks of two convolutions", not_negative},
      {"hidden", &o.hidden, "units of the dense layer after them", {.low = 1}},
      {"trial_games",
       &o.trial_games,
       "games against a plain search after each collection; 0 is none",
       {.low = 0, .high = 65536}},
      {"trial_playouts", &o.trial_playouts, "random games that the plain search plays before each move", {.low = 2}}};
}

constexpr const char* system_name = "self_play";
constexpr std::size_t small_game = 10'000;  // positions; for games up to this size perfect play is computed
constexpr std::int64_t openings = 100, opponent_playouts = 1000;
constexpr int opening_plies = 4;

/// Convolutions over a board, then a dense layer, and from there a policy and a value.
class GameNet {
 public:
  GameNet(const Environment& game, SelfPlayOptions options) : actions_(game.actions()), o_(std::move(options)) {}

  /// Log-probabilities (batch, actions), and values (batch) in (-1, 1) for the player whose turn it is.
  [[nodiscard]] std::pair<Var, Var> operator()(const Scope& s, const Batch& b) const {
    Var x = b["observation"];
    if (x.rank() == 4) x = board(s, x);
    const Var h = relu(nn::dense(s / "hidden", flatten(x), o_.hidden));
    const nn::DenseOptions small{.initializer = init::lecun_normal(0.1)};
    const Var logits = nn::dense(s / "policy", h, actions_, small), value = tanh(nn::dense(s / "value", h, 1, small));
    return {log_softmax(acting::masked(logits, b["legal"])), reshape(value, {b.rows()})};
  }

  /// (z - v)^2 - sum of pi log p: z is the outcome mixed with the search's value, pi the search's policy.
  [[nodiscard]] Loss loss(const Scope& s, const Batch& b) const {
    const auto [log_probabilities, value] = (*this)(s, b);
    const Var policy = -sum(b["policy"] * log_probabilities, -1), error = square(value - b["outcome"]);
    s.report("policy loss", policy);
    s.report("value loss", error);
    return Loss::of_samples(policy + error);
  }

 private:
  [[nodiscard]] Var board(const Scope& s, Var x) const {
    x = relu(nn::conv2d(s / "conv", x, {.filters = o_.filters}));
    for (std::int64_t i = 1; i <= o_.blocks; ++i) {
      const Scope block = s / ("block" + std::to_string(i));
      const Var inner = relu(nn::conv2d(block / "conv1", x, {.filters = o_.filters}));
      const nn::ConvOptions from_nothing{.filters = o_.filters, .initializer = init::zeros()};
      x = relu(x + nn::conv2d(block / "conv2", inner, from_nothing));
    }
    return x;
  }

  std::int64_t actions_;
  SelfPlayOptions o_;
};

/// Positions with the targets of the net, row by row.
struct Positions {
  std::vector<float> observations, legal, policies, outcomes;

  [[nodiscard]] std::size_t size() const { return outcomes.size(); }
  void add(const Positions& more) {
    const auto append = [](std::vector<float>& to, const std::vector<float>& from) {
      to.insert(to.end(), from.begin(), from.end());
    };
    append(observations, more.observations);
    append(legal, more.legal);
    append(policies, more.policies);
    append(outcomes, more.outcomes);
  }
};

class Player {
 public:
  Player(const SystemData& data, const SelfPlayOptions& options, const GameNet& net)
      : game_(acting::environment_named(data, system_name, options.environment, 2)),
        symmetries_(game_->symmetries()),
        o_(options),
        adviser_(acting::adviser_of(net, data.threads)) {}

  [[nodiscard]] const Environment& game() const { return *game_; }
  [[nodiscard]] const acting::Adviser& adviser() const { return adviser_; }
  [[nodiscard]] SearchOptions search_options() const {
    return {.simulations = o_.simulations,
            .considered = o_.considered,
            .value_scale = o_.value_scale,
            .look_ahead = o_.look_ahead};
  }
  [[nodiscard]] Side side(const State& state) const {
    SearchOptions options = search_options();
    if (o_.play_simulations > 0) options.simulations = o_.play_simulations;
    if (o_.play_look_ahead > 0) options.look_ahead = o_.play_look_ahead;
    return acting::searching(adviser_, state, options, symmetries_);
  }

  [[nodiscard]] Collection collect(const State& state, const CollectRequest& request) const;
  /// The rows as columns of a collection.
  [[nodiscard]] Dataset like() const {
    acting::expect_collection(system_name, o_.rows, static_cast<std::int64_t>(observation_size() + 2 * actions() + 1));
    Positions none;
    const auto rows = static_cast<std::size_t>(o_.rows);
    none.observations.resize(rows * observation_size());
    none.legal.assign(rows * actions(), 1.f);
    none.policies.assign(rows * actions(), 1.f / static_cast<float>(actions()));
    none.outcomes.resize(rows);
    return dataset(none);
  }

 private:
  [[nodiscard]] std::size_t observation_size() const {
    return static_cast<std::size_t>(game_->observation_shape().size());
  }
  [[nodiscard]] std::size_t actions() const { return static_cast<std::size_t>(game_->actions()); }
  [[nodiscard]] Dataset dataset(const Positions& positions) const;
  [[nodiscard]] Positions restored(const NamedTensors& kept) const;
  [[nodiscard]] NamedTensors kept(const Positions& window) const;
  struct Game;
  [[nodiscard]] Game begun(RandomKey key) const;
  void move(Game& game, const Tree& tree) const;
  void play(const State& state, RandomKey key, const Stop& stop, Positions& into, Metrics& metrics) const;
  [[nodiscard]] Positions drawn(const Positions& window, RandomKey key) const;
  [[nodiscard]] double trial(const State& state, RandomKey key, const Stop& stop) const;

  std::unique_ptr<Environment> game_;
  std::vector<Environment::Symmetry> symmetries_;
  SelfPlayOptions o_;
  acting::Adviser adviser_;
};

Dataset Player::dataset(const Positions& p) const {
  const auto rows = static_cast<std::int64_t>(p.size());
  Shape observations{rows};
  for (const std::int64_t size : game_->observation_shape()) observations.push_back(size);
  Dataset data;
  data.set("observation", Tensor::from(p.observations, observations));
  data.set("legal", Tensor::from(p.legal, {rows, game_->actions()}));
  data.set("policy", Tensor::from(p.policies, {rows, game_->actions()}));
  data.set("outcome", Tensor::from(p.outcomes, {rows}));
  return data;
}

NamedTensors Player::kept(const Positions& window) const { return dataset(window).columns(); }

Positions Player::restored(const NamedTensors& kept) const {
  Positions window;
  std::vector<float>* const places[] = {&window.observations, &window.legal, &window.policies, &window.outcomes};
  if (kept.size() != std::size(places)) fail<ModelError>("[self_play] the collection keeps {} columns", kept.size());
  for (std::size_t i = 0; i < kept.size(); ++i) {
    if (kept[i].second.dtype() != f32)
      fail<ModelError>("[self_play] the collection keeps '{}' as {}. Wanted: f32", kept[i].first,
                       kept[i].second.dtype());
    const auto values = kept[i].second.values<float>();
    places[i]->assign(values.begin(), values.end());
  }
  const std::size_t rows = window.size();
  if (window.observations.size() != rows * observation_size() || window.legal.size() != rows * actions() ||
      window.policies.size() != rows * actions())
    fail<ModelError>("[self_play] the collection keeps positions of another game");
  return window;
}

/// An unfinished game, and its recorded positions.
struct Player::Game {
  std::unique_ptr<Environment> world;
  Positions written = {};
  std::vector<float> searched = {};  // the value of each position, found by its search
  RandomKey key = {};
  std::optional<double> outcome = {};  // the outcome for player 0, once it is known

  [[nodiscard]] RandomKey of_move() const { return key.fold(static_cast<std::uint64_t>(world->steps())); }
};

/// A new game after some random moves that do not end it.
Player::Game Player::begun(RandomKey key) const {
  const RandomKey draws = key.fold("random moves");
  auto moves = static_cast<std::int64_t>(random_unit(draws, 0) * static_cast<double>(o_.random_moves + 1));
  Game game{.world = game_->copy(), .key = key.fold("moves")};
  for (std::uint64_t i = 1; moves > 0; ++i, --moves) {
    std::unique_ptr<Environment> after = game.world->copy();
    after->step(acting::any_action(*after, random_unit(draws, i)));
    if (after->over()) break;
    game.world = std::move(after);
  }
  return game;
}

/// Records a position and the results of its search, and moves. The game ends as soon as its outcome is known.
void Player::move(Game& game, const Tree& tree) const {
  const Environment* const at = game.world.get();
  const auto put = [](std::vector<float>& to, const Tensor& from) {
    const auto values = from.values<float>();
    to.insert(to.end(), values.begin(), values.end());
  };
  put(game.written.observations, acting::observations({&at, 1}, 1));
  put(game.written.legal, acting::legal_actions({&at, 1}, 1));
  for (const double part : tree.policy()) game.written.policies.push_back(static_cast<float>(part));
  const float sign = at->player() == 0 ? 1.f : -1.f;
  game.written.outcomes.push_back(sign);  // multiplied by the outcome for player 0, once that is known
  game.searched.push_back(static_cast<float>(tree.value()));
  if (tree.solved()) {
    game.outcome = static_cast<double>(sign) * tree.value();
    return;
  }
  game.world->step(tree.best());
  if (game.world->over()) game.outcome = game.world->outcome(0);
}

/// Plays games against itself, all move by move in parallel, and records their positions, game by game.
void Player::play(const State& state, RandomKey key, const Stop& stop, Positions& into, Metrics& metrics) const {
  std::vector<Game> games;
  for (std::int64_t i = 0; i < o_.games; ++i) games.push_back(begun(key.fold(static_cast<std::uint64_t>(i))));
  acting::Evaluations net(adviser_, state);
  for (;;) {
    std::vector<Game*> going;
    std::vector<Tree> trees;
    for (Game& game : games) {
      if (game.outcome) continue;
      going.push_back(&game);
      const bool draws = game.world->steps() < o_.sampled_moves;
      trees.emplace_back(*game.world, search_options(), draws ? std::optional(game.of_move()) : std::nullopt);
    }
    if (going.empty()) break;
    acting::search(trees, net, stop);
    if (stop.stop_requested()) return;
    for (std::size_t i = 0; i < going.size(); ++i) move(*going[i], trees[i]);
  }
  double moves = 0, first = 0;
  const auto part = static_cast<float>(o_.search_part);
  for (Game& game : games) {
    const auto ended = static_cast<float>(*game.outcome);
    for (std::size_t i = 0; i < game.searched.size(); ++i) {
      float& outcome = game.written.outcomes[i];
      outcome = (1 - part) * outcome * ended + part * game.searched[i];
    }
    into.add(game.written);
    moves += static_cast<double>(game.world->steps());
    first += (1 + *game.outcome) / 2;
  }
  const auto count = static_cast<double>(games.size());
  metrics.emplace_back("moves to a decision", moves / count);
  metrics.emplace_back("points of the first", first / count);
}

/// Random rows of the window, each transformed by a random symmetry of the game.
Positions Player::drawn(const Positions& window, RandomKey key) const {
  Positions rows;
  const auto ways = static_cast<double>(symmetries_.size() + 1), known = static_cast<double>(window.size());
  const RandomKey places = key.fold("places"), looks = key.fold("looks");
  for (std::uint64_t i = 0; i < static_cast<std::uint64_t>(o_.rows); ++i) {
    const auto row = static_cast<std::size_t>(random_unit(places, i) * known);
    const auto way = static_cast<std::size_t>(random_unit(looks, i) * ways);
    const Environment::Symmetry* const look = way == 0 ? nullptr : &symmetries_[way - 1];
    for (std::size_t k = 0; k < observation_size(); ++k) {
      const std::size_t from = look ? static_cast<std::size_t>(look->from[k]) : k;
      rows.observations.push_back(window.observations[row * observation_size() + from]);
    }
    for (std::size_t a = 0; a < actions(); ++a) {
      const std::size_t from = row * actions() + (look ? static_cast<std::size_t>(look->actions[a]) : a);
      rows.legal.push_back(window.legal[from]);
      rows.policies.push_back(window.policies[from]);
    }
    rows.outcomes.push_back(window.outcomes[row]);
  }
  return rows;
}

/// Plays half of the games from the start as the first player, half as the second.
Worlds fresh_games(const Environment& start, std::int64_t count, std::vector<bool>& swapped) {
  Worlds games;
  for (std::int64_t i = 0; i < count; ++i) {
    games.push_back(start.copy());
    swapped.push_back(i % 2 == 1);
  }
  return games;
}

double mean_of(const std::vector<double>& points) {
  return std::accumulate(points.begin(), points.end(), 0.0) / static_cast<double>(points.size());
}

/// The mean points per game against plain search.
double Player::trial(const State& state, RandomKey key, const Stop& stop) const {
  std::vector<bool> swapped;
  Worlds games = fresh_games(*game_, o_.trial_games, swapped);
  const Side own = acting::searching(adviser_, state, search_options());
  return mean_of(acting::play_games(games, swapped, own, acting::playing_out(o_.trial_playouts, key), stop));
}

Collection Player::collect(const State& state, const CollectRequest& request) const {
  const RandomKey key = RandomKey{request.seed}.fold(system_name).fold(static_cast<std::uint64_t>(request.number));
  Positions window;
  if (request.last) window = restored(request.last->kept);
  Metrics metrics;
  play(state, key.fold("games"), request.stop, window, metrics);
  if (request.stop.stop_requested()) return {};
  const auto most = static_cast<std::size_t>(o_.window);
  if (window.size() > most) {  // the oldest positions are removed
    const auto gone = static_cast<std::ptrdiff_t>(window.size() - most);
    const auto forget = [&](std::vector<float>& column, std::size_t width) {
      column.erase(column.begin(), column.begin() + gone * static_cast<std::ptrdiff_t>(width));
    };
    forget(window.observations, observation_size());
    forget(window.legal, actions());
    forget(window.policies, actions());
    forget(window.outcomes, 1);
  }
  if (o_.trial_games > 0)
    metrics.insert(metrics.begin(), {"points against plain search", trial(state, key.fold("trial"), request.stop)});
  return {dataset(drawn(window, key.fold("rows"))), kept(window), metrics};
}

// --- evaluation ---

/// Counts how games end, once for each sequence of moves.
struct Ends {
  double lost = 0, drawn = 0, won = 0;
  [[nodiscard]] Metrics metrics(const std::string& against) const {
    return {{"lost to " + against, lost}, {"drawn with " + against, drawn}, {"won against " + against, won}};
  }
};

/// All sequences of moves of a game in which one side moves by the search, and the other side makes every move that
/// `replies` returns.
Ends all_lines(const Environment& start, const Side& side,
               const std::function<std::vector<std::int64_t>(const Environment&)>& replies) {
  struct Line {
    std::unique_ptr<Environment> game;
    double count;
  };
  Ends ends;
  for (const int own : {0, 1}) {
    std::vector<Line> lines;
    lines.push_back({start.copy(), 1});
    while (!lines.empty()) {
      std::vector<const Environment*> seen;
      for (const Line& line : lines) seen.push_back(line.game.get());
      const bool to_move = seen.front()->player() == own;  // all unfinished games have the same length
      const std::vector<std::int64_t> numbers(seen.size());
      const std::vector<std::int64_t> chosen = to_move ? side(seen, numbers) : std::vector<std::int64_t>{};
      std::map<std::string, Line> next;
      for (std::size_t i = 0; i < lines.size(); ++i) {
        const std::vector<std::int64_t> actions = to_move ? std::vector{chosen[i]} : replies(*lines[i].game);
        for (const std::int64_t action : actions) {
          std::unique_ptr<Environment> after = lines[i].game->copy();
          after->step(action);
          const double count = lines[i].count, outcome = after->outcome(own);
          if (after->over()) {
            (outcome < 0 ? ends.lost : outcome > 0 ? ends.won : ends.drawn) += count;
          } else if (const auto [at, fresh] = next.try_emplace(acting::key_of(*after)); fresh) {
            at->second = {std::move(after), count};
          } else {
            at->second.count += count;
          }
        }
      }
      lines.clear();
      for (auto& [key, line] : next) lines.push_back(std::move(line));
    }
  }
  return ends;
}

Metrics against_perfect(const Environment& start, const acting::Solved& solved, const Side& side) {
  Metrics metrics =
      all_lines(start, side, [&](const Environment& at) { return solved.best_actions(at); }).metrics("perfect play");
  const Ends any = all_lines(start, side, [](const Environment& at) { return at.legal_actions(); });
  metrics.emplace_back("lost to any play", any.lost);
  return metrics;
}

/// Plays each opening from both sides against plain search: the points per game, and the fractions of games won and
/// drawn.
Metrics against_playouts(const Worlds& starts, const Side& side, RandomKey key, Medium* last) {
  Worlds games;
  std::vector<bool> swapped;
  for (const auto& start : starts) {
    for (const bool other : {false, true}) {
      games.push_back(start->copy());
      swapped.push_back(other);
    }
  }
  const std::vector<double> points =
      acting::play_games(games, swapped, side, acting::playing_out(opponent_playouts, key));
  if (last) *last = Medium::text(games.front()->drawing());
  return {{"points of a game", mean_of(points)},
          {"won", static_cast<double>(std::ranges::count(points, 1.0))},
          {"drawn", static_cast<double>(std::ranges::count(points, 0.5))}};
}

SystemFigures measured(const Player& player, const State& state, const State& before, std::uint64_t seed) {
  const Side side = player.side(state), fresh = player.side(before);
  if (const auto solved = acting::Solved::of(player.game(), small_game)) {
    return {.metrics = against_perfect(player.game(), *solved, side),
            .baselines = {{"untrained", against_perfect(player.game(), *solved, fresh)}},
            .on = "all lines, as the first and as the second"};
  }
  const RandomKey key = RandomKey{seed}.fold("evaluation");
  const Worlds starts = acting::random_openings(player.game(), openings, opening_plies, key.fold("openings"));
  Medium shown;
  SystemFigures figures{.metrics = against_playouts(starts, side, key, &shown),
                        .baselines = {{"untrained", against_playouts(starts, fresh, key, nullptr)}}};
  figures.media = {{"the end of the first game", shown}};
  figures.on = fmt::format("{} games: {} openings of {} plies from both sides, against {} playouts a move",
                           2 * starts.size(), starts.size(), opening_plies, opponent_playouts);
  return figures;
}

/// A game in which the search plays both sides, without noise.
Medium game_of_both(const Player& player, const State& state) {
  Worlds games;
  games.push_back(player.game().copy());
  const Side side = player.side(state);
  (void)acting::play_games(games, {false}, side, side);
  return Medium::text(games.front()->drawing());
}

System make_self_play(const SystemData& data, const SelfPlayOptions& options) {
  const GameNet net(*acting::environment_named(data, system_name, options.environment, 2), options);
  const auto player = std::make_shared<const Player>(data, options, net);
  const Objective loss = [net](const Scope& s, const Batch& b) { return net.loss(s, b); };
  const auto evaluate = [player, loss](const State& state, const SystemSets& sets) {
    player->adviser().expect_net_in(state, player->game());
    return measured(*player, state, acting::untrained(loss, player->like(), sets.seed), sets.seed);
  };
  const auto play = [player](const State& state, std::uint64_t seed) {
    player->adviser().expect_net_in(state, player->game());
    Playing playing{player->game().copy(), {}};
    playing.environment->reset(seed);
    playing.act = [player, state](const Environment& at) {
      const Environment* const one = &at;
      const std::int64_t number = 0;
      return player->side(state)({&one, 1}, {&number, 1}).front();
    };
    return playing;
  };
  return {.objectives = {{.loss = loss}},
          .show = [player](const State& state, const Dataset&) -> NamedMedia {
            return {{"a game against itself", game_of_both(*player, state)}};
          },
          .evaluate = evaluate,
          .own_rows =
              OwnRows{.like = player->like(),
                      .collect = [player](const State& state,
                                          const CollectRequest& request) { return player->collect(state, request); },
                      .passes = options.passes,
                      .unit = "positions",
                      .goal = options.trial_games > 0 ? "points against plain search" : ""},
          .play = play};
}

}  // namespace

std::vector<SystemRow> self_play_systems() {
  const OptionMap defaults = {
      {"optimizer", OptionMap{{"kind", "adamw"}, {"lr", 2e-3}, {"weight_decay", 1e-2}}},
      {"schedule", OptionMap{{"kind", "cosine"}, {"end", 0.1}}},
      {"train", OptionMap{{"epochs", 40}, {"batch_size", 128}, {"checkpoint_every", "1 epochs"}}}};
  return {system_row<SelfPlayOptions>(
      {.name = system_name,
       .summary =
           "a game of two, learned by play against itself: a net guides a search and learns from it (Gumbel AlphaZero)",
       .formula =
           "(z - v)^2 - sum of pi log p, where (p, v) = net(position), pi: the search's policy, softmax(log p + (50 "
           "+ max n) value_scale Q) of visits n and values Q, z: search_part of the search's value, the rest of "
           "how the game ended",
       .when = "games of two with open boards, from their rules alone",
       .source = "Silver et al. 2018; the search: Danihelka et al. 2022; known outcomes: Winands et al. 2008",
       .defaults = defaults},
      make_self_play)};
}

}  // namespace thalweg
