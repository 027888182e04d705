// The loop of epochs and steps, with validation, early stopping and checkpoints.

#include "train/fit.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>

#include "core/error.hpp"
#include "core/numbers.hpp"
#include "distributed/collectives.hpp"
#include "optim/asks.hpp"
#include "options/differences.hpp"
#include "train/batches.hpp"
#include "train/evaluation.hpp"
#include "train/fingerprint.hpp"
#include "train/made_on.hpp"
#include "train/replicas.hpp"
#include "train/write_by_ranks.hpp"

namespace thalweg {

Evaluation evaluation_on(Objectives& objectives, const State& state, const LossFunction* loss, const Dataset& data,
                         double& weight) {
  const auto run = [&](const Dataset& rows, Tensor& into) {
    LossSum total = objectives.evaluate(state, rows, into);
    weight = total.weight;
    return total;
  };
  return evaluation_by(run, loss, data);
}

namespace {

using Clock = std::chrono::steady_clock;

/// One call of fit: its position, and the data of its steps.
class Fit {
 public:
  Fit(Objectives& objectives, State& state, const LossFunction* loss, const FitOptions& options,
      const RowNumbers& numbers)
      : objectives_(objectives),
        optimizers_(objectives.optimizers()),
        owns_steps_(std::ranges::any_of(optimizers_, [](const Optimizer* o) { return owns_steps(*o); })),
        state_(state),
        loss_(loss),
        options_(options),
        numbers_(numbers),
        fingerprint_(options.fingerprint.empty() ? fingerprint_of(options, optimizers_) : options.fingerprint) {}
  Fit(const Fit&) = delete;
  Fit& operator=(const Fit&) = delete;
  ~Fit() {
    objectives_.drop_late();
    objectives_.end_sharing();
  }

  /// The parameters of the last step, where the run ended with others: those that the optimizer evaluates with.
  [[nodiscard]] const Tensor& stepped() const { return stepped_; }

  History run(const Dataset& training, const Dataset* validation) {
    try {
      train(training, validation);
    } catch (const NumericError& error) {
      take_arrived(false);  // reports of the steps before the one that failed
      if (options_.on_failure) options_.on_failure(state_, error);
      throw;
    }
    return std::move(history_);
  }

 private:
  static constexpr std::int64_t most_reserved = 1 << 16;

  void train(const Dataset& training, const Dataset* validation) {
    training_ = &training;
    validation_ = validation;
    set_lengths();
    check();
    check_objective();
    // accumulated batches are shards of one larger batch, so that both give the same bits
    shard_size_ = objectives_.shard_size(options_.shard_size, state_, *training_, length_.batch);
    if (options_.layer_norms) history_.layers = objectives_.layers(state_);
    (void)objectives_.add_row_tables(state_, rows_);
    start_or_resume();
    if (options_.ranks) {
      compare_replicas(*options_.ranks, state_, true);
      objectives_.watch_layers(any_rank(options_.layer_norms));  // which needs whole gradients, from all ranks
      objectives_.begin_sharing(options_.ranks, state_);
    }
    const bool is_watched = options_.on_step && !options_.late_reports;
    is_late_ = objectives_.may_be_late() && !options_.ranks && !options_.layer_norms && !is_watched;
    may_lag_ = options_.ranks && !any_rank(options_.collect || is_watched);  // all ranks send at the same time
    batches_ =
        Batches(RowOrder(options_, length_, rows_, position_.first_step), options_.collect ? nullptr : &numbers_);
    history_.steps.reserve(static_cast<std::size_t>(
        std::clamp<std::int64_t>(position_.total_steps - done(), 0, std::min(options_.reports, most_reserved))));
    if (training.streams()) {
      const bool own_rows =
          options_.ranks && objectives_.cut_batches(state_, training, length_.rows_a_step, shard_size_);
      batches_.read_ahead(training, done(), position_.total_steps, own_rows ? options_.ranks.get() : nullptr,
                          shard_size_, objectives_.workers().threads());
    }
    while (done() < position_.total_steps && !over_) train_one_step();
    finish();
  }

  /// Steps that this run has done so far.
  [[nodiscard]] std::int64_t done() const { return state_.step - position_.first_step; }

  void set_lengths() {
    rows_ = training_->rows();
    length_ = run_length(options_, rows_);
    steps_an_epoch_ = length_.steps_an_epoch;
    position_.first_step = state_.step;
    position_.total_steps = length_.steps;
    position_.plateaus.resize(optimizers_.size());
  }

  /// Steps between two collections, if the run makes its own rows.
  [[nodiscard]] std::int64_t collected_every() const { return steps_an_epoch_ * options_.passes; }

