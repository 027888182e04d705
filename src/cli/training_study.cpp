// Studies of trainings: each arm is a configuration with changes. Its best values in a grid are chosen by the
// validation loss; then it is trained once per seed.

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <ranges>

#include "cli/comparison.hpp"
#include "cli/device.hpp"
#include "cli/looped.hpp"
#include "cli/opened_run.hpp"
#include "cli/study.hpp"
#include "core/escape.hpp"
#include "core/numbers.hpp"
#include "insight/surface.hpp"

namespace thalweg::cli {

namespace {

constexpr double diverged = std::numeric_limits<double>::infinity();
constexpr std::int64_t tuning_seeds = 2, first_tuning_seed = 1001, curved_rows = 1000;

/// The measures at the end of a training; infinite if it diverged.
struct Ended {
  double training_loss = diverged, validation_loss = diverged, test_loss = diverged, test_error = diverged;
  double largest_before = diverged, largest = diverged;
  double variance = diverged;  ///< known only after all repetitions
  Tensor predictions = {};     ///< for the test rows
};

struct Measure {
  std::string_view name, title;
  double Ended::*value;
};
constexpr Measure measures[] = {{"training_loss", "training loss", &Ended::training_loss},
                                {"test_loss", "test loss", &Ended::test_loss},
                                {"test_error", "test error", &Ended::test_error},
                                {"largest_before", "largest eigenvalue before", &Ended::largest_before},
                                {"largest", "largest eigenvalue after", &Ended::largest},
                                {"variance", "squared distance from the mean prediction", &Ended::variance}};

/// Measures that need an extra computation are shown only if the study's result is one of them.
bool is_beside(const Measure& measure, const Measure& result) {
  if (measure.value == result.value || measure.value == &Ended::variance) return false;
  return result.name.starts_with("largest") || !measure.name.starts_with("largest");
}

const Measure& measure_named(const Study& study, const std::string& name) {
  const auto found = std::ranges::find(measures, name, &Measure::name);
  if (found != std::end(measures)) return *found;
  std::vector<std::string_view> names;
  for (const Measure& measure : measures) names.push_back(measure.name);
  fail<UsageError>("[study] {}: result = {}. Wanted: {}", study.name, shown(name), fmt::join(names, ", "));
}

struct TrainingOptions {
  std::string config, result = "test_error", as = "value";
  OptionMap set, grid, sweep, times;
  std::int64_t train_rows = 0, test_rows = 0;
  bool resample = false;
  double seconds = 0, within = 0.1;
};

Fields fields(TrainingOptions& o) {
  return {
      {"config", &o.config, "the configuration that is trained"},
      {"set", &o.set, "keys of the configuration that are changed: those of the study first, then those of the arm"},
      {"grid", &o.grid, "lists of values of keys, from which the best values are chosen"},
      {"times", &o.times, "numbers by which the chosen values are multiplied"},
      {"sweep", &o.sweep,
       "lists of values of keys, all of which are trained: the result is the fraction that ends above"},
      {"within", &o.within, "the lowest result, as a fraction of it", not_negative},
      {"train_rows", &o.train_rows, "rows to train on; 0 is all", not_negative},
      {"test_rows", &o.test_rows, "rows to validate and to test on; 0 is all", not_negative},
      {"resample", &o.resample, "each seed trains on different rows"},
      {"seconds", &o.seconds, "a training stops after this time; 0 is never", not_negative},
      {"result", &o.result, "what is measured of each training"},
      {.name = "as",
       .place = &o.as,
       .doc = "the measure itself, or its distance from the median of the arm, divided by that median",
       .choices = {"value", "distance"}}};
}

/// Keys of a configuration, dotted, and their values.
using Changes = std::vector<std::pair<std::string, OptionValue>>;

/// Every choice of one value for each key.
std::vector<Changes> choices_of(const Study& study, const OptionMap& grid) {
  std::vector<Changes> choices(1);
  for (const auto& [key, values] : grid) {
    const auto* list = values.get_if<OptionList>();
    if (!list || list->empty())
      fail<UsageError>("[study] {}: grid: {} = {}. Wanted: a list", study.name, key, values.str());
    std::vector<Changes> longer;
    for (const Changes& choice : choices) {
      for (const OptionValue& value : *list) {
        longer.push_back(choice);
        longer.back().emplace_back(key, value);
      }
    }
    choices = std::move(longer);
  }
  return choices;
}

/// The configuration and the data of an arm, shared by all its trainings.
class Arm {
 public:
  Arm(const Study& study, const StudyArm& arm, const TrainingOptions& options, const Context& context)
      : study_(study),
        options_(options),
        context_(context),
        named_(study_configuration(study, options.config, context)) {
    for (const OptionMap* set : {&study.options, &arm.options}) {
      const auto found = set->find("set");
      if (found == set->end()) continue;
      for (const auto& [key, value] : *found->second.get_if<OptionMap>()) named_.tree.set(key, value);
    }
    named_.tree.set("train.early_stopping", OptionValue{false});
    refuse_own_loop(named_.tree);
    source_.emplace(read_data_options(named_.tree, named_.folder));
    const Config first = config({}, 0);
    refuse_system(first, "study");
    refuse_watching(first, "study");
    source_->suit(context.registry.loss(first.loss.kind).make(first.loss.options));
    parts_.emplace(source_->parts(first.seed));
    if (!parts_->validation || !parts_->test)
      fail<UsageError>("[study] {}: the configuration has no {} data", study.name,
                       parts_->validation ? "test" : "validation");
    if (!options_.resample) parts_->train = fixed_rows(parts_->train, options_.train_rows, 1);
    for (auto* held_out : {&parts_->validation, &parts_->test})
      *held_out = fixed_rows(**held_out, options_.test_rows, 1);
  }

