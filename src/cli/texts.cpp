#include "cli/texts.hpp"

#include <chrono>
#include <cmath>
#include <nlohmann/json.hpp>

#include "cli/latencies.hpp"
#include "cli/output.hpp"
#include "cli/session.hpp"
#include "cli/signals.hpp"
#include "cli/sitting.hpp"
#include "cli/verdicts.hpp"
#include "core/counted.hpp"
#include "core/error.hpp"
#include "core/random.hpp"
#include "insight/verdict.hpp"
#include "report/report.hpp"
#include "run/run.hpp"
#include "store/atomic_file.hpp"
#include "train/evaluation.hpp"

namespace fs = std::filesystem;

namespace thalweg::cli {

namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

/// Texts that were read, as sparse rows and class numbers.
struct TextRows {
  data::SparseRows rows;
  std::vector<std::int32_t> targets;
};

/// All texts at a place. If the model weights words by rarity, the weights are applied.
TextRows read_rows(const std::string& place, const data::LabelledTextOptions& options, TextClassifier& model) {
  TextRows result;
  const auto texts = data::open_texts(place, options);
  while (const auto text = texts->next()) {
    result.targets.push_back(data::class_number(model.classes(), text->label, *texts));
    result.rows.add(model.row(text->text));
  }
  if (result.targets.empty()) fail<DataError>("[texts] {}: no texts", place);
  return result;
}

/// The training rows, with each word weighted by its rarity in them. They are read again with the weights, as a resumed
/// run does it, so that both runs round in the same way.
TextRows weighed_rows(const TextRows& counts, const TextClassifierConfig& config, TextClassifier& model) {
  model.set_inverse_frequency(data::inverse_frequencies(counts.rows, model.hasher().options().features));
  return read_rows(config.train, config.texts, model);
}

struct Measured {
  Metrics metrics = {};
  std::vector<NamedMetrics> baselines = {};
  Tensor predictions = {}, targets = {};
  [[nodiscard]] std::int64_t rows() const { return targets.size(); }
};

/// Probabilities or scores of the rows, (rows, outputs), and their metrics. The baseline always predicts the most
/// frequent class.
Measured measure(TextClassifier& model, const TextRows& data) {
  model.linear().table().settle();
  const std::int64_t rows = data.rows.rows(), classes = std::ssize(model.classes()),
                     outputs = classes == 2 && !model.gives_scores() ? 1 : classes;
  Measured result;
  result.predictions = Tensor({rows, outputs}, f32);
  const auto into = result.predictions.mutable_values<float>();
  double loss = 0, weight = 0;
  std::vector<double> counts(static_cast<std::size_t>(classes), 0);
  for (std::int64_t row = 0; row < rows; ++row) {
    const data::SparseRow one = data.rows[row];
    const std::int32_t target = data.targets[static_cast<std::size_t>(row)];
    const auto predicted = model.linear().predict({&one, 1}, {&target, 1});
    std::ranges::copy(predicted.predictions, into.begin() + row * outputs);
    loss += predicted.loss;
    weight += predicted.weight;
    counts[static_cast<std::size_t>(target)] += 1;
  }
  result.metrics.emplace_back("loss", loss / weight);
  result.targets = Tensor::from(data.targets, {rows});
  for (const MetricRow& metric : metrics()) {
    const bool has_probabilities = !model.gives_scores() || metric.name != "log_loss";
    if (has_probabilities && metric.serves(classes == 2 ? Task::binary : Task::multiclass))
      result.metrics.emplace_back(metric.name, metric.compute(result.predictions, result.targets, std::nullopt));
  }
  const auto most = std::ranges::max_element(counts);
  result.baselines = {{"always " + model.classes()[static_cast<std::size_t>(most - counts.begin())],
                       {{"accuracy", *most / static_cast<double>(rows)}}}};
  return result;
}

void emit_measured(const std::string& name, const Measured& measured, nlohmann::ordered_json first,
                   const Context& context) {
  if (!context.json) {
    print_metrics(name, measured.metrics, counted(measured.rows(), "texts"), measured.baselines);
    return;
  }
  first["rows"] = measured.rows();
  for (const auto& [metric, value] : measured.metrics) first[metric] = value;
  emit_line_of(first);
}

/// The file from which a run can be resumed; a finished run has it as its model.
fs::path unfinished_model(const RunFolder& folder) { return folder.checkpoints() / "texts.safetensors"; }

/// The folder of the run to resume. After the end of a stream, a run can be resumed with another stream.
RunFolder folder_to_resume(const TrainArguments& arguments, const NamedTree& named, const fs::path& wanted) {
  if (named.run_folder) return RunFolder::open(named.folder);
  if (!arguments.out.empty() && fs::exists(fs::path(arguments.out) / "config.toml"))
    return RunFolder::open(arguments.out);
  if (arguments.online && fs::exists(wanted / "config.toml")) return RunFolder::open(wanted);
  if (const auto found = RunFolder::newest_unfinished(wanted)) return RunFolder::open(*found);
  fail<UsageError>("[resume] there is no unfinished run {}. Hint: without --resume a new one begins.", wanted.string());
}

/// Reads the test texts once before the training, whose result would be lost by an error in them.
void check_test(const TextClassifierConfig& config, const TextClassifier& model) {
  if (config.test.empty() || config.test == "-") return;
  const auto texts = data::open_texts(config.test, config.texts);
  auto text = texts->next();
  if (!text) fail<DataError>("[texts] {}: no texts", config.test);
  for (; text; text = texts->next()) (void)data::class_number(model.classes(), text->label, *texts);
}

struct TextRun {
  TextClassifierConfig config;
  RunFolder folder;
  TextClassifier model;
  std::string fingerprint;
  bool resumed = false;
};

TextRun start(const TrainArguments& arguments, const NamedTree& named, const Context& context) {
  TextClassifierConfig config = read_text_classifier(named.tree, named.folder, context.registry);
  const bool piped = arguments.online && config.train == "-";
  if (piped && config.texts.classes.empty() && !arguments.resume)
    fail<UsageError>(
        "[texts] the classes of a stream are not known before it is read. Hint: classes = [\"ham\", \"spam\"] in "
        "[data].");
  const std::string fingerprint = config.fingerprint(arguments.online);
  const fs::path wanted = arguments.out.empty() ? fs::path("runs") / named.name : fs::path(arguments.out);
  if (arguments.resume) {
    RunFolder folder = folder_to_resume(arguments, named, wanted);
    if (!arguments.online && RunFolder::finished(folder.path()))
      fail<UsageError>("[resume] {} has finished. Hint: without --resume a new run begins.", folder.path().string());
    const fs::path saved = fs::exists(folder.model()) ? folder.model() : unfinished_model(folder);
    if (!fs::exists(saved))
      fail<UsageError>("[resume] {} was stopped before its model was saved. Hint: without --resume a new run begins.",
                       folder.path().string());
    TextClassifier model(config, TextClassifier::saved_classes(saved), context.registry);
    model.restore(saved, fingerprint);
    check_test(config, model);
    return {std::move(config), std::move(folder), std::move(model), fingerprint, true};
  }
  TextClassifier model(config, data::classes_of(config.train, config.texts), context.registry);
  check_test(config, model);
  RunFolder folder = RunFolder::create(wanted);
  write_atomically(folder.config(), config.toml());
  return {std::move(config), std::move(folder), std::move(model), fingerprint};
}

int say_stopped(const TextRun& run, const std::string& options, int signal, std::int64_t step, const Context& context) {
  const std::string command =
      fmt::format("thalweg train {}{} --resume", shell_quoted(run.folder.path().string()), options);
  if (context.json) {
    emit_line_of(nlohmann::ordered_json{
        {"run", as_utf8(run.folder.path().string())}, {"stopped_at", step}, {"resume", command}});
  } else {
    emit("stopped at step {}; the model is saved\nto go on: {}\n", with_commas(step), command);
  }
  return signal != 0 ? 128 + signal : 0;
}

std::optional<Measured> measured_test(const TextClassifierConfig& config, TextClassifier& model) {
  if (config.test.empty()) return std::nullopt;
  return measure(model, read_rows(config.test, config.texts, model));
}

/// "text_classifier: 2 classes by 1,000 hashed words; 1,001 parameters"
std::string described(TextClassifier& model) {
  return fmt::format("{}: {} classes by {} hashed words; {} parameters", TextClassifierConfig::kind,
                     model.classes().size(), with_commas(model.hasher().options().features),
                     with_commas(model.linear().parameters()));
}

void write_report(const fs::path& folder, const TextClassifierConfig& config, TextClassifier& model,
                  const std::optional<Measured>& test, const History& history, const Verdict& verdict) {
  ReportData report{.title = folder.filename().string(),
                    .subtitle = described(model),
                    .verdict = verdict,
                    .history = history,
                    .config = config.toml(),
                    .environment = {{"version", THALWEG_VERSION}, {"threads", "1"}}};
  if (test) {
    const auto accuracy = std::ranges::find(test->metrics, "accuracy", &Metrics::value_type::first);
    const std::string texts = counted(test->rows(), "texts");
    if (accuracy != test->metrics.end()) report.tiles.push_back({"test accuracy", figure(accuracy->second), texts});
    report.evaluation = test->metrics;
    report.baselines = test->baselines;
    report.evaluated_on = "test, " + texts;
    report.confusion = {model.classes(), confusion_of(test->predictions, test->targets, std::nullopt)};
  }
  report.tiles.push_back(
      {"training", duration_text(history.seconds),
       counted(std::ssize(history.epochs), "epochs") + ", " + counted(model.linear().table().steps(), "steps")});
  report.tiles.push_back({"parameters", with_commas(model.linear().parameters())});
  write_atomically(folder / "report.html", report_html(report));
}

/// Measures a trained classifier and prints the result. If its history is known, also judges the run and writes its
/// report.
void finish(const fs::path& folder, const TextClassifierConfig& config, TextClassifier& model, const History& history,
            const Context& context) {
  const std::optional<Measured> test = measured_test(config, model);
  const bool known = !history.steps.empty();
  const Verdict verdict = known ? judge(history) : Verdict{};
  if (known) write_report(folder, config, model, test, history, verdict);
  nlohmann::ordered_json line{{"run", as_utf8(folder.string())}, {"parameters", model.linear().parameters()}};
  if (known) line["verdict"] = verdict_json(verdict);
  if (test) emit_measured("test", *test, line, context);
  if (!test && context.json) emit_line_of(line);
  if (context.json) return;
  if (test) print_confusion(confusion_of(test->predictions, test->targets, std::nullopt), model.classes());
  if (known) emit_verdict(verdict);
  emit("{:<12}{} parameters, in {}\n", "model", with_commas(model.linear().parameters()),
       shown((folder / "model.safetensors").string()));
  if (known) emit("{:<12}{}\n", "report", shown((folder / "report.html").string()));
  emit("{:<12}thalweg predict {} < new.csv > predicted.csv\n", "next", shell_quoted(folder.string()));
}

/// Only the verdict and the report, for a run that failed.
void finish_failed(TextRun& run, const History& history, const JudgeOptions& failure, const Context& context) {
  const Verdict verdict = judge(history, failure);
  write_report(run.folder.path(), run.config, run.model, {}, history, verdict);
  emit_failed(run.folder, verdict, context.json);
}

// --- training in epochs ---

/// The rows of a step, in the order of its epoch.
class Batches {
 public:
  Batches(const TextRows& data, const TextClassifierConfig& config) : data_(data), config_(config) {}
  [[nodiscard]] std::int64_t in_epoch() const {
    return (data_.rows.rows() + config_.batch_size - 1) / config_.batch_size;
  }
  /// Valid until the next call.
  [[nodiscard]] std::pair<std::span<const data::SparseRow>, std::span<const std::int32_t>> at_step(std::int64_t step) {
    const std::int64_t epoch = step / in_epoch(), first = step % in_epoch() * config_.batch_size;
    if (epoch != epoch_) {
      order_ =
          shuffled(RandomKey{config_.seed}.fold("order").fold(static_cast<std::uint64_t>(epoch)), data_.rows.rows());
      epoch_ = epoch;
    }
    rows_.clear();
    targets_.clear();
    for (std::int64_t i = first; i < std::min(first + config_.batch_size, data_.rows.rows()); ++i) {
      const std::int64_t row = order_[static_cast<std::size_t>(i)];
      rows_.push_back(data_.rows[row]);
      targets_.push_back(data_.targets[static_cast<std::size_t>(row)]);
    }
    return {rows_, targets_};
  }