  void check() const {
    const auto wrong = [](std::string_view what, auto value, std::string_view wanted) {
      fail<UsageError>("[fit] {} = {}. Wanted: {}", what, value, wanted);
    };
    if (rows_ == 0) fail<UsageError>("[fit] the data has no rows to train on");
    if (options_.epochs < 1 && options_.steps < 1) wrong("epochs", options_.epochs, ">= 1");
    if (options_.batch_size < 0) wrong("batch_size", options_.batch_size, ">= 1, or 0 for the whole set");
    const std::tuple<std::string_view, std::int64_t, std::int64_t> least[] = {
        {"steps", options_.steps, 0},           {"shard_size", options_.shard_size, 0},
        {"accumulate", options_.accumulate, 1}, {"reports", options_.reports, 2},
        {"stop_after", options_.stop_after, 0}, {"keep_checkpoints", options_.keep_checkpoints, 1},
        {"passes", options_.passes, 1}};
    for (const auto& [what, value, wanted] : least) {
      if (value < wanted) wrong(what, value, fmt::format(">= {}", wanted));
    }
    for (const Optimizer* optimizer : optimizers_) {
      if (owns_steps(*optimizer)) check_whole_steps(*optimizer);
      const Asks asks = asks_of(*optimizer);
      if (!(asks.anchored || asks.per_row) || !training_->streams()) continue;
      fail<UsageError>(
          "[{}] it needs all rows at once, and these are read batch by batch. Hint: take(rows) reads them.",
          optimizer->name);
    }
    if (options_.early_stopping && !validation_ && options_.early_stopping->metric.starts_with("validation.")) {
      fail<UsageError>(
          "[fit] early stopping on '{}' without validation data. Hint: validation = 0.1 holds a tenth of the rows out.",
          options_.early_stopping->metric);
    }
  }

  /// A method that compares values at several points needs the same rows at each of them.
  void check_whole_steps(const Optimizer& optimizer) const {
    if (training_->streams())
      fail<UsageError>(
          "[{}] it needs all rows at once, and these are read batch by batch. Hint: take(rows) reads them.",
          optimizer.name);
    if (length_.rows_a_step < rows_) {
      fail<UsageError>(
          "[{}] batch_size = {}, of {} rows. Wanted: all of them in each step, for it compares values. Hint: "
          "batch_size = \"all\" in a configuration, 0 in a program",
          optimizer.name, options_.batch_size, rows_);
    }
    if (options_.layer_norms)
      fail<UsageError>("[{}] layer_norms: its steps are of several gradients. Hint: leave it out.", optimizer.name);
  }

  /// Reports errors that would otherwise occur after the first epoch before the first step.
  void check_objective() {
    std::vector<std::string> measured = objectives_.check(state_, *training_, Mode::train);
    measured.insert(measured.begin(), "loss");
    row_weights_ = objectives_.row_weights(state_, *training_);
    if (!options_.validation_average.empty()) (void)state_.average(options_.validation_average);
    if (validation_) {
      const std::vector<std::string> reports = objectives_.check(state_, *validation_, Mode::evaluate);
      for (const std::string& name : metric_names(loss_, *validation_)) measured.push_back("validation." + name);
      for (const std::string& name : reports) measured.push_back("validation." + name);
    }
    const auto expect = [&](const std::string& metric, std::string_view who) {
      if (std::ranges::find(measured, metric) != measured.end()) return;
      fail<UsageError>("[{}] there is no metric '{}'. Hint: measured are {}.", who, metric, fmt::join(measured, ", "));
    };
    if (options_.early_stopping) expect(options_.early_stopping->metric, "early_stopping");
    for (const Optimizer* optimizer : optimizers_) {
      if (const auto& rule = optimizer->schedule.plateau()) expect(rule->metric, "reduce_on_plateau");
    }
  }

  /// Collects new rows with the present state if they are due. Returns false if the run is to end, in which case the
  /// rows may be incomplete.
  [[nodiscard]] bool collect() {
    if (done() % collected_every() != 0) return true;
    bool stopped = false;
    CollectRequest request{collection_ ? &*collection_ : nullptr, done() / collected_every(), options_.seed};
    request.stop = [&] { return stopped = stopped || options_.stop.stop_requested(); };
    Collection made = options_.collect(objectives_.evaluation_state(state_), request);
    stopped = any_rank(stopped);
    if (!stopped) take(std::move(made));
    return !stopped;
  }

  void stop_before_step() {
    if (options_.ranks) compare_replicas(*options_.ranks, state_, !objectives_.shares_slots());
    if (done() == 0 || last_checkpoint_ != state_.step) checkpoint();  // from which a resumed run collects again
    end_by(StopReason::stop_requested);
  }

