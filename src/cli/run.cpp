// Run: the services of the command around a training (folder, progress, resume, report), for any program.

#include "thalweg/run.hpp"

#include <CLI/CLI.hpp>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>
#include <sstream>

#include "cli/assignment.hpp"
#include "cli/checks.hpp"
#include "cli/output.hpp"
#include "cli/sitting.hpp"
#include "core/counted.hpp"
#include "core/error.hpp"
#include "core/workers.hpp"
#include "engine/objective_names.hpp"
#include "insight/verdict.hpp"
#include "options/differences.hpp"
#include "report/report.hpp"
#include "store/atomic_file.hpp"
#include "store/checkpoint.hpp"
#include "tiles/micro_ops.hpp"

namespace fs = std::filesystem;

namespace thalweg {

using namespace cli;

namespace {

struct RunArguments {
  std::string out;
  std::vector<std::string> sets;
  bool resume = false, quiet = false, json = false;
  std::int64_t stop_after = 0;

  RunArguments(int argc, const char* const* argv) {
    CLI::App app;
    app.set_help_flag();
    app.add_option("--out", out);
    app.add_option("--set", sets)->allow_extra_args(false);
    app.add_option("--stop-after", stop_after)->check(CLI::Range(std::int64_t{1}, std::int64_t{1} << 62));
    app.add_flag("--resume", resume);
    app.add_flag("--quiet", quiet);
    app.add_flag("--json", json);
    try {
      if (argc > 0) app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
      fail<UsageError>("[run] {}. Hint: --out FOLDER, --resume, --stop-after N, --set KEY=VALUE, --quiet, --json",
                       error.what());
    }
    expect_whole_numbers(app);
  }
};

RunFolder folder_for(const fs::path& wanted, bool resume) {
  if (!resume) return RunFolder::create(wanted);
  if (const auto found = RunFolder::newest_unfinished(wanted)) return RunFolder::open(*found);
  fail<UsageError>("[resume] there is no unfinished run {}. Hint: without --resume a new one begins.", wanted.string());
}

FlatOptions flat(const OptionMap& options) {
  FlatOptions result;
  for (const auto& [key, value] : options) result[key] = value.str();
  return result;
}

/// The error that ended a run, and the number of steps before it.
struct Failure {
  std::string what;
  std::int64_t steps = 0;
};

/// The figures of a loop in its first and last step. Their meaning is not known, so they are not judged.
std::vector<Evidence> figures_of(const History& history) {
  std::vector<Evidence> evidence;
  if (history.epochs.empty()) return evidence;
  const Metrics &first = history.epochs.front().metrics, &last = history.epochs.back().metrics;
  for (const auto& [name, value] : last) {
    const auto before = std::ranges::find(first, name, &Metrics::value_type::first);
    if (before == first.end()) continue;
    evidence.push_back({name, value,
                        fmt::format("{} was {} in the first step and {} in the last.", name,
                                    number_text(before->second, 4), number_text(value, 4))});
  }
  return evidence;
}

Verdict verdict_on_loop(const History& history, const std::optional<Failure>& failure) {
  Verdict verdict{.kind = VerdictKind::not_judged, .sentence = {}, .evidence = figures_of(history)};
  verdict.sentence = fmt::format("Ended after {} of its own loop, which are not judged.",
                                 counted(history.epochs.empty() ? 0 : history.epochs.back().step, "steps"));
  if (!failure) return verdict;
  verdict.kind = VerdictKind::diverged;
  verdict.sentence =
      fmt::format("Ended in an error in step {}: a number is not finite.", with_commas(failure->steps + 1));
  verdict.evidence.insert(verdict.evidence.begin(),
                          Evidence{"step", static_cast<double>(failure->steps + 1), failure->what});
  return verdict;
}

/// The verdict on a fit, by the rules of the command.
Verdict verdict_on(const History& history, const State& state, const std::optional<Failure>& failure) {
  if (history.steps.empty()) return verdict_on_loop(history, failure);
  JudgeOptions options{.objectives = objectives_of(state)};
  if (failure) {
    options.failure = failure->what;
    options.failed_step = failure->steps + 1;
  }
  return judge(history, options);
}

}  // namespace

struct Run::Impl {
  RunArguments arguments;
  fs::path wanted;
  OptionMap config = {};
  bool was_read = false, is_fit = false, failed = false;
  std::optional<RunFolder> folder = {};
  std::optional<Sitting> sitting = {};
  std::function<void()> then = {};
  std::int64_t steps = 0;  // for a loop of the program
  bool stopped = false;    // whether there was such a loop
  Metrics logged = {};

  Impl(const fs::path& named, int argc, const char* const* argv)
      : arguments(argc, argv), wanted(arguments.out.empty() ? named : fs::path(arguments.out)) {}

  [[nodiscard]] std::string toml() const { return lines_of(flat(config)); }