  /// A regression has no test error.
  [[nodiscard]] bool has(const Measure& measure) const {
    return measure.value != &Ended::test_error || parts_->preprocessing.task() != data::Task::regression;
  }

  [[nodiscard]] Ended train(const Changes& changes, std::int64_t seed, bool curved) const {
    const Config config = this->config(changes, seed);
    Ended ended;
    try {
      Parts parts = *parts_;
      if (options_.resample)
        parts.train = fixed_rows(parts.train, options_.train_rows, static_cast<std::uint64_t>(seed));
      const DeviceInUse device(config);
      Session session = make_session(config, source_->facts(), std::move(parts), context_.registry);
      if (curved) ended.largest_before = largest_of(session, config);
      (void)session.trainer.fit(session.parts.train, fit_options(config));
      ended.training_loss = loss_of(session, session.parts.train);
      ended.validation_loss = loss_of(session, *session.parts.validation);
      Evaluation test = session.trainer.evaluate(*session.parts.test);
      ended.test_loss = finite(test["loss"]);
      for (const auto& [name, value] : test.metrics) {
        if (name == "accuracy") ended.test_error = finite(1 - value);
      }
      if (curved) ended.largest = largest_of(session, config);
      ended.predictions = std::move(test.predictions);
    } catch (const NumericError&) {
    }
    return ended;
  }

 private:
  static double finite(double value) { return std::isfinite(value) ? value : diverged; }
  static double loss_of(Session& session, const Dataset& rows) {
    return finite(session.trainer.evaluate(rows)["loss"]);
  }

  [[nodiscard]] Config config(const Changes& changes, std::int64_t seed) const {
    ConfigTree tree = named_.tree;
    for (const auto& [key, value] : changes) tree.set(key, value);
    Config config = read_config(tree, source_->options(), source_->facts(), context_.registry);
    if (config.auto_lr)
      fail<UsageError>("[study] {}: optimizer.lr = \"auto\". Wanted: a rate, or a grid of rates", study_.name);
    config.seed += static_cast<std::uint64_t>(seed);
    return config;
  }

  /// With `seconds`, a training stops after the step in which this time ends.
  [[nodiscard]] FitOptions fit_options(const Config& config) const {
    using Clock = std::chrono::steady_clock;
    FitOptions options = config.fit_options();
    if (options_.seconds > 0) {
      const auto end = Clock::now() + std::chrono::duration<double>(options_.seconds);
      options.stop = Stop([end] { return Clock::now() >= end; });
    }
    return options;
  }

  /// The eigenvalue of the Hessian of the loss, in f64, on the same training rows for all arms, without random draws.
  [[nodiscard]] double largest_of(const Session& session, const Config& config) const {
    Workers workers(config.train.threads);
    Products products(
        evaluation_of(session.recipe.make_model(context_.registry), session.recipe.make_loss(context_.registry)),
        workers);
    const Dataset rows = fixed_rows(session.parts.train, curved_rows, 1);
    const State at = state_in(f64, session.trainer.state());
    const Surface surface = surface_of(products, at, rows);
    const std::vector<double> point = point_of(at);
    return extreme_eigenvalues(surface.hessian_at(point), {.steps = 40, .tolerance = 1e-3}).largest.value;
  }

