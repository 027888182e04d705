// thalweg play: a game against a trained system, or an episode of it to watch.

#include <unistd.h>

#include <chrono>
#include <iostream>
#include <nlohmann/json.hpp>
#include <thread>

#include "cli/checks.hpp"
#include "cli/command.hpp"
#include "cli/output.hpp"
#include "cli/signals.hpp"
#include "core/error.hpp"
#include "run/trained_system.hpp"

namespace thalweg::cli {

namespace {

struct PlayArguments {
  std::string run, side = {};
  std::uint64_t seed = 1;
};

std::string names_of(const Environment& at) {
  std::vector<std::string> names;
  for (const std::int64_t action : at.legal_actions()) names.push_back(at.action_name(action));
  return fmt::format("{}", fmt::join(names, " "));
}

std::string trimmed(const std::string& line) {
  const std::size_t begin = line.find_first_not_of(" \t\r");
  return begin == std::string::npos ? "" : line.substr(begin, line.find_last_not_of(" \t\r") - begin + 1);
}

/// Asks a person until a legal move is typed. Empty at the end of the input.
std::optional<std::int64_t> asked_move(const Environment& at) {
  const std::string legal = names_of(at);
  for (;;) {
    emit("your move ({}): ", legal);
    flush_output();
    std::string line;
    if (!std::getline(std::cin, line)) return std::nullopt;
    const std::string text = trimmed(line);
    if (text == "quit") return std::nullopt;
    for (std::int64_t action = 0; action < at.actions(); ++action) {
      if (at.action_name(action) != text) continue;
      if (at.legal(action)) return action;
      emit("{} is not possible now. Wanted: one of {}\n", text, legal);
    }
    bool known = false;
    for (std::int64_t action = 0; action < at.actions(); ++action) known = known || at.action_name(action) == text;
    if (!known)
      emit("{} is not a move of this game. Wanted: one of {}, or quit\n", text.empty() ? "An empty line" : shown(text),
           legal);
  }
}

int play_game(const PlayArguments& arguments, Playing& playing, const Context& context) {
  if (context.json) fail<UsageError>("[play] --json: a game with a person is played in text. Hint: leave it out.");
  Environment& game = *playing.environment;
  const int person = arguments.side == "second" ? 1 : 0;
  emit("{}: you move {}. A line with \"quit\", or the end of the input, ends it.\n\n", game.name(),
       person == 0 ? "first" : "second");
  while (!game.over()) {
    if (game.player() == person) {
      emit(game.drawing());
      const auto move = asked_move(game);
      if (!move) {
        emit("\nended after {} moves\n", game.steps());
        return 0;
      }
      game.step(*move);
    } else {
      const std::int64_t move = playing.act(game);
      emit("it moves {}\n\n", game.action_name(move));
      game.step(move);
    }
  }
  const double outcome = game.outcome(person);
  emit("{}{} after {} moves\n", game.drawing(),
       outcome > 0   ? "you win"
       : outcome < 0 ? "it wins"
                     : "a draw",
       game.steps());
  return 0;
}

/// Shows an episode: on a terminal every step, in one place; elsewhere only some of the steps.
int show_episode(Playing& playing, const Context& context) {
  using namespace std::chrono_literals;
  constexpr std::int64_t shown_every = 50;
  Environment& world = *playing.environment;
  const SignalWatch signals;
  const bool text = !context.json && !context.quiet, live = text && ::isatty(STDOUT_FILENO) == 1;
  const std::string first = world.drawing();
  const auto lines = std::ranges::count(first, '\n');
  if (text) emit(first);
  while (!world.over() && signals.received() == 0) {
    world.step(playing.act(world));
    if (live) {
      emit("\x1b[{}A\x1b[J{}", lines, world.drawing());
      flush_output();
      std::this_thread::sleep_for(20ms);
    } else if (text && (world.over() || world.steps() % shown_every == 0)) {
      emit("\n{}", world.drawing());
    }
  }
  if (context.json) {
    emit_line_of(nlohmann::ordered_json{
        {"steps", world.steps()}, {"return", world.outcome()}, {"over", world.over()}, {"cut", world.cut()}});
    return 0;
  }
  emit("{} steps, return {}{}\n", world.steps(), figure(world.outcome()),
       world.cut()    ? ": it could have continued"
       : world.over() ? ""
                      : ": stopped");
  return signals.received() != 0 ? 128 + signals.received() : 0;
}

int run(const PlayArguments& arguments, const Context& context) {
  const TrainedSystem trained = load_system(arguments.run, context.registry);
  if (!trained.system.play)
    fail<UsageError>("[play] {} does not play. Wanted: a run of a system that does: policy, self_play",
                     trained.choice.kind);
  Playing playing = trained.system.play(trained.state, arguments.seed);
  if (playing.environment->players() == 1 && !arguments.side.empty())
    fail<UsageError>("[play] --side {}: {} has no sides, you only watch it. Hint: leave it out.", arguments.side,
                     playing.environment->name());
  return playing.environment->players() == 2 ? play_game(arguments, playing, context) : show_episode(playing, context);
}

constexpr const char* examples = R"(Examples:
  thalweg play runs/connect_four                   you move first
  thalweg play runs/connect_four --side second
  thalweg play runs/cartpole --seed 3              watch an episode in which it acts)";

void set_up(CLI::App& command, Context& context) {
  auto arguments = std::make_shared<PlayArguments>();
  command.footer(examples);
  command.add_option("run", arguments->run, "Run folder, or model.safetensors")->required()->type_name("RUN");
  command.add_option("--side", arguments->side, "Whether you move first or second (first)")
      ->check(CLI::IsMember({"first", "second"}));
  command.add_option("--seed", arguments->seed, "Seed of its random numbers (1)")->check(in_range(not_negative));
  set_run(command, context, [arguments, &context] { return run(*arguments, context); });
}

}  // namespace

std::vector<CommandRow> play_commands() {
  return {{"play", "Play against a trained system, or watch it", CommandGroup::models, set_up}};
}

}  // namespace thalweg::cli
