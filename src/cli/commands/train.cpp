// thalweg train

#include <filesystem>
#include <nlohmann/json.hpp>

#include "cli/budget.hpp"
#include "cli/checks.hpp"
#include "cli/device.hpp"
#include "cli/find_lr.hpp"
#include "cli/looped.hpp"
#include "cli/outcome.hpp"
#include "cli/output.hpp"
#include "cli/session.hpp"
#include "cli/sitting.hpp"
#include "cli/texts.hpp"
#include "cli/train.hpp"
#include "core/counted.hpp"
#include "core/error.hpp"
#include "core/hint.hpp"
#include "distributed/collectives.hpp"
#include "engine/factors.hpp"
#include "engine/norms.hpp"
#include "engine/row_table.hpp"
#include "engine/run_length.hpp"
#include "engine/trained.hpp"
#include "insight/run_watch.hpp"
#include "optim/asks.hpp"
#include "options/text.hpp"
#include "run/data_record.hpp"
#include "run/trained_part.hpp"
#include "store/atomic_file.hpp"
#include "store/checkpoint.hpp"
#include "train/baseline.hpp"
#include "train/evaluation.hpp"

namespace fs = std::filesystem;

namespace thalweg::cli {

namespace {

void say_notes(const Context& context, const DataSource& source) {
  if (context.quiet) return;
  if (!context.json) {
    for (const std::string& note : source.notes()) say("{}\n", note);
  }
  for (const std::string& warning : source.warnings()) say("warning: {}\n", warning);
}

void say_warnings(const Context& context, const std::vector<std::string>& warnings) {
  if (context.quiet) return;
  for (const std::string& warning : warnings) say("warning: {}\n", warning);
}

/// The folder of the run to resume: the given one, or the newest unfinished run of this name.
fs::path unfinished_folder(const TrainArguments& arguments, const NamedTree& named, const fs::path& wanted) {
  if (named.run_folder) return named.folder;
  if (!arguments.out.empty() && fs::exists(fs::path(arguments.out) / "config.toml")) return arguments.out;
  if (auto found = RunFolder::newest_unfinished(wanted)) return *found;
  fail<UsageError>("[resume] there is no unfinished run {}. Hint: without --resume a new one begins.", wanted.string());
}

/// Throws DataError if the data has changed since the run began.
void refuse_changed_data(const RunFolder& folder, const DataOptions& options, std::uint64_t seed) {
  const DataRecord before = DataRecord::read(folder.data());
  for (const auto& [key, files] : before.places) {
    const std::string change = change_at(key, before, options, seed);
    if (change.empty()) continue;
    fail<DataError>("[resume] since {} began, its data has changed: {}. Hint: without --resume a new run begins.",
                    folder.path().string(), change);
  }
}

/// If the configuration says lr = "auto", a resumed run keeps the rate that it found when it began.
RunFolder resume_folder(const fs::path& path, LoadedConfig& loaded, const Registry& registry) {
  if (RunFolder::finished(path)) {
    fail<UsageError>("[resume] {} has finished. Hint: without --resume a new run begins.", path.string());
  }
  RunFolder folder = RunFolder::open(path);
  const ConfigTree tree = read_toml(folder.config());
  const Config before = read_config(tree, read_data_options(tree, path), loaded.source.facts(), registry);
  refuse_changed_data(folder, before.data, before.seed);
  if (loaded.config.auto_lr) loaded.config.set_lr(before.make_optimizer(registry).lr, registry);
  if (const auto changed = differences(before, loaded.config); !changed.empty()) {
    fail<UsageError>(
        "[resume] the configuration is not that of {}: {}. Hint: the same options, or thalweg train {} "
        "--resume",
        path.string(), fmt::join(changed, "; "), shell_quoted(path.string()));
  }
  return folder;
}

/// The state from which a resumed run continues, in the given layout. Throws if there is none.
State resumed_state(const RunFolder& folder, const State& state, const std::string& fingerprint) {
  std::vector<std::string> damaged;
  if (auto found = newest_checkpoint(folder.checkpoints(), state, fingerprint, damaged)) return std::move(found->state);
  const std::string name = folder.path().string();
  for (std::string& why : damaged) why.resize(before_hint(why).size());
  if (!damaged.empty())
    fail<ModelError>("[resume] no checkpoint of {} is whole: {}. Hint: without --resume a new run begins.", name,
                     fmt::join(damaged, "; "));
  fail<UsageError>("[resume] {} was stopped before its first checkpoint. Hint: without --resume a new run begins.",
                   name);
}

/// Each fold is tested on its own rows, so test data that the user gave would not be used.
void refuse_test(const TrainArguments& arguments, const Config& config, const Context& context) {
  const auto names_test = [](const auto& option) { return option.first == "data.test"; };
  if (std::ranges::any_of(arguments.config.given, names_test))
    fail<UsageError>("[cv] --cv and --test: each fold is tested on the rows that it did not see. Wanted: one of them");
  if (reader_named(config.data.format).takes(config.data.test))
    say_warnings(context, {fmt::format("test = {} is not used: each fold is tested on the rows that it did not see",
                                       config.data.test.str())});
}

/// Gives all ranks the rate that rank 0 found. Returns the signal that ended its search, or 0.
int share_lr(Config& config, const Registry& registry, Communicator& ranks, int signal) {
  const bool found = ranks.rank() == 0 && signal == 0;
  const std::string lr = found ? fmt::format("{}", config.make_optimizer(registry).lr) : "";
  const std::string said = from_first(ranks, fmt::format("{} {}", signal, lr));
  const std::size_t space = said.find(' ');
  signal = static_cast<int>(*parse_number(said.substr(0, space)));
  if (signal == 0 && ranks.rank() != 0) config.set_lr(*parse_number(said.substr(space + 1)), registry);
  return signal;
}

/// The result of Trainer::fit: its history, or the signal that ended it.
struct Watched {
  History history;
  int signal = 0;
  std::string spent = {};   ///< why the budget guard stopped it; empty if it did not
  bool is_used_up = false;  ///< whether the reason is that the budget is used up
};

FitOptions options_of(const Session& session, const Config& config, const fs::path& checkpoints,
                      const TrainArguments& arguments, const Context& context) {
  FitOptions options = config.fit_options();
  options.validation_data = session.parts.validation;
  options.stop_after = arguments.stop_after;
  options.checkpoints = checkpoints;
  options.resume = arguments.resume;
  options.ranks = context.ranks;
  if (session.system && session.system->own_rows) {
    options.collect = session.system->own_rows->collect;
    options.passes = session.system->own_rows->passes;
  }
  return options;
}

/// The part of all ranks but rank 0, which writes the run folder.
int follow(Session& session, const Config& config, const fs::path& checkpoints, const TrainArguments& arguments,
           const Context& context) {
  const SignalWatch signals;
  FitOptions options = options_of(session, config, checkpoints, arguments, context);
  options.stop = [&] { return signals.received() != 0; };
  options.reports = 2;
  (void)session.trainer.fit(session.parts.train, options);
  return signals.received() != 0 ? 128 + signals.received() : 0;
}

/// The losses that a model of this session has to beat.
JudgeOptions constants_for(const Session& session, const Config& config, const Registry& registry) {
  if (session.system) return with_session({}, session);
  const auto constant = baselines_of(session.recipe.make_loss(registry), session.recipe.outputs, session.parts.train,
                                     false, config.train.threads);
  return with_session(constants_of(constant, session), session);
}

/// Prints how much of the optimizer's slots a rank holds.
void say_kept(const Communicator& ranks, const Context& context) {
  const auto& [whole, most] = ranks.kept();
  if (context.quiet || context.json || whole == 0) return;
  const double megabyte = 1 << 20;
  say("slots: {:.2f} MiB, at most {:.2f} on each of {}\n", static_cast<double>(whole) / megabyte,
      static_cast<double>(most) / megabyte, counted(ranks.size(), "ranks"));
}

/// The looks at a run during its training, set by `[insight]`, and the rows that they use.
struct Insight {
  Dataset rows;
  RunWatch watch;