  const Study& study_;
  const TrainingOptions& options_;
  const Context& context_;
  NamedTree named_;
  std::optional<DataSource> source_;
  std::optional<Parts> parts_;
};

/// The choice with the lowest median validation loss, over other seeds than those of the results.
Changes chosen(const Arm& arm, const std::vector<Changes>& choices, std::string& note) {
  if (choices.size() == 1) return choices.front();
  const Changes* best = &choices.front();
  double lowest = diverged;
  for (const Changes& choice : choices) {
    std::vector<double> tried;
    for (std::int64_t i = 0; i < tuning_seeds; ++i)
      tried.push_back(arm.train(choice, first_tuning_seed + i, false).validation_loss);
    const double median = quantile(tried, 0.5);
    if (median < lowest) lowest = median, best = &choice;
  }
  for (const auto& [key, value] : *best)
    note += fmt::format("{}{} {}", note.empty() ? "" : ", ", key.substr(key.rfind('.') + 1), value.str());
  note += fmt::format(": the best of {}", choices.size());
  return *best;
}

/// The squared distance of each repetition's predictions from the mean of all repetitions, averaged over the rows.
/// Repetitions that diverged have no predictions.
void measure_variance(std::vector<Ended>& repetitions) {
  const auto predicts = [](const Ended& ended) { return ended.predictions.size() > 0; };
  auto those = repetitions | std::views::filter(predicts);
  const auto count = static_cast<double>(std::ranges::distance(those));
  if (count == 0) return;
  std::vector<double> mean(static_cast<std::size_t>(those.front().predictions.size()));
  for (const Ended& ended : those) {
    for (std::size_t i = 0; i < mean.size(); ++i) mean[i] += ended.predictions.at(static_cast<std::int64_t>(i)) / count;
  }
  for (Ended& ended : those) {
    double sum = 0;
    for (std::size_t i = 0; i < mean.size(); ++i) {
      const double distance = ended.predictions.at(static_cast<std::int64_t>(i)) - mean[i];
      sum += distance * distance;
    }
    ended.variance = sum / static_cast<double>(ended.predictions.shape()[0]);
  }
}

/// A result for each seed: all values of `sweep` are trained, and the result is the fraction of them that ends more
/// than `within` above the lowest.
void run_sweep(const Study& study, StudyArm& arm, const TrainingOptions& options, const Arm& trained,
               const Measure& result) {
  const std::vector<Changes> choices = choices_of(study, options.sweep);
  arm.beside.emplace_back("lowest " + std::string(result.title), std::vector<double>{});
  for (std::int64_t seed = 1; seed <= study.repeats; ++seed) {
    std::vector<double> ends;
    for (const Changes& choice : choices) ends.push_back(trained.train(choice, seed, false).*result.value);
    const double lowest = std::ranges::min(ends);
    const auto worse = std::ranges::count_if(ends, [&](double end) { return !(end <= lowest * (1 + options.within)); });
    arm.results.push_back(static_cast<double>(worse) / static_cast<double>(ends.size()));
    arm.beside.back().second.push_back(lowest);
  }
  arm.note = fmt::format("{} trainings a seed", choices.size());
}

/// Multiplies the chosen values by the numbers of `times`: for example, to a tenth of the best rate.
Changes multiplied(const Study& study, Changes choice, const OptionMap& times) {
  for (const auto& [key, factor] : times) {
    const auto chosen = std::ranges::find(choice, key, &Changes::value_type::first);
    const auto* by = factor.get_if<double>();
    const auto* value = chosen == choice.end() ? nullptr : chosen->second.get_if<double>();
    if (!by || !value)
      fail<UsageError>("[study] {}: times: {} = {}. Wanted: a key of grid with values like 0.1, and such a number",
                       study.name, key, factor.str());
    chosen->second = OptionValue{*by * *value};
  }
  return choice;
}

/// Replaces each result by its distance from the median of its arm, divided by that median.
void take_distances(std::vector<double>& results) {
  const double median = quantile(results, 0.5);
  for (double& value : results) value = std::isfinite(value) ? std::abs(value - median) / median : diverged;
}

void run_trainings(const Study& study, StudyArm& arm, const TrainingOptions& options, const Context& context) {
  const Measure& result = measure_named(study, options.result);
  const Arm trained(study, arm, options, context);
  if (!trained.has(result))
    fail<UsageError>("[study] {}: result = {} of a regression. Wanted: test_loss", study.name, result.name);
  if (!options.sweep.empty()) return run_sweep(study, arm, options, trained, result);
  const Changes best = chosen(trained, choices_of(study, options.grid), arm.note);
  const Changes choice = multiplied(study, best, options.times);
  for (const auto& [key, factor] : options.times) arm.note += fmt::format("; times {}", factor.str());
  std::vector<Ended> repetitions;
  for (std::int64_t seed = 1; seed <= study.repeats; ++seed)
    repetitions.push_back(trained.train(choice, seed, result.name.starts_with("largest")));
  if (result.value == &Ended::variance) measure_variance(repetitions);
  const auto all = [&](const Measure& measure) {
    std::vector<double> values;
    for (const Ended& ended : repetitions) values.push_back(ended.*measure.value);
    return values;
  };
  arm.results = all(result);
  if (options.as == "distance") {
    arm.beside.emplace_back(result.title, arm.results);
    take_distances(arm.results);
  }
  for (const Measure& measure : measures) {
    if (trained.has(measure) && is_beside(measure, result)) arm.beside.emplace_back(measure.title, all(measure));
  }
}

}  // namespace

StudyKind training_study() {
  return study_kind({"training", "trainings of a configuration with changes; a measure of each at its end"},
                    run_trainings);
}

}  // namespace thalweg::cli
