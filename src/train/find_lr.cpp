// The search for a learning rate: a range test, then short trainings with rates near those that it suggests.

#include "thalweg/find_lr.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <map>
#include <ranges>
#include <stop_token>

#include "core/counted.hpp"
#include "core/error.hpp"
#include "data/split.hpp"
#include "engine/run_length.hpp"
#include "insight/lr_curve.hpp"
#include "optim/asks.hpp"

namespace thalweg {

namespace {

using Clock = std::chrono::steady_clock;
using MakeTrainer = std::function<Trainer(Optimizer)>;

constexpr std::int64_t fewest_steps = 1000;  // of a trial; a shorter one says little about a whole run
constexpr double infinite = std::numeric_limits<double>::infinity();

/// The rates tried, a factor of sqrt(10) apart, by index.
using Trials = std::map<int, LrTrial>;

void check(const FindLrOptions& options) {
  const auto wrong = [](std::string_view what, auto value, std::string_view wanted) {
    fail<UsageError>("[find_lr] {} = {}. Wanted: {}", what, value, wanted);
  };
  if (!positive.contains(options.start)) wrong("start", options.start, "> 0");
  if (!(options.end > options.start) || !std::isfinite(options.end)) wrong("end", options.end, "> start");
  if (options.steps < 10) wrong("steps", options.steps, ">= 10");
  if (!below_one.contains(options.smoothing)) wrong("smoothing", options.smoothing, below_one.str());
  const bool part = options.trial.unit == Duration::Unit::percent;
  if (!(options.trial.amount > 0) || (part && options.trial.amount > 100))
    wrong("trial", options.trial.str(), "above 0, and at most 100%");
  if (options.trials < 0) wrong("trials", options.trials, ">= 0");
}

class Search {
 public:
  Search(MakeTrainer make, const Optimizer& optimizer, const Dataset& data, const FitOptions& run,
         const FindLrOptions& options)
      : make_(std::move(make)), optimizer_(optimizer), data_(data), run_(run), options_(options) {
    check(options);
    if (!run_.validation_data && run_.validation > 0) {
      const auto split = data::split_fraction(data.rows(), run_.validation, run_.seed);
      run_.validation_data = data.select(split.held_out);
      data_ = data.select(split.train);
    }
    run_.validation = 0;
    run_.early_stopping.reset();
    run_.on_epoch = nullptr;
    run_.checkpoints = {};
    run_.resume = false;
    run_.stop_after = 0;
    run_.stop = options.stop;
  }

  LrFinding run() {
    if (owns_steps(optimizer_))
      fail<UsageError>("[find_lr] {} takes no rate: it finds the length of each step itself.", optimizer_.name);
    sweep();
    const std::vector<LrSuggestion> read = suggestions_of(finding_.curve, options_.smoothing, finding_.diverged);
    if (read.empty() && !stopped()) {
      fail<UsageError>("[find_lr] the loss blew up in step {} of the sweep. Hint: a lower start than {}.",
                       finding_.curve.size() + 1, options_.start);
    }
    if (!stopped() && options_.trials == 0) expect_a_fall(read);
    if (!stopped() && options_.trials > 0) try_rates(middle_of(read));
    finding_.suggestions.insert(finding_.suggestions.end(), read.begin(), read.end());
    finding_.stopped = stopped();
    finding_.seconds = std::chrono::duration<double>(Clock::now() - began_).count();
    return std::move(finding_);
  }

 private:
  [[nodiscard]] bool stopped() const { return options_.stop.stop_requested(); }

  void sweep() {
    Optimizer optimizer = optimizer_;
    const double growth = std::log(options_.end / options_.start) / static_cast<double>(options_.steps - 1);
    optimizer.lr = options_.start;
    optimizer.schedule =
        Schedule("sweep", {}, [=](const Progress& at) { return std::exp(growth * static_cast<double>(at.step)); });
    std::stop_source blown_up;
    SmoothedLoss smoothed(options_.smoothing);
    FitOptions fit = run_;
    fit.validation_data.reset();
    fit.steps = options_.steps;
    fit.stop = blown_up.get_token();
    fit.on_step = [&](const StepReport& report) {
      count(report);
      if (report.weight == 0) return;  // no sample has a weight
      const double mean = smoothed.add(report.loss);
      if (std::isfinite(mean)) finding_.curve.push_back({report.step, report.lr, report.loss, mean});
      finding_.diverged = smoothed.blew_up();
      if (finding_.diverged || stopped()) blown_up.request_stop();
    };
    try {
      make_(optimizer).fit(data_, fit);
    } catch (const NumericError&) {
      finding_.diverged = true;
    }
  }

  void count(const StepReport& report) {
    ++finding_.steps;
    finding_.samples += report.samples;
    if (run_.on_step) run_.on_step(report);
  }

  /// Without trials a rate is derived only from the curve; a curve that rises, or nowhere falls below its start,
  /// supports no rate.
  void expect_a_fall(const std::vector<LrSuggestion>& read) const {
    const double first = finding_.curve.front().loss;
    const double lowest =
        std::ranges::min_element(finding_.curve | std::views::drop(1), {}, &LrPoint::smoothed)->smoothed;
    if (read.front().confidence > 0 && lowest - first < std::abs(first)) return;
    fail<UsageError>(
        "[find_lr] between the rates {:.2g} and {:.2g} the loss falls nowhere below {:.4g}, where it began. Hint: a "
        "lower start, or trials, which try rates below it.",
        options_.start, finding_.curve.back().lr, first);
  }

