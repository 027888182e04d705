#pragma once
// The table of commands: `thalweg NAME` runs the row of that name.

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "thalweg/registry.hpp"

namespace CLI {
class App;  // a header of ten thousand lines, which few files need
}

namespace thalweg {
class Communicator;
}

namespace thalweg::cli {

/// What every command has.
struct Context {
  const Registry& registry;
  bool quiet = false, json = false;
  std::function<int()> run = {};             ///< the command that was asked for; gives the exit code
  std::shared_ptr<Communicator> ranks = {};  ///< the processes that share the work, where there are several
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

/// Runs `work`, which gives the exit code; an error that it throws is reported with the code of its kind.
int guarded(const std::function<int(int code, std::string_view message)>& report, const std::function<int()>& work);

}  // namespace thalweg::cli