 private:
  const TextRows& data_;
  const TextClassifierConfig& config_;
  std::int64_t epoch_ = -1;
  std::vector<std::int64_t> order_;
  std::vector<data::SparseRow> rows_;
  std::vector<std::int32_t> targets_;
};

/// Takes one step and reports it to the sitting.
void take_step(TextRun& run, Batches& batches, const Optimizer& optimizer, std::int64_t total, Sitting& sitting) {
  RowTable& table = run.model.linear().table();
  const std::int64_t step = table.steps(), in_epoch = batches.in_epoch();
  const auto [rows, targets] = batches.at_step(step);
  const Progress progress{.step = step, .total = total, .steps_per_epoch = in_epoch};
  const double lr = optimizer.lr * optimizer.schedule.factor(progress);
  const auto learned = run.model.linear().learn(rows, targets, lr, optimizer.schedule.momentum(progress));
  run.model.epoch_loss += learned.loss;
  run.model.epoch_weight += learned.weight;
  sitting.step({.step = step + 1,
                .total_steps = total,
                .epoch = step / in_epoch + 1,
                .loss = learned.loss / learned.weight,
                .gradient_norm = learned.gradient_norm,
                .lr = lr,
                .samples = std::ssize(rows),
                .weight = learned.weight});
}

int train_in_passes(TextRun& run, const TrainArguments& arguments, const Context& context) {
  const TextClassifierConfig& config = run.config;
  TextRows train = read_rows(config.train, config.texts, run.model);
  if (config.hashing.weighting == "tfidf" && !run.resumed) train = weighed_rows(train, config, run.model);
  if (!context.quiet && !context.json)
    say("{}; {} to train on\n", described(run.model), counted(train.rows.rows(), "texts"));
  Sitting sitting(run.folder, progress_style(context.quiet, context.json), config.epochs);
  const Optimizer optimizer = config.make_optimizer(context.registry);
  Batches batches(train, config);
  const std::int64_t in_epoch = batches.in_epoch(), total = config.epochs * in_epoch;
  RowTable& table = run.model.linear().table();
  while (table.steps() < total) {
    try {
      take_step(run, batches, optimizer, total, sitting);
    } catch (const NumericError& error) {
      sitting.end();
      const JudgeOptions failure{.failure = error.what(), .failed_step = sitting.last_step() + 1};
      if (sitting.last_step() > 0) finish_failed(run, sitting.logged(), failure, context);
      throw;
    }
    if (table.steps() % in_epoch == 0) {
      sitting.epoch({.epoch = table.steps() / in_epoch,
                     .step = table.steps(),
                     .metrics = {{"loss", run.model.epoch_loss / run.model.epoch_weight}}});
      run.model.epoch_loss = run.model.epoch_weight = 0;
    }
    const bool stop = sitting.signal() != 0 || arguments.ends_after(table.steps());
    if (stop || table.steps() % config.saves_every(false) == 0)
      run.model.save(unfinished_model(run.folder), run.fingerprint);
    if (!stop || table.steps() == total) continue;
    sitting.end();
    return say_stopped(run, "", sitting.signal(), table.steps(), context);
  }
  sitting.end();
  table.settle();
  const History history = sitting.logged();
  finish(run.folder.path(), config, run.model, history, context);
  run.model.save(run.folder.model(),
                 run.fingerprint);  // written last, because a folder with a model counts as a finished run
  return 0;
}

// --- training on a stream, text by text ---

/// Progressive metrics, over all rows so far.
nlohmann::ordered_json progressive_json(const ProgressiveSums& sums) {
  return {{"rows", sums.rows},
          {"accuracy", sums.right / sums.rows},
          {"loss", sums.loss / sums.rows},
          {"commonest_class", sums.commonest_right / sums.rows}};
}

std::string progressive_text(const ProgressiveSums& sums) {
  return fmt::format("rows {}  accuracy {} (the commonest class: {})  loss {}",
                     with_commas(static_cast<std::int64_t>(sums.rows)), figure(sums.right / sums.rows),
                     figure(sums.commonest_right / sums.rows), figure(sums.loss / sums.rows));
}

void report_stream(const TextRun& run, const Context& context, double rows_a_second, const Latencies& times) {
  const ProgressiveSums& sums = run.model.progressive;
  const double median = times.quantile(.5), late = times.quantile(.99);
  if (context.json) {
    nlohmann::ordered_json line = progressive_json(sums);
    line["rows_a_second"] = rows_a_second;
    line["seconds_to_learn"] = {{"median", median}, {"p99", late}};
    emit_line_of(line);
  } else {
    emit("{}\n{} rows a second; from a row to its learned step {:.1f} us (median), {:.1f} us (99th percentile)\n",
         progressive_text(sums), with_commas(static_cast<std::int64_t>(rows_a_second)), median * 1e6, late * 1e6);
  }
}

void check_online(const TextClassifierConfig& config, const TrainArguments& arguments) {
  const auto is_length = [](const auto& given) { return given.first == "train.epochs"; };
  if (std::ranges::any_of(arguments.config.given, is_length))
    fail<UsageError>("[texts] --epochs beside --online, which reads each text once. Wanted: one of the two");
  if (config.schedule.kind != "constant")
    fail<UsageError>("[schedule] kind = '{}'. Wanted: constant, because the end of a stream is not known",
                     config.schedule.kind);
  if (config.hashing.weighting == "tfidf")
    fail<UsageError>(
        "[data] weighting = 'tfidf'. Wanted: counts or log; how rare a word is would have to be known before the "
        "stream is read");
}

/// Learns from each text, once it is predicted. Returns whether a signal or `stop_after` ended it before the stream.
bool learn_stream(TextRun& run, const TrainArguments& arguments, const SignalWatch& signals, Latencies& times,
                  const Context& context) {
  const auto texts = data::open_texts(run.config.train, run.config.texts, [&] { return signals.received() != 0; });
  RowTable& table = run.model.linear().table();
  const double lr = run.config.make_optimizer(context.registry).lr;
  std::int64_t to_skip =
      run.resumed && run.config.train != "-" ? table.steps() : 0;  // in a file, reading continues where it stopped
  for (;;) {
    const auto text = texts->next();
    if (signals.received() != 0) return true;  // the last text may be incomplete
    if (!text) return false;
    if (to_skip > 0) {
      --to_skip;
      continue;
    }
    const auto arrived = Clock::now();
    const std::int32_t target = data::class_number(run.model.classes(), text->label, *texts);
    const data::SparseRow row = run.model.row(text->text);
    const auto learned = run.model.linear().learn({&row, 1}, {&target, 1}, lr);
    times.add(std::chrono::duration_cast<std::chrono::nanoseconds>(Clock::now() - arrived).count());
    run.model.progressive.add(learned.predictions, target, learned.loss);
    if (table.steps() % run.config.saves_every(true) == 0) run.model.save(run.folder.model(), run.fingerprint);
    if (table.steps() % run.config.report_every == 0 && !context.quiet)
      say("{}\n", progressive_text(run.model.progressive));
    if (arguments.ends_after(table.steps())) return true;
  }
}

/// Saves what was learned before the row or the step that ends a stream by an error.
void save_learned(const TextRun& run, std::int64_t rows, std::string_view to_go_on) {
  if (rows == 0) return;
  run.model.save(run.folder.model(), run.fingerprint);
  say("{} are learned, and the model is saved{}\n", counted(rows, "rows"), to_go_on);
}

int train_online(TextRun& run, const TrainArguments& arguments, const Context& context) {
  const SignalWatch signals;
  RowTable& table = run.model.linear().table();
  Latencies times;
  const auto begin = Clock::now();
  bool stopped = false;
  try {
    stopped = learn_stream(run, arguments, signals, times, context);
  } catch (const DataError&) {
    const std::string folder = shell_quoted(run.folder.path().string());
    save_learned(run, table.steps(), fmt::format("; to go on: thalweg train {} --online --resume", folder));
    throw;
  } catch (const NumericError&) {  // which changed nothing; the same rows with the same lr would end in the same way
    save_learned(run, table.steps(), "");
    throw;
  }
  const double seconds = seconds_since(begin);
  if (table.steps() == 0) fail<DataError>("[texts] {}: no rows were learned", run.config.train);
  run.model.save(run.folder.model(), run.fingerprint);
  report_stream(run, context, static_cast<double>(times.count()) / seconds, times);
  if (stopped) return say_stopped(run, " --online", signals.received(), table.steps(), context);
  finish(run.folder.path(), run.config, run.model, {},
         context);  // a stream has no epochs, so there is nothing to judge
  return 0;
}

}  // namespace