  /// The rate in the middle of the suggestions.
  static double middle_of(const std::vector<LrSuggestion>& read) {
    std::vector<double> rates;
    for (const LrSuggestion& suggestion : read) rates.push_back(suggestion.lr);
    std::ranges::sort(rates);
    return rates[rates.size() / 2];
  }

  /// Tries rates, starting in the middle and moving towards lower losses, until the rates on both sides of the best are
  /// worse.
  void try_rates(double middle) {
    const RunLength length = run_length(run_, data_.rows());
    const std::int64_t wanted = options_.trial.steps(length.steps, length.steps_an_epoch);
    const bool part = options_.trial.unit == Duration::Unit::percent;
    finding_.trial_steps = std::clamp<std::int64_t>(part ? std::max(wanted, fewest_steps) : wanted, 1, length.steps);
    Trials trials;
    const auto try_at = [&](int place) {
      if (static_cast<int>(trials.size()) >= options_.trials || stopped()) return false;
      const double lr = rounded_lr(middle * std::pow(10, place / 2.0));
      trials[place] = {lr, loss_after(lr)};
      if (options_.on_trial) options_.on_trial(trials[place]);
      return true;
    };
    const auto best = [&] {
      return std::ranges::min_element(trials, {}, [](const auto& t) { return t.second.loss; })->first;
    };
    for (bool more = try_at(0); more;) {
      const int at = best();
      const bool higher = trials.contains(at + 1), lower = trials.contains(at - 1);
      more = !(higher && lower) && try_at(lower ? at + 1 : at - 1);
    }
    for (const auto& [place, trial] : trials) finding_.trials.push_back(trial);
    if (!stopped()) add_best(trials, best());
  }

  /// The loss at the end of a trial; infinite if it diverges.
  double loss_after(double lr) {
    Optimizer optimizer = optimizer_;
    optimizer.lr = lr;
    FitOptions fit = run_;
    if (!optimizer_.schedule.plateau()) fit.validation_data.reset();  // it would be measured in every epoch
    fit.steps = finding_.trial_steps;
    fit.on_step = [&](const StepReport& report) { count(report); };
    try {
      Trainer trainer = make_(optimizer);
      const Dataset& rows = run_.validation_data ? *run_.validation_data : data_;
      trainer.init(data_.slice(0, 1), run_.seed);
      if (std::isnan(untrained_)) untrained_ = trainer.evaluate(rows)["loss"];
      trainer.fit(data_, fit);
      const double loss = trainer.evaluate(rows)["loss"];
      return std::isfinite(loss) ? loss : infinite;
    } catch (const NumericError&) {
      return infinite;
    }
  }

  void add_best(const Trials& trials, int at) {
    const LrTrial& best = trials.at(at);
    if (best.loss == infinite) {
      fail<UsageError>("[find_lr] every rate that was tried diverged, down to {}. Hint: a lower start, or clip_norm.",
                       trials.begin()->second.lr);
    }
    const bool inside = trials.contains(at - 1) && trials.contains(at + 1), gains = !(best.loss >= untrained_);
    std::string others;
    for (const auto& [place, trial] : trials) {
      if (place != at) others += fmt::format(", {:.4g} at {:.2g}", trial.loss, trial.lr);
    }
    finding_.suggestions.push_back(
        {"trials", best.lr,
         !gains   ? 0
         : inside ? 0.9
                  : 0.5,
         fmt::format("After a trial of {} the loss was {:.4g} here{}.{}{}", counted(finding_.trial_steps, "steps"),
                     best.loss, others, inside ? "" : " The best may lie further out: raise --trials.",
                     gains ? "" : fmt::format(" None is below {:.4g}, that of the untrained model.", untrained_))});
  }

  MakeTrainer make_;
  const Optimizer& optimizer_;
  Dataset data_;
  FitOptions run_;
  const FindLrOptions& options_;
  LrFinding finding_;
  double untrained_ = std::numeric_limits<double>::quiet_NaN();  // the loss of trials before their first step
  Clock::time_point began_ = Clock::now();
};

}  // namespace

LrFinding find_lr(const ModelFunction& model, const LossFunction& loss, const Optimizer& optimizer, const Dataset& data,
                  const FitOptions& run, const FindLrOptions& options) {
  const MakeTrainer make = [&](Optimizer with) { return Trainer(model, loss, std::move(with), options.threads); };
  return Search(make, optimizer, data, run, options).run();
}

LrFinding find_lr(const Objective& objective, const Optimizer& optimizer, const Dataset& data, const FitOptions& run,
                  const FindLrOptions& options) {
  const MakeTrainer make = [&](Optimizer with) { return Trainer(objective, std::move(with), options.threads); };
  return Search(make, optimizer, data, run, options).run();
}

double LrFinding::lr() const {
  if (suggestions.empty()) fail<UsageError>("[find_lr] it was stopped before it found a rate");
  return suggestions.front().lr;
}

}  // namespace thalweg