  /// Makes or opens the folder. The program's options are written to a new folder, and compared with those in an old
  /// one.
  Sitting& begin(std::int64_t epochs = 0) {
    if (sitting) return *sitting;
    if (!was_read && !arguments.sets.empty())
      fail<UsageError>("[run] --set {}: the program has no options", arguments.sets.front());
    folder.emplace(folder_for(wanted, arguments.resume));
    if (arguments.resume) {
      std::ostringstream before;
      before << std::ifstream(folder->config()).rdbuf();
      const auto changed = differences(options_in(before.str()), flat(config));
      if (!changed.empty())
        fail<UsageError>("[resume] the options are not those of {}: {}", folder->path().string(),
                         fmt::join(changed, "; "));
    } else {
      write_atomically(folder->config(), toml());
    }
    sitting.emplace(*folder, progress_style(arguments.quiet, arguments.json), epochs);
    if (arguments.resume) go_on();
    return *sitting;
  }

  /// Continues after the newest checkpoint of a fit. For a loop of the program, only the state in the checkpoint says
  /// how many steps were done (see `restore`); until it is read, the run is at the end of its log.
  void go_on() {
    const History before = sitting->logged();
    const bool is_loop = before.steps.empty() && !before.epochs.empty();
    const auto step = is_loop ? before.epochs.back().step : newest_step(folder->checkpoints());
    if (step) sitting->go_on_after(*step);
  }

  void show(std::string_view name, Medium medium) { begin().show_now({{std::string(name), std::move(medium)}}); }

  [[nodiscard]] bool was_asked_to_stop(std::int64_t step) const {
    return sitting->signal() != 0 || (arguments.stop_after > 0 && step >= arguments.stop_after);
  }

