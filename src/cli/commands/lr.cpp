// thalweg lr, and `optimizer.lr = "auto"`: finds a learning rate.

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <stop_token>

#include "cli/device.hpp"
#include "cli/find_lr.hpp"
#include "cli/output.hpp"
#include "cli/session.hpp"
#include "cli/signals.hpp"
#include "core/counted.hpp"
#include "core/error.hpp"
#include "plot/plot.hpp"
#include "store/atomic_file.hpp"

namespace thalweg::cli {

namespace {

using Json = nlohmann::ordered_json;

std::string trial_text(const LrTrial& trial) {
  return std::isfinite(trial.loss) ? fmt::format("loss {}", figure(trial.loss)) : "diverged";
}

}  // namespace

FoundLr find_lr_for(const Config& config, const DataFacts& facts, const Parts& parts, FindLrOptions options,
                    const Registry& registry) {
  refuse_system(config, "lr");
  const Recipe recipe = make_recipe(config, facts, parts, registry);
  const SignalWatch signals;
  std::stop_source stop;
  options.stop = stop.get_token();
  options.threads = config.train.threads;
  FitOptions run = config.fit_options();
  run.validation_data = parts.validation;
  run.on_step = [&](const StepReport&) {
    if (signals.received() != 0) stop.request_stop();
  };
  LrFinding finding = find_lr(recipe.make_model(registry, parts.augmentation), recipe.make_loss(registry),
                              config.make_optimizer(registry), parts.train, run, options);
  return {std::move(finding), signals.received()};
}

std::string cost_text(const LrFinding& finding, std::string_view rows) {
  return fmt::format("{}, {}, {}", counted(finding.steps, "steps"), counted(finding.samples, rows),
                     duration_text(finding.seconds));
}

int resolve_lr(Config& config, const DataFacts& facts, const Parts& parts, const Context& context) {
  if (!config.auto_lr) return 0;
  FindLrOptions options;
  const bool talk = !context.quiet && !context.json;
  if (talk) {
    say("lr = \"auto\": looking for the learning rate\n");
    options.on_trial = [](const LrTrial& trial) { say("  lr {:<8.2g} {}\n", trial.lr, trial_text(trial)); };
  }
  const auto [finding, signal] = find_lr_for(config, facts, parts, options, context.registry);
  if (signal != 0) return signal;
  config.set_lr(finding.lr(), context.registry);
  const std::string found =
      fmt::format("lr = {:g}, found in {}", finding.lr(), cost_text(finding, rows_name(parts.preprocessing)));
  if (talk) say("{}\n", found);
  return 0;
}

namespace {

struct LrArguments {
  ConfigArguments config;
  FindLrOptions find;
  std::string trial = FindLrOptions{}.trial.str(), svg;
  bool csv = false;
};

/// The curve without its end, where the loss is so much higher that everything else would look flat.
Series drawn(const LrFinding& finding) {
  Series series{"smoothed loss", {}, {}};
  const auto lowest = std::ranges::min_element(finding.curve, {}, &LrPoint::smoothed)->smoothed;
  const double first = finding.curve.front().smoothed, most = first + 0.3 * (first - lowest) + 0.05 * std::abs(first);
  for (const LrPoint& point : finding.curve) {
    series.x.push_back(point.lr);
    series.y.push_back(point.smoothed <= most ? point.smoothed : std::numeric_limits<double>::quiet_NaN());
  }
  return series;
}

Series drawn_trials(const LrFinding& finding) {
  Series series{fmt::format("loss after {} at this rate", counted(finding.trial_steps, "steps")), {}, {}};
  for (const LrTrial& trial : finding.trials) {
    series.x.push_back(trial.lr);
    series.y.push_back(trial.loss);
  }
  return series;
}

PlotOptions plot_of(const LrFinding& finding, const std::string& name) {
  PlotOptions plot{.title = "range test of " + name, .x_label = "lr", .y_label = "loss", .log_x = true};
  for (const LrSuggestion& suggestion : finding.suggestions) plot.marks.push_back({suggestion.lr, suggestion.name});
  return plot;
}

void emit_csv(const LrFinding& finding) {
  emit("step,lr,loss,smoothed\n");
  for (const LrPoint& p : finding.curve) emit("{},{},{},{}\n", p.step, p.lr, p.loss, p.smoothed);
}

void emit_json(const LrFinding& finding) {
  Json result{{"lr", finding.lr()}, {"diverged", finding.diverged}};
  for (const LrSuggestion& s : finding.suggestions) {
    result["suggestions"].push_back(
        {{"name", s.name}, {"lr", s.lr}, {"confidence", s.confidence}, {"reason", s.reason}});
  }
  result["trials"] = Json::array();
  for (const LrTrial& trial : finding.trials) result["trials"].push_back({{"lr", trial.lr}, {"loss", trial.loss}});
  result["trial_steps"] = finding.trial_steps;
  for (const LrPoint& p : finding.curve) {
    result["curve"].push_back({{"step", p.step}, {"lr", p.lr}, {"loss", p.loss}, {"smoothed", p.smoothed}});
  }
  result["steps"] = finding.steps;
  result["samples"] = finding.samples;
  result["seconds"] = finding.seconds;
  emit_line_of(result);
}

/// The command that trains with this rate and with the options of the search, ready to paste into a shell.
std::string train_command(const ConfigArguments& given, double lr) {
  std::string command = fmt::format("thalweg train {} --lr {:g}", shell_quoted(given.source), lr);
  for (const auto& [key, value] : given.given) {
    if (key != "optimizer.lr") command += " --set " + shell_word(key + "=" + value.str());
  }
  for (const std::string& set : given.sets) command += " --set " + shell_word(set);
  for (const std::string& type : given.types)  // the name of a column may begin with a dash
    command += " " + shell_word("--type=" + type);
  if (!given.variant.empty()) command += " " + shell_word("--variant=" + given.variant);
  return command;
}

void emit_text(const LrFinding& finding, const LoadedConfig& loaded, const LrArguments& arguments,
               std::string_view rows) {
  const Series curve = drawn(finding);
  PlotOptions plot = plot_of(finding, loaded.name);
  plot.marks = {{finding.lr()}};
  emit("{}\n", line_plot_text(plot, {&curve, 1}));
  for (const LrTrial& trial : finding.trials) {
    emit("{:<12} {:<8.2g} {}{}\n", "tried", trial.lr, trial_text(trial), trial.lr == finding.lr() ? "  <- lowest" : "");
  }
  for (const LrSuggestion& s : finding.suggestions) {
    emit("{:<12} {:<8.2g} {:3.0f} %  {}\n", s.name, s.lr, 100 * s.confidence, s.reason);
  }
  if (finding.diverged) {
    emit("{:<12} the sweep ended at {:.2g}, in step {} of {}\n", "diverged", finding.curve.back().lr,
         finding.curve.back().step, arguments.find.steps);
  }
  emit("{:<12} {}\n", "cost", cost_text(finding, rows));
  emit("{:<12} {}\n", "next", train_command(arguments.config, finding.lr()));
}

int run(LrArguments arguments, const Context& context) {
  arguments.find.trial = Duration(arguments.trial);
  NamedTree named = read_arguments(arguments.config, context.registry);
  const OptionValue* kind = named.tree.find("optimizer.kind");
  if (const auto* method = kind ? kind->get_if<std::string>() : nullptr;
      method && context.registry.optimizer(*method).owns_steps)
    fail<UsageError>("[lr] {} takes no rate: it finds the length of each step itself.", *method);
  named.tree.set("optimizer.lr", OptionValue{"auto"});  // the rate of the configuration is not used
  const LoadedConfig loaded = load(named, context.registry);
  refuse_watching(loaded.config, "lr");
  const DeviceInUse device(loaded.config);
  const Parts parts = loaded.source.parts(loaded.config.seed);
  const bool text = !arguments.csv && !context.json;
  if (text && !context.quiet) {
    arguments.find.on_trial = [](const LrTrial& trial) { say("lr {:<8.2g} {}\n", trial.lr, trial_text(trial)); };
  }
  const auto [finding, signal] =
      find_lr_for(loaded.config, loaded.source.facts(), parts, arguments.find, context.registry);
  if (signal != 0) return 128 + signal;
  if (!arguments.svg.empty()) {
    const Series both[] = {drawn(finding), drawn_trials(finding)};
    write_output(arguments.svg, line_plot_svg(plot_of(finding, loaded.name),
                                              std::span(both).first(finding.trials.size() > 1 ? 2 : 1)));
    if (!context.quiet) say("the drawing is in {}\n", arguments.svg);
  }
  if (context.json) {
    emit_json(finding);
  } else if (arguments.csv) {
    emit_csv(finding);
  } else {
    emit_text(finding, loaded, arguments, rows_name(parts.preprocessing));
  }
  return 0;
}

constexpr const char* footer = R"(Examples:
  thalweg lr houses.csv --target medv
  thalweg lr fashion.toml --optimizer sgd --svg rates.svg
  thalweg train fashion.toml --lr auto     finds the rate, then trains with it

The rate grows from --start to --end over --steps steps, or until the loss diverges. A few rates near those that this
curve suggests are tried in short trainings, with the run's schedule compressed into a part of its steps. No run is
made or changed.)";

void set_up(CLI::App& command, Context& context) {
  auto arguments = std::make_shared<LrArguments>();
  FindLrOptions& find = arguments->find;
  command.footer(footer);
  add_config_arguments(command, arguments->config);
  const char* group = "Search";
  command.add_option("--start", find.start, "Rate at which the sweep begins (1e-6)")->group(group);
  command.add_option("--end", find.end, "Rate at which it ends (10)")->group(group);
  command.add_option("--steps", find.steps, "Steps of the sweep (100)")->group(group);
  command.add_option("--smoothing", find.smoothing, "Decay of the running mean of the losses (0.9)")->group(group);
  command.add_option("--trials", find.trials, "Rates to try at most; 0: the curve decides (7)")->group(group);
  command.add_option("--trial", arguments->trial, "Length of a trial, as a part of the run (10%)")->group(group);
  command.add_flag("--csv", arguments->csv, "The curve, as CSV");
  command.add_option("--svg", arguments->svg, "Draw it to a file")->type_name("FILE");
  set_run(command, context, [arguments, &context] { return run(*arguments, context); });
}

}  // namespace

std::vector<CommandRow> lr_commands() {
  return {
      {"lr", "Find a learning rate: a range test, and short trainings that decide", CommandGroup::training, set_up}};
}

}  // namespace thalweg::cli