  void take(Collection collection) {
    if (collection.rows.rows() != rows_ || !are_columns_of(columns_of(*training_), collection.rows))
      fail<UsageError>("[collect] {} rows of other columns than were announced, or not as many. Wanted: {} rows of {}",
                       collection.rows.rows(), rows_, fmt::join(training_->names(), ", "));
    collection_ = std::move(collection);
    training_ = &collection_->rows;
    row_weights_ = objectives_.row_weights(state_, *training_);
  }

  void start_or_resume() {
    if (options_.resume && !options_.checkpoints.empty()) {
      auto found = newest_checkpoint(options_.checkpoints.string(), objectives_.evaluation_state(state_), fingerprint_,
                                     history_.warnings);
      if (found) {
        const bool has_none = found->fingerprint.empty();  // older versions wrote none unless a program gave one
        if (!has_none && found->fingerprint != fingerprint_) {
          fail<UsageError>("[resume] the checkpoint is of another configuration: {}",
                           fmt::join(differences(options_in(found->fingerprint), options_in(fingerprint_)), "; "));
        }
        if (found->position.total_steps != position_.total_steps) {
          fail<UsageError>(
              "[resume] the run had {} steps, and this one would have {}. Hint: a run keeps its horizon; "
              "--stop-after stops early.",
              found->position.total_steps, position_.total_steps);
        }
        state_ = std::move(found->state);
        position_ = found->position;
        position_.plateaus.resize(optimizers_.size());
        if (const std::string changed = difference(found->made_on, made_on(objectives_.device())); !changed.empty())
          history_.warnings.push_back("the run began elsewhere, and its last digits may differ: " + changed);
        best_parameters_ = std::move(found->best_parameters);
        if (options_.collect && !found->collection && done() > 0)
          fail<ModelError>("[resume] the checkpoint has no collection to go on with");
        if (options_.collect && found->collection) take(std::move(*found->collection));
      }
    }
    if (objectives_.ended(state_)) over_ = true;
    // the run was killed after its last step, before its end was written
    if (waited_long_enough()) end_by(StopReason::stopped_early);
    last_checkpoint_ = state_.step;
    checkpoint_every_ =
        std::max<std::int64_t>(1, options_.checkpoint_every.steps(position_.total_steps, steps_an_epoch_));
  }

  void train_one_step() {
    if (options_.collect && !collect()) return stop_before_step();
    const Objectives::Clock clock{done(), position_.total_steps, steps_an_epoch_, position_.plateaus};
    const auto batch = batches_.of(*training_, done());
    if (is_late_) {
      arrived_.clear(), taken_ = 0;
      objectives_.round_late(state_, batch, clock, shard_size_, row_weights_, arrived_);
    } else {
      objectives_.round(state_, batch, clock, shard_size_, row_weights_, report_, may_lag_);
      for (const auto& [name, value, weight] : objectives_.measured()) add_report(name, value, weight);
    }
    if (owns_steps_ && objectives_.ended(state_)) over_ = true;  // the method found that no further step is possible
    if (done() > epoch_ * steps_an_epoch_) epoch_ = (done() - 1) / steps_an_epoch_ + 1;
    const bool epoch_ends = done() == epoch_ * steps_an_epoch_ || done() == position_.total_steps;
    const bool after = options_.stop_after > 0 && done() >= options_.stop_after;
    const bool due = state_.step - last_checkpoint_ >= checkpoint_every_;
    if (is_late_) {
      take_arrived(epoch_ends || after || due);
    } else {
      report_.epoch = epoch_;
      take(report_);
    }
    if (epoch_ends) {
      objectives_.settle();
      end_epoch();
    }
    const bool asked = any_rank(options_.stop.stop_requested());
    if (is_late_ && asked) take_arrived(true);
    const bool ended = done() >= position_.total_steps || over_;
    const bool kept = due || ((asked || after) && !ended);
    const bool compares = options_.ranks && (kept || state_.step % compared_every == 0);
    if (compares || ended || asked || after) objectives_.settle();
    if (compares) compare_replicas(*options_.ranks, state_, !objectives_.shares_slots());
    if (kept) checkpoint();
    if (!ended && (asked || after)) end_by(asked ? StopReason::stop_requested : StopReason::stop_after);
    const bool is_last = ended || over_;
    const std::span<const StepReport> reports =
        is_late_ ? std::span<const StepReport>(arrived_) : std::span(&report_, 1);
    for (const StepReport& report : reports) {
      const bool last = is_last && &report == &reports.back();
      if (report.weight != 0 || last) keep(report, last);  // without samples that have a weight there is no loss
    }
  }