int train_texts(const TrainArguments& arguments, const NamedTree& named, const Context& context) {
  if (arguments.print_config) {
    emit(read_text_classifier(named.tree, named.folder, context.registry).toml());
    return 0;
  }
  if (arguments.dry_run || arguments.folds > 0 || !named.variants.empty())
    fail<UsageError>("[texts] --dry-run, --cv and variants are not for classifiers of texts");
  if (arguments.online) check_online(read_text_classifier(named.tree, named.folder, context.registry), arguments);
  TextRun run = start(arguments, named, context);
  return arguments.online ? train_online(run, arguments, context) : train_in_passes(run, arguments, context);
}

std::optional<fs::path> text_run(const std::string& path) {
  const fs::path config = fs::path(path) / "config.toml";
  if (!fs::exists(config) || !is_text_classifier(read_toml(config))) return std::nullopt;
  return path;
}

TrainedTexts trained_texts(const fs::path& folder, const Registry& registry) {
  const TextClassifierConfig config = read_text_classifier(read_toml(folder / "config.toml"), folder, registry);
  const fs::path file = folder / "model.safetensors";
  if (!fs::exists(file)) fail<ModelError>("[texts] {} has no model yet. Hint: {}", folder.string(), way_on(folder));
  TextClassifier model(config, TextClassifier::saved_classes(file), registry);
  model.restore(file);
  model.linear().table().settle();
  return {config, std::move(model)};
}

int evaluate_texts(const fs::path& folder, const std::string& place, const Context& context) {
  auto [config, model] = trained_texts(folder, context.registry);
  const std::string& data = place.empty() ? config.test : place;
  if (data.empty()) fail<UsageError>("[evaluate] {} has no test texts. Hint: --data PLACE.", folder.string());
  const Measured measured = measure(model, read_rows(data, config.texts, model));
  emit_measured(place.empty() ? "test" : place, measured, {{"data", data}}, context);
  if (!context.json)
    print_confusion(confusion_of(measured.predictions, measured.targets, std::nullopt), model.classes());
  return 0;
}

int report_texts(const fs::path& folder, const Context& context) {
  auto [config, model] = trained_texts(folder, context.registry);
  const History history = MetricsLog(folder / "metrics.jsonl").history();
  if (history.steps.empty())
    fail<UsageError>("[report] {} was learned from a stream, and has no steps to report. Hint: thalweg evaluate {}",
                     folder.string(), shell_quoted(folder.string()));
  finish(folder, config, model, history, context);
  return 0;
}

}  // namespace thalweg::cli
