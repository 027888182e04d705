#pragma once
// The table of commands: `thalweg NAME` runs the row of that name.

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "thalweg/registry.hpp"

namespace CLI {
class App;  // not included here: a header of ten thousand lines that few files need
}

namespace thalweg {
class Communicator;
}

namespace thalweg::cli {

/// The common arguments of all commands.
struct Context {
  const Registry& registry;
  bool quiet = false, json = false;
  std::function<int()> run = {};             ///< the command on the command line; returns the exit code
  std::shared_ptr<Communicator> ranks = {};  ///< the processes that share the work; empty if there is only one
};

/// The headings under which the help lists the commands, in their order.
enum class CommandGroup { training, models, methods, reference };

/// A row of the table of commands.
struct CommandRow {
  std::string name, summary;
  CommandGroup group;
  void (*set_up)(CLI::App& command, Context& context);  ///< adds its options, and calls set_run
};

/// Sets what the command does when it is the one on the command line.
void set_run(CLI::App& command, Context& context, std::function<int()> run);

/// Runs `work` and returns its exit code. An error that it throws is reported, and gives the exit code of its kind.
int guarded(const std::function<int(int code, std::string_view message)>& report, const std::function<int()>& work);

}  // namespace thalweg::cli