  void take(StepReport& report) {
    if (!options_.layer_norms) report.layer_norms.clear();
    report.total_steps += position_.first_step;
    if (std::isfinite(report.loss)) {  // it is not finite if skip_nonfinite skipped the step
      position_.epoch_loss += report.loss * report.weight;
      position_.epoch_weight += report.weight;
    }
    if (options_.on_step) options_.on_step(report);
  }

  /// Takes the reports that have arrived, or waits for `all` reports of the steps so far.
  void take_arrived(bool all) {
    if (all) objectives_.await(state_, arrived_);
    for (; taken_ < arrived_.size(); ++taken_) {
      StepReport& report = arrived_[taken_];
      report.epoch = (report.step - position_.first_step - 1) / steps_an_epoch_ + 1;
      for (const auto& [name, value] : report.metrics) add_report(name, value, static_cast<double>(report.samples));
      take(report);
    }
  }

  void add_report(const std::string& name, double value, double weight) {
    auto at = std::ranges::find(position_.reports, name, &RunPosition::Running::name);
    if (at == position_.reports.end()) at = position_.reports.insert(at, {name});
    if (!std::isfinite(value)) return;
    at->sum += value * weight;
    at->weight += weight;
  }

  /// Limits the memory for reports of a long run: once there are as many as requested, every second one is dropped.
  void keep(const StepReport& report, bool is_last) {
    auto& kept = history_.steps;
    const auto is_between = [&](const StepReport& step) {
      return ((step.step - 1) & (reports_every_ - 1)) != 0;  // reports_every_ is a power of two
    };
    if (!is_last && !is_between(report) && std::ssize(kept) == options_.reports) {
      reports_every_ *= 2;
      std::erase_if(kept, is_between);
    }
    if (is_last || !is_between(report)) kept.push_back(report);
  }

  void end_epoch() {
    EpochReport report;
    report.epoch = (done() - 1) / steps_an_epoch_ + 1;
    report.step = state_.step;
    report.metrics.emplace_back("loss", position_.epoch_loss / position_.epoch_weight);
    for (const auto& [name, sum, weight] : position_.reports) report.metrics.emplace_back(name, sum / weight);
    position_.epoch_loss = position_.epoch_weight = 0;
    position_.reports.clear();
    if (collection_)
      report.metrics.insert(report.metrics.end(), collection_->metrics.begin(), collection_->metrics.end());
    if (validation_) {
      State measured = objectives_.evaluation_state(state_);
      if (!options_.validation_average.empty()) measured = measured.average(options_.validation_average);
      const Metrics metrics = evaluation_on(objectives_, measured, loss_, *validation_, validation_weight_).metrics;
      if (!metrics.empty() && !std::isfinite(metrics.front().second) && validation_weight_ != 0)
        expect_finite_rows(*validation_);
      for (const auto& [name, value] : metrics) report.metrics.emplace_back("validation." + name, value);
      if (validation_weight_ == 0 && history_.epochs.empty())
        history_.warnings.emplace_back(
            "the validation rows weigh nothing in the loss: neither early stopping nor the verdict uses it");
    }
    report.seconds = seconds();
    ++position_.epochs_recorded;
    watch_plateau(report);
    watch_best(report);
    history_.epochs.push_back(report);
    if (options_.on_epoch) options_.on_epoch(report);
  }

  /// Nothing for the loss of an objective that took no turn in the epoch. That there is such a metric is checked
  /// before.
  [[nodiscard]] static std::optional<double> metric_of(const EpochReport& report, const std::string& name) {
    const auto found = std::ranges::find(report.metrics, name, &Metrics::value_type::first);
    return found == report.metrics.end() ? std::nullopt : std::optional(found->second);
  }

  void watch_plateau(const EpochReport& report) {
    for (std::size_t i = 0; i < optimizers_.size(); ++i) {
      const auto& rule = optimizers_[i]->schedule.plateau();
      PlateauState& plateau = position_.plateaus[i];
      const bool is_measured = rule && (validation_weight_ != 0 || !rule->metric.starts_with("validation."));
      const auto value = is_measured ? metric_of(report, rule->metric) : std::nullopt;
      if (value) plateau = rule->observe(plateau, *value);
    }
  }

