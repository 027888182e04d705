// thalweg report

#include <CLI/CLI.hpp>

#include "cli/command.hpp"
#include "cli/looped.hpp"
#include "cli/opened_run.hpp"
#include "cli/outcome.hpp"
#include "cli/output.hpp"
#include "cli/texts.hpp"

namespace thalweg::cli {

namespace {

int run(const std::string& path, const Context& context) {
  if (const auto texts = text_run(path)) return report_texts(*texts, context);
  if (const LoopedRow* row = looped_run(path)) return report_looped(*row, path, context);
  std::vector<std::string> warnings;
  OpenedRun opened = open_run(path, Parameters::evaluated, context.registry, warnings);
  for (const std::string& warning : warnings) {
    if (!context.quiet) say("warning: {}\n", warning);
  }
  const RunFolder folder = RunFolder::open(path);
  report_again(opened.session, opened.config, opened.name, folder, opened.history, context);
  return 0;
}

constexpr const char* examples = R"(Examples:
  thalweg report runs/houses        measures and judges the run again, and writes its report.html

The data is read again and must be unchanged. A stopped run is measured with the parameters of its best epoch so far, if
it restores these, otherwise with those of its newest checkpoint. The verdict uses the steps in metrics.jsonl, which for
a long run are only some of its steps.)";

void set_up(CLI::App& command, Context& context) {
  auto path = std::make_shared<std::string>();
  command.footer(examples);
  command.add_option("run", *path, "Run folder")->required()->type_name("RUN");
  set_run(command, context, [path, &context] { return run(*path, context); });
}

}  // namespace

std::vector<CommandRow> report_commands() {
  return {{"report", "Write a run's report again", CommandGroup::models, set_up}};
}

}  // namespace thalweg::cli
