#include "thalweg/command.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>
#include <span>

#include "cli/checks.hpp"
#include "cli/command.hpp"
#include "cli/commands_parts.hpp"
#include "cli/output.hpp"
#include "core/error.hpp"
#include "core/file_error.hpp"
#include "options/rows.hpp"

namespace thalweg {

namespace cli {

void set_run(CLI::App& command, Context& context, std::function<int()> run) {
  command.callback([run = std::move(run), &context] { context.run = run; });
}

namespace {

constexpr const char* examples = R"(Examples:
  thalweg train houses.csv --target medv         a table and the column to predict; all else has defaults
  thalweg train fashion.toml --lr 3e-3           a configuration; any key of it can be overridden
  thalweg lr fashion.toml                        a learning rate for it: the curve, suggestions, and why
  thalweg evaluate runs/houses --data new.csv    a trained model on other data
  thalweg predict runs/houses < in.csv > out.csv
  thalweg minimize rosenbrock                    a method on a classic problem, or on any formula
  thalweg generate runs/gpt --prompt "The whale" text, from a model of text
  thalweg list optimizers                        every optimizer, with formula, defaults and source

`thalweg COMMAND --help` explains a command. Exit codes: 0 done, 1 a defect of thalweg, 2 usage or configuration,
3 data, 4 model file, 5 numbers that are not finite, 6 input or output, 7 memory, 8 a lost rank, 9 a lost GPU, 130
and 143 interrupted.)";

std::string title(CommandGroup group) {
  switch (group) {
    case CommandGroup::training: return "Training";
    case CommandGroup::models: return "Trained models";
    case CommandGroup::methods: return "Methods";
    case CommandGroup::reference: return "Reference";
  }
  return "";
}

/// Lists the commands, group by group.
std::vector<CommandRow> rows() {
  std::vector<CommandRow> all = joined(commands_parts);
  std::ranges::stable_sort(all, {}, &CommandRow::group);
  return all;
}

/// Arguments are defined only for commands that occur among the words: defining those of all commands would take most
/// of the time of a short call.
void set_up(CLI::App& app, std::span<const char* const> words, Context& context) {
  app.footer(examples);
  app.require_subcommand(1);
  app.set_version_flag("--version", "thalweg " THALWEG_VERSION, "Print the version");
  app.get_formatter()->column_width(34);
  app.get_formatter()->label("SUBCOMMAND", "COMMAND");
  app.get_formatter()->label("OPTIONS", "OPTION...");
  for (const CommandRow& row : rows()) {
    CLI::App& command = *app.add_subcommand(row.name, row.summary)->group(title(row.group));
    if (std::ranges::find(words, row.name) == words.end()) continue;
    row.set_up(command, context);
    command.add_flag("--json", context.json, "Results as JSON, for machines");
    command.add_flag("-q,--quiet", context.quiet, "No progress, no notes");
  }
}

const CLI::App& chosen(const CLI::App& app) {
  const auto subcommands = app.get_subcommands();
  return subcommands.empty() ? app : *subcommands.front();
}

/// The names that a mistyped word may stand for.
std::vector<std::string> names_in(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  }
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) {
    names.push_back(command->get_name());
  }
  return names;
}

/// A suggestion for the first word that the parser did not accept.
std::string nearest_to_mistake(const CLI::App& command) {
  for (const std::string& word : command.remaining(true)) {
    if (word.starts_with("--device") && command.get_parent() != nullptr)
      return fmt::format("thalweg {} computes on this CPU alone", command.get_name());
    const std::string near = nearest_name(word.substr(0, word.find('=')), names_in(command));
    if (!near.empty() && near != word) return fmt::format("did you mean {}?", near);
  }
  return "";
}

[[noreturn]] void fail_usage(const CLI::App& app, const CLI::ParseError& error) {
  const CLI::App& command = chosen(app);
  std::string message = error.what();
  std::replace(message.begin(), message.end(), '\n', ' ');
  const std::string near = nearest_to_mistake(command);
  const std::string name = &command == &app ? "thalweg" : "thalweg " + command.get_name();
  fail<UsageError>("{}. Hint: {}", message, near.empty() ? name + " --help" : near);
}

/// Refuses empty values, which come from shell variables that are not set: `--data "$FILE"`. If an empty value counted
/// as "not given", the command would do something other than the user wanted. A prompt and a name may be empty.
void refuse_empty_options(const CLI::App& command) {
  for (const CLI::Option* option : command.get_options()) {
    const std::string name = option->get_name();
    if (option->get_positional() || name == "--prompt" || name == "--user") continue;
    if (std::ranges::find(option->results(), "") != option->results().end())
      fail<UsageError>("{}: an empty text. Hint: thalweg {} --help", name, command.get_name());
  }
}

int parse_and_run(int argc, const char* const* argv, const Registry& registry) {
  CLI::App app("Trains models by gradient descent.", "thalweg");
  Context context{registry};
  set_up(app, {argv, static_cast<std::size_t>(argc)}, context);
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    emit(chosen(app).help(&chosen(app) == &app ? "" : "thalweg"));
    return 0;
  } catch (const CLI::CallForVersion&) {
    emit("{}\n", app.version());
    return 0;
  } catch (const CLI::CallForAllHelp&) {
    emit(app.help("", CLI::AppFormatMode::All));
    return 0;
  } catch (const CLI::ParseError& error) {
    fail_usage(app, error);
  }
  refuse_empty_options(chosen(app));
  expect_whole_numbers(chosen(app));
  return context.run();
}

int report(int code, std::string_view message) {
  say("thalweg: {}\n", message);  // on one line, cut to 2000 bytes
  return code;
}

}  // namespace

int guarded(const std::function<int(int code, std::string_view message)>& report, const std::function<int()>& work) {
  try {
    return work();
  } catch (const Error& error) {
    return report(error.exit_code(), error.what());
  } catch (const std::bad_alloc&) {
    return report(static_cast<int>(ErrorKind::memory), "[memory] there is not enough memory");
  } catch (const std::filesystem::filesystem_error& error) {
    return report(static_cast<int>(ErrorKind::io), message_of(error));
  } catch (const std::exception& error) {
    return report(static_cast<int>(ErrorKind::internal),
                  fmt::format("internal: {}. Please report this.", error.what()));
  }
}

}  // namespace cli

int command(int argc, const char* const* argv, const Registry& registry) {
  return cli::guarded(cli::report, [&] {
    cli::secure_streams();
    const int code = cli::parse_and_run(argc, argv, registry);
    cli::flush_output();
    return code;
  });
}

}  // namespace thalweg
