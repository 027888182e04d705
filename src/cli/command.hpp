#pragma once
// The parts of the command: each adds its subcommand, which runs when the arguments ask for it.

#include <functional>

#include "thalweg/registry.hpp"

namespace CLI {
class App;  // a header of ten thousand lines, which few files need
}

namespace thalweg::cli {

/// What every subcommand has.
struct Context {
  const Registry& registry;
  bool quiet = false, json = false;
  std::function<int()> run = {};  ///< the subcommand that was asked for; gives the exit code
};

void add_train(CLI::App& app, Context& context);
void add_evaluate(CLI::App& app, Context& context);
void add_predict(CLI::App& app, Context& context);
void add_generate(CLI::App& app, Context& context);
void add_inspect(CLI::App& app, Context& context);
void add_list(CLI::App& app, Context& context);
void add_lr(CLI::App& app, Context& context);
void add_minimize(CLI::App& app, Context& context);
void add_schedule(CLI::App& app, Context& context);
void add_version(CLI::App& app, Context& context);

/// --json and --quiet.
void add_output_flags(CLI::App& command, Context& context);

}  // namespace thalweg::cli