  void watch_best(EpochReport& report) {
    if (!options_.early_stopping) return;
    const EarlyStopping& rule = *options_.early_stopping;
    const auto measured = metric_of(report, rule.metric);
    if (!measured) return;
    const double value = *measured;
    position_.measured_step = state_.step;
    const bool higher = metric_is_better_when_higher(rule.metric.substr(rule.metric.find('.') + 1));
    const bool better =
        !position_.best_value || (higher ? value > *position_.best_value : value < *position_.best_value);
    if (better && !std::isnan(value)) {
      position_.best_value = value;
      position_.best_epoch = report.epoch;
      position_.best_step = state_.step;
      // a checkpoint has them also where they are not restored: the verdict compares the last epoch with them
      if (rule.restore_best || !options_.checkpoints.empty())
        best_parameters_ = objectives_.evaluation_state(state_).parameters;
      report.best = true;
    } else if (waited_long_enough()) {
      end_by(StopReason::stopped_early);
    }
  }

  /// Whether early stopping ends the run here. It depends only on the position, so that a resumed run decides the same
  /// way. Without a measured value, it never ends the run.
  [[nodiscard]] bool waited_long_enough() const {
    if (!options_.early_stopping || !position_.best_value || done() % steps_an_epoch_ != 0) return false;
    if (position_.measured_step != state_.step) return false;
    if (done() >= position_.total_steps) return false;
    const std::int64_t patience = options_.early_stopping->patience.steps(position_.total_steps, steps_an_epoch_);
    const std::int64_t best = std::max(position_.best_step, position_.first_step);
    return state_.step > best && state_.step - best >= patience;
  }

  void end_by(StopReason reason) {
    history_.reason = reason;
    over_ = true;
  }

  void checkpoint() {
    last_checkpoint_ = state_.step;
    if (options_.checkpoints.empty()) return;
    write_by_ranks(options_.ranks.get(), objectives_, options_.checkpoints.string(),
                   {state_, best_parameters_, position_, fingerprint_, collection_, made_on(objectives_.device())},
                   options_.keep_checkpoints);
  }

  void finish() {
    const bool ended = history_.reason == StopReason::finished || history_.reason == StopReason::stopped_early;
    if (ended && last_checkpoint_ != state_.step) checkpoint();
    if (options_.ranks) {
      state_ = objectives_.whole(*options_.ranks, state_, true);
      objectives_.end_sharing();
    }
    const bool restores = best_parameters_ && (!options_.early_stopping || options_.early_stopping->restore_best);
    if (ended) {
      stepped_ = restores ? Tensor() : state_.parameters;
      state_.parameters = restores ? *best_parameters_ : objectives_.evaluation_state(state_).parameters;
    }
    history_.best_epoch = position_.best_epoch;
    history_.best_restored = ended && restores;
    history_.seconds = seconds();
  }

  /// True on all ranks if it is true on one, so that they stop together.
  [[nodiscard]] bool any_rank(bool stops) const {
    return options_.ranks ? thalweg::any_rank(*options_.ranks, stops) : stops;
  }

  [[nodiscard]] double seconds() const { return std::chrono::duration<double>(Clock::now() - started_).count(); }

  Objectives& objectives_;
  std::vector<const Optimizer*> optimizers_;
  bool owns_steps_;  // whether one of the methods owns its steps
  State& state_;
  const LossFunction* loss_;
  const FitOptions& options_;
  const RowNumbers& numbers_;
  std::string fingerprint_;
  History history_;
  bool over_ = false;
  const Dataset* training_ = nullptr;
  const Dataset* validation_ = nullptr;
  RunPosition position_;
  std::optional<Tensor> best_parameters_;
  Tensor stepped_;
  std::optional<Collection> collection_;  // the training rows, if the run makes them itself
  RunLength length_;
  std::int64_t rows_ = 0, steps_an_epoch_ = 1, epoch_ = 0, shard_size_ = 0, checkpoint_every_ = 1, last_checkpoint_ = 0,
               reports_every_ = 1;
  double validation_weight_ = 0;  // total weight of the validation rows at the last measurement
  Batches batches_;
  StepReport report_;                // report of the last step
  bool is_late_ = false;             // whether reports may come later than their steps
  bool may_lag_ = false;             // whether parameters from other ranks may come later than their step
  std::vector<StepReport> arrived_;  // including the last step; the first `taken_` of them are processed
  std::size_t taken_ = 0;
  Objectives::RowWeights row_weights_;  // see Engine::row_weights
  Clock::time_point started_ = Clock::now();
};

}  // namespace

History run_fit(Objectives& objectives, State& state, const LossFunction* loss, const FitOptions& options,
                const Dataset& training, const Dataset* validation, const RowNumbers& numbers, Tensor& stepped) {
  Fit fit(objectives, state, loss, options, numbers);
  History history = fit.run(training, validation);
  stepped = fit.stepped();
  return history;
}

}  // namespace thalweg
