#pragma once
// The table of commands: `thalweg NAME` runs the row of that name.

#include <functional>
#include <string>
#include <vector>

#include "thalweg/registry.hpp"

namespace CLI {
class App;  // a header of ten thousand lines, which few files need
}

namespace thalweg::cli {

/// What every command has.
struct Context {
  const Registry& registry;
  bool quiet = false, json = false;
  std::function<int()> run = {};  ///< the command that was asked for; gives the exit code
};

/// The headings under which the help lists the commands, in their order.
enum class CommandGroup { training, models, methods, reference };

/// A row of the table of commands.
struct CommandRow {
  std::string name, summary;
  CommandGroup group;
  void (*set_up)(CLI::App& command, Context& context);  ///< its options, and set_run
};

/// What the command does where it is the one asked for.
void set_run(CLI::App& command, Context& context, std::function<int()> run);

}  // namespace thalweg::cli