  int finish(const State& state, const std::function<void(const fs::path&)>& save);
  void report_failure(const State& state, const NumericError& error);
  [[nodiscard]] int say_stopped() const;
  void say_how_it_went(const History& history, const Verdict& verdict) const;
  void write_report(const State& state, const History& history, const Verdict& verdict) const;
};

Run::Run(const Path& folder, int argc, const char* const* argv)
    : impl_(std::make_unique<Impl>(folder.string(), argc, argv)) {}
Run::~Run() = default;

void Run::read(const Fields& fields) {
  if (impl_->sitting || impl_->was_read) fail<UsageError>("[run] read() once, and before the run begins");
  ConfigTree tree;
  set_all(tree, impl_->arguments.sets, fmt::format("{}=...", fields.empty() ? "key" : fields.front().name));
  read_fields(fields, tree.values, "run");
  impl_->config = field_values(fields);
  impl_->was_read = true;
}

Path Run::folder() const {
  (void)impl_->begin();
  return impl_->folder->path();
}

FitOptions Run::options(FitOptions wanted) {
  if (std::exchange(impl_->is_fit, true)) fail<UsageError>("[run] options() once: a run has one fit");
  Sitting& sitting = impl_->begin();
  sitting.set_epochs(wanted.steps > 0 ? 0 : wanted.epochs);
  wanted.on_epoch = [this, told = std::move(wanted.on_epoch)](const EpochReport& report) {
    if (impl_->then) impl_->then();
    if (told) told(report);
  };
  wanted.on_failure = [this, told = std::move(wanted.on_failure)](const State& state, const NumericError& error) {
    impl_->report_failure(state, error);
    if (told) told(state, error);
  };
  FitOptions options = sitting.watched(std::move(wanted), {});
  options.layer_norms = false;  // only the trainer knows the layers
  options.checkpoints = impl_->folder->checkpoints();
  options.resume = impl_->arguments.resume;
  if (impl_->arguments.stop_after > 0) options.stop_after = impl_->arguments.stop_after;
  if (options.fingerprint.empty()) options.fingerprint = impl_->toml();
  return options;
}

void Run::on_epoch(std::function<void()> then) { impl_->then = std::move(then); }

void Run::pictures(std::string_view name, const Tensor& pixels, std::int64_t columns) {
  impl_->show(name, Medium::pictures(pixels, columns));
}
void Run::sound(std::string_view name, const Tensor& samples, std::int64_t rate) {
  impl_->show(name, Medium::sound(samples, rate));
}
void Run::text(std::string_view name, std::string text) { impl_->show(name, Medium::text(std::move(text))); }
void Run::table(std::string_view name, const std::vector<std::string>& head,
                const std::vector<std::vector<std::string>>& rows) {
  impl_->show(name, Medium::table(head, rows));
}

void Run::restore(State& state) {
  (void)impl_->begin();
  if (!impl_->arguments.resume) return;
  std::vector<std::string> warnings;
  auto found = newest_checkpoint(impl_->folder->checkpoints(), state, impl_->toml(), warnings);
  for (const std::string& warning : warnings) say("warning: {}\n", warning);
  const std::string place = impl_->folder->path().string();
  if (!found) fail<UsageError>("[resume] {} was stopped before its first checkpoint", place);
  if (found->fingerprint != impl_->toml()) fail<UsageError>("[resume] {} was begun with other options", place);
  impl_->steps = found->position.total_steps - found->state.step;
  impl_->sitting->go_on_after(impl_->steps);
  state = std::move(found->state);
}

std::int64_t Run::step() const { return impl_->stopped ? std::numeric_limits<std::int64_t>::max() : impl_->steps; }

void Run::log(std::string_view name, double value) { impl_->logged.emplace_back(name, value); }

void Run::next(const State& state, std::int64_t checkpoint_every) {
  Sitting& sitting = impl_->begin();
  const std::int64_t step = ++impl_->steps;
  sitting.turn({.epoch = step, .step = step, .metrics = std::exchange(impl_->logged, {})});
  if (impl_->then) impl_->then();
  impl_->stopped = impl_->was_asked_to_stop(step);
  if (step % std::max<std::int64_t>(1, checkpoint_every) != 0 && !impl_->stopped) return;
  RunPosition position;
  position.total_steps =
      state.step +
      step;  // the step count of a state is its own: a step of the loop may take many steps of a state, or none
  write_checkpoint(impl_->folder->checkpoints(), {state, std::nullopt, position, impl_->toml()}, 2);
}

void Run::Impl::write_report(const State& state, const History& history, const Verdict& verdict) const {
  ReportData report{
      .title = folder->path().filename().string(),
      .subtitle = "a program of its own",
      .tiles = {{"training", duration_text(history.seconds), with_commas(sitting->last_step()) + " steps"}},
      .verdict = verdict,
      .history = history,
      .media = MediaLog(folder->path()).series(),
      .config = toml(),
      .environment = {{"version", THALWEG_VERSION},
                      {"threads of the machine", std::to_string(default_threads())},
                      {"instruction set", std::string(instruction_set())}}};
  report.objectives = objectives_of(state);
  if (state.layout) {  // it is empty if a loop of the program ended in an error
    const std::string numbers = with_commas(state.layout->parameters());
    report.subtitle += "; " + numbers + " parameters";
    report.tiles.push_back({"parameters", numbers, ""});
    report.parameters = state.layout->entries;
  }
  write_atomically(folder->report(), report_html(report));
}

int Run::Impl::say_stopped() const {
  const int signal = sitting->signal();
  if (arguments.json) {
    emit_line_of(
        nlohmann::ordered_json{{"run", as_utf8(folder->path().string())}, {"stopped_at", sitting->last_step()}});
  } else {
    emit("stopped at step {}; to go on: the same with --resume\n", with_commas(sitting->last_step()));
  }
  return signal != 0 ? 128 + signal : 0;
}

void Run::Impl::say_how_it_went(const History& history, const Verdict& verdict) const {
  const std::string place = folder->path().string(), report = folder->report().string();
  if (arguments.json) {
    emit_line_of(nlohmann::ordered_json{{"run", as_utf8(place)},
                                        {"report", as_utf8(report)},
                                        {"seconds", history.seconds},
                                        {"steps", sitting->last_step()},
                                        {"verdict", verdict.sentence}});
    return;
  }
  emit("{:<12}{}, {}\n", "time", duration_text(history.seconds), counted(sitting->last_step(), "steps"));
  emit("{:<12}{}\n", "verdict", verdict.sentence);
  emit("{:<12}{}\n{:<12}{}\n", "run", shown(place), "report", shown(report));
}

int Run::Impl::finish(const State& state, const std::function<void(const fs::path&)>& save) {
  begin().end();
  const bool fit_was_stopped =
      is_fit && was_asked_to_stop(sitting->last_step()) && sitting->last_step() < sitting->total_steps();
  if (stopped || fit_was_stopped) return say_stopped();
  const History history = sitting->logged();
  const Verdict verdict = verdict_on(history, state, std::nullopt);
  write_report(state, history, verdict);
  save(folder->model());
  say_how_it_went(history, verdict);
  return 0;
}

/// A run that failed in its first step has no report.
void Run::Impl::report_failure(const State& state, const NumericError& error) {
  sitting->end();
  if (std::exchange(failed, true) || sitting->last_step() == 0) return;
  const History history = sitting->logged();
  const Verdict verdict = verdict_on(history, state, Failure{error.what(), sitting->last_step()});
  write_report(state, history, verdict);
  say_how_it_went(history, verdict);
}

History Run::fit(Trainer& trainer, const Dataset& data, FitOptions wanted) {
  return trainer.fit(data, options(std::move(wanted)));
}

int Run::finish(const Trainer& trainer) {
  return impl_->finish(trainer.state(), [&](const fs::path& path) { trainer.save(path); });
}

int Run::finish(const State& state) {
  return impl_->finish(state, [&](const fs::path& path) { state.save(path); });
}

int Run::finish(const NumericError& error) {
  (void)impl_->begin();
  impl_->report_failure({}, error);
  say("{}\n", error.what());
  return error.exit_code();
}

}  // namespace thalweg
