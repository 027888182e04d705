// thalweg version.

#include <CLI/CLI.hpp>

#include "cli/command.hpp"
#include "cli/output.hpp"

namespace thalweg::cli {

namespace {

int run(const Context& context) {
  if (context.json) {
    emit("{{\"version\":\"{}\"}}\n", THALWEG_VERSION);
  } else {
    emit("thalweg {}\n", THALWEG_VERSION);
  }
  return 0;
}

void set_up(CLI::App& command, Context& context) {
  set_run(command, context, [&context] { return run(context); });
}

}  // namespace

std::vector<CommandRow> version_commands() {
  return {{"version", "Print the version", CommandGroup::reference, set_up}};
}

}  // namespace thalweg::cli