  Insight(const Session& session, const Config& config, const FitOptions& options, const Registry& registry)
      : rows(counted_rows(session.parts.train)),
        watch(evaluation_of(session.recipe.make_model(registry, session.parts.augmentation),
                            session.recipe.make_loss(registry)),
              rows, options, {config.insight.every, config.insight.largest, config.insight.budget},
              config.train.threads) {}
};

/// Adds looks to the options, if the configuration asks for them. Each look is passed to `found`.
std::unique_ptr<Insight> add_insight(FitOptions& options, const Session& session, const Config& config,
                                     const Registry& registry, std::function<void(const Look&)> found) {
  if (config.insight.every.amount <= 0) return nullptr;
  auto insight = std::make_unique<Insight>(session, config, options, registry);
  options.on_step = [&watch = insight->watch, &trainer = session.trainer, found = std::move(found),
                     told = std::move(options.on_step)](const StepReport& step) {
    if (told) told(step);
    if (const auto look = watch.after(step, trainer.state())) found(*look);
  };
  return insight;
}

/// Warns of a warm-up that does not end before the run does: the rate never gets where it was set to.
void warn_of_warmup(const Session& session, const Config& config, const Context& context) {
  const auto given = config.schedule.options.find("warmup");
  if (given == config.schedule.options.end()) return;
  Duration warmup;
  read_fields({{"warmup", &warmup, ""}}, {*given}, "schedule");
  const RunLength length = run_length(config.fit_options(), session.parts.train.rows());
  if (warmup.steps(length.steps, length.steps_an_epoch) < length.steps) return;
  say_warnings(context, {fmt::format("[schedule] warmup = {} lasts until the run ends: the rate does not reach lr",
                                     warmup.str())});
}

/// Prepares the looks before the first step: gives them the initial state, which a resumed run reads from its folder,
/// and warns if no look will be due.
void begin_insight(Insight& insight, const Session& session, const Config& config, const RunFolder& folder,
                   bool resumes, const Context& context) {
  const State& state = session.trainer.state();
  if (resumes) {
    insight.watch.begin(resumed_state(folder, state, config.fingerprint()));
  } else {
    insight.watch.begin(state);
  }
  if (insight.watch.due() == 0)
    say_warnings(context, {fmt::format("[insight] every = {} is longer than the run: no look is due",
                                       config.insight.every.str())});
}

/// Prints how many looks were left out because of their time limit.
void say_left_out(const Insight* insight, const Config& config, const Context& context) {
  if (!insight || insight->watch.left_out() == 0 || context.quiet || context.json) return;
  say("looks: {} were left out, to take at most {} of the time\n", with_commas(insight->watch.left_out()),
      percent_text(config.insight.budget));
}

/// `done` are the steps of earlier sittings.
Watched fit(Session& session, const Config& config, const RunFolder& folder, std::int64_t done,
            const TrainArguments& arguments, const Context& context) {
  Sitting sitting(folder, progress_style(context.quiet, context.json),
                  config.train.steps > 0 ? 0 : config.train.epochs);
  if (done > 0) sitting.go_on_after(done);
  BudgetGuard budget(
      config.train, [&] { return sitting.logged(); }, [&] { return constants_for(session, config, context.registry); });
  bool spent = false;
  FitOptions options = options_of(session, config, folder.checkpoints(), arguments, context);
  options.on_step = [&](const StepReport& report) { spent = budget.spent(report, sitting.seconds()); };
  options.stop = [&] { return spent; };
  const auto insight =
      add_insight(options, session, config, context.registry, [&](const Look& look) { sitting.note(look); });
  options.late_reports = !insight;
  if (insight) begin_insight(*insight, session, config, folder, arguments.resume, context);
  options = sitting.watched(std::move(options), session.trainer.layers());
  if (session.system && session.system->show) {
    const Dataset& rows = session.parts.validation ? *session.parts.validation : session.parts.train;
    sitting.show([&] { return session.system->show(session.trainer.state(), rows); });
  }
  if (session.system && session.system->own_rows) sitting.watch(session.system->own_rows->goal);
  Watched watched;
  try {
    watched.history = session.trainer.fit(session.parts.train, options);
  } catch (const NumericError& error) {
    sitting.end();
    if (sitting.last_step() > 0) {
      const JudgeOptions failure{.failure = error.what(), .failed_step = sitting.last_step() + 1};
      emit_failure(session, config, folder, sitting.logged(), failure, context);
    }
    throw;
  }
  sitting.end();
  say_left_out(insight.get(), config, context);
  if (context.ranks) say_kept(*context.ranks, context);
  watched.signal = sitting.signal();
  watched.spent = budget.reason();
  watched.is_used_up = budget.is_used_up();
  say_warnings(context, watched.history.warnings);
  watched.history = sitting.whole(std::move(watched.history));
  return watched;
}

/// Prints where an interrupted run is saved, and how to resume it.
int say_stopped(const Watched& watched, const RunFolder& folder, const Session& session, const Context& context) {
  const std::int64_t step = session.trainer.state().step;
  const std::string command = fmt::format("thalweg train {} --resume{}", shell_quoted(folder.path().string()),
                                          watched.is_used_up ? " --set train.budget=" : "");
  if (context.json) {
    nlohmann::ordered_json line{{"run", as_utf8(folder.path().string())}, {"stopped_at", step}, {"resume", command}};
    if (!watched.spent.empty()) line["budget"] = watched.spent;
    emit_line_of(line);
  } else {
    if (!watched.spent.empty()) emit("budget      {}\n", watched.spent);
    emit("stopped at step {}; the checkpoint is in {}\nto go on: {}\n", with_commas(step),
         shown(folder.checkpoints().string()), command);
  }
  return watched.signal != 0 ? 128 + watched.signal : 0;
}

/// Prints how to continue a run whose device was lost, on that device or on this CPU.
void say_lost(const RunFolder& folder, const Context& context) {
  if (context.quiet || context.json) return;
  const bool has_any = newest_step(folder.checkpoints()).has_value();
  const std::string command = "thalweg train " + shell_quoted(folder.path().string());
  if (has_any) say("to go on from the last checkpoint: {} --resume, or on this CPU with --device cpu\n", command);
}

/// One line about what an optimizer stores in addition to its usual slots.
std::optional<std::string> memory_said(const Session& session, const Config& config, const Context& context) {
  const Optimizer optimizer = config.make_optimizer(context.registry);
  const Layout& layout = *session.trainer.state().layout;
  const Dataset& rows = session.parts.train;
  const Asks asks = asks_of(optimizer);
  if (!asks.per_row && (!asks.factors || session.system)) return std::nullopt;
  const std::int64_t count = asks.per_row ? counted_rows(rows).rows() : 0;
  if (session.system)
    return row_table_text(optimizer, row_table(count, stepped_part(optimizer, layout).trained_size, 0, layout.dtype));
  const ModelFunction model = session.recipe.make_model(context.registry, session.parts.augmentation);
  const EvaluationFunction function = evaluation_of(model, session.recipe.make_loss(context.registry));
  return asks.per_row ? row_table_text(optimizer, row_table_of(function, optimizer, layout, rows, count))
                      : factors_text(function, optimizer, layout, rows);
}

}  // namespace

int train_one(const TrainArguments& arguments, const NamedTree& named, LoadedConfig loaded, const Context& context) {
  say_notes(context, loaded.source);
  Parts parts = loaded.source.parts(loaded.config.seed);
  const fs::path wanted = arguments.out.empty() ? fs::path("runs") / loaded.name : fs::path(arguments.out);
  std::optional<RunFolder> resumed;
  const bool auto_lr = loaded.config.auto_lr;
  const bool writes = !context.ranks || context.ranks->rank() == 0;
  if (arguments.resume && writes)
    resumed.emplace(resume_folder(unfinished_folder(arguments, named, wanted), loaded, context.registry));
  const DeviceInUse device(loaded.config, context.ranks != nullptr);
  int signal = writes ? resolve_lr(loaded.config, loaded.source.facts(), parts, context) : 0;
  if (context.ranks && auto_lr) signal = share_lr(loaded.config, context.registry, *context.ranks, signal);
  if (signal != 0) return 128 + signal;
  loaded.source.forget();
  Config config = loaded.config;
  if (context.ranks && config.train.threads == 0) config.train.threads = threads_of_rank(*context.ranks);
  Session session = make_session(config, loaded.source.facts(), std::move(parts), context.registry);
  if (config.has_system() && !arguments.resume) {
    State state = session.trainer.state();
    load_part(context.registry.system(config.system.kind), config.system.options, session.parts.preprocessing, state);
    session.trainer.set_state(std::move(state));
  }
  if (!writes) return follow(session, config, from_first(*context.ranks, ""), arguments, context);
  if (!context.quiet && !context.json) {
    say("{}\n", describe(loaded.config, session));
    if (const std::string said = device.said(); !said.empty()) say("{}\n", said);
    if (const auto said = memory_said(session, config, context)) say("{}\n", *said);
  }
  say_warnings(context, session.parts.warnings);
  warn_of_warmup(session, config, context);
  const std::int64_t done =
      resumed ? resumed_state(*resumed, session.trainer.state(), loaded.config.fingerprint()).step : 0;
  RunFolder folder = resumed ? std::move(*resumed) : RunFolder::create(wanted);
  if (!arguments.resume) {
    write_atomically(folder.data(), record_of(loaded.source.options(), session.parts).json());
    if (!session.system) save_recipe(folder.recipe(), session.recipe);
  }
  write_atomically(folder.config(), loaded.config.toml());
  if (context.ranks) (void)from_first(*context.ranks, folder.checkpoints().string());
  Watched watched;
  try {
    watched = fit(session, loaded.config, folder, done, arguments, context);
  } catch (const Error& error) {
    // refused, or failed at the first step, so that there is nothing to keep
    if (!arguments.resume && session.trainer.state().step == 0)
      std::move(folder).discard();
    else if (error.kind() == ErrorKind::device)
      say_lost(folder, context);
    throw;
  }
  const StopReason reason = watched.history.reason;
  if (reason == StopReason::stop_requested || reason == StopReason::stop_after) {
    return say_stopped(watched, folder, session, context);
  }
  try {
    finish_run(session, loaded.config, loaded.name, folder, watched.history, context);
  } catch (const DeviceError&) {
    say_lost(folder, context);
    throw;
  }
  return 0;
}

namespace {

int dry_run(LoadedConfig loaded, const Context& context) {
  const DeviceInUse device(loaded.config);
  Session session =
      make_session(loaded.config, loaded.source.facts(), loaded.source.parts(loaded.config.seed), context.registry);
  const std::int64_t rows = loaded.config.train.batch_size.of(session.parts.train.rows());
  emit("{}\n{}", shown(describe(loaded.config, session), 2000),
       session.trainer.explain(session.parts.train.slice(0, rows), loaded.config.fit_options()));
  return 0;
}

int run_alone(const TrainArguments& arguments, const Context& context) {
  const NamedTree named = read_arguments(arguments.config, context.registry);
  if (context.ranks && (is_text_classifier(named.tree) || arguments.online)) {
    fail<UsageError>("[distributed] texts are trained by one process. Hint: start it without a launcher.");
  }
  if (is_text_classifier(named.tree)) return train_texts(arguments, named, context);
  if (const LoopedRow* row = looped_row(named.tree)) {
    if (context.ranks)
      fail<UsageError>("[distributed] {} are trained by one process. Hint: start it without a launcher.", row->kind);
    return train_looped(*row, arguments, named, context);
  }
  if (arguments.online) fail<UsageError>("[train] --online is for texts. Hint: format = \"texts\" in [data].");
  const bool asks = arguments.print_config || arguments.dry_run || arguments.folds > 0;
  if (!named.variants.empty() && !asks && !context.ranks) return train_variants(arguments, named, context);
  if (context.ranks && (asks || !named.variants.empty())) {
    fail<UsageError>("[distributed] {} ranks share one training. Hint: {}", context.ranks->size(),
                     asks ? "start it without a launcher." : "--variant NAME trains one of the variants.");
  }
  LoadedConfig loaded = load(named, context.registry);
  if (arguments.print_config) {
    emit(loaded.config.toml());
    return 0;
  }
  if (arguments.dry_run && arguments.folds > 0)
    fail<UsageError>("[cv] --dry-run plans a single training. Wanted: --cv or --dry-run");
  if (arguments.dry_run || arguments.folds > 0) say_notes(context, loaded.source);
  if (arguments.folds > 0) {
    if (arguments.resume || arguments.stop_after > 0)
      fail<UsageError>("[cv] its trainings leave no checkpoints: --resume and --stop-after are for a single training");
    refuse_system(loaded.config, "cv");
    refuse_watching(loaded.config, "cv");
    refuse_test(arguments, loaded.config, context);
    const fs::path out = arguments.out.empty() ? fs::path("runs") / (loaded.name + "-cv") : fs::path(arguments.out);
    return cross_validate(loaded, arguments.folds, out, context);
  }
  if (arguments.dry_run) return dry_run(std::move(loaded), context);
  return train_one(arguments, named, std::move(loaded), context);
}

int run(const TrainArguments& arguments, const Context& context) {
  return over_ranks(arguments.ranks, context, [&](const Context& own) { return run_alone(arguments, own); });
}

constexpr const char* examples = R"(Examples:
  thalweg train houses.csv --target medv --drop b
  thalweg train houses.csv --target medv --type rad=category --cv 5
  thalweg train fashion.toml --lr 3e-3 --set model.hidden=[512,256]
  thalweg train fashion.toml --resume      continues exactly where it was stopped
  mpirun -n 4 thalweg train gpt.toml       four processes share each batch; the same bits as one

A run leaves a folder: the configuration in full, metrics.jsonl, model.safetensors, checkpoints/ and report.html.)";

void set_up(CLI::App& command, Context& context) {
  auto arguments = std::make_shared<TrainArguments>();
  command.footer(examples);
  add_config_arguments(command, arguments->config);
  command.add_option("--out", arguments->out, "Run folder (runs/NAME)");
  command.add_flag("--online", arguments->online,
                   "Read each text once, from a file or standard input, and predict it before learning it");
  command.add_flag("--resume", arguments->resume, "Go on with the newest unfinished run");
  command
      .add_option("--stop-after", arguments->stop_after,
                  "Stop after this step; the schedule is still that of the whole run")
      ->check(in_range({.low = 1}));
  command.add_option("--cv", arguments->folds, "Cross-validate with this many folds")->check(CLI::Range(2, 1'000'000));
  add_rank_options(command, arguments->ranks);
  command.add_flag("--print-config", arguments->print_config, "Print the configuration in full and stop");
  command.add_flag("--dry-run", arguments->dry_run, "Read the data, plan a step, print the plan and stop");
  set_run(command, context, [arguments, &context] { return run(*arguments, context); });
}

}  // namespace

std::vector<CommandRow> train_commands() {
  return {{"train", "Train a model on a table or by a configuration", CommandGroup::training, set_up}};
}

}  // namespace thalweg::cli
