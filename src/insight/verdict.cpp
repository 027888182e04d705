#include "insight/verdict.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "core/counted.hpp"
#include "core/hint.hpp"
#include "core/numbers.hpp"
#include "insight/attempts.hpp"
#include "insight/goal.hpp"
#include "insight/gradient_flow.hpp"
#include "insight/held_out.hpp"
#include "insight/late_gain.hpp"
#include "insight/pace.hpp"
#include "insight/point.hpp"
#include "insight/silent_layers.hpp"

namespace thalweg {

std::string_view name(VerdictKind kind) {
  switch (kind) {
    case VerdictKind::diverged: return "diverged";
    case VerdictKind::unstable: return "unstable";
    case VerdictKind::spikes: return "spikes";
    case VerdictKind::dead_gradients: return "dead gradients";
    case VerdictKind::at_saddle: return "at a saddle";
    case VerdictKind::on_plateau: return "on a plateau";
    case VerdictKind::learned_nothing: return "learned nothing";
    case VerdictKind::overfitting: return "overfitting";
    case VerdictKind::crawling: return "crawling";
    case VerdictKind::still_falling: return "still falling";
    case VerdictKind::too_short: return "too short to judge";
    case VerdictKind::schedule_ended: return "the schedule ended it";
    case VerdictKind::converged: return "converged";
    case VerdictKind::still_rising: return "still rising";
    case VerdictKind::not_judged: return "not judged";
  }
  return "";
}

namespace {

// Further conditions of the rules, besides their thresholds.
constexpr std::size_t fewest_steps = 10;
constexpr double blow_up_margin = 0.05;  // of the first loss: a smaller rise does not count as divergence
constexpr double stayed_up = 0.1;        // of the first loss: smallest fall below it that counts as coming back
constexpr double crawling_fall = 0.5;    // a run that fell by more than this fraction of its first loss does not crawl
constexpr double motionless_gradient = 0.5;  // the gradient kept at least this fraction of its norm
constexpr double at_rest = 0.02;             // a run that gained more in its second half is not at rest
constexpr double on_its_way = 0.01;          // a run that will be better than the constant falls by this fraction,
constexpr double of_few_epochs = 0.002;      // or by this one where it has few epochs

struct Rule {
  VerdictRule row;
  Measure measure;
  std::string_view advice;
  Attempt attempt = nullptr;
};

std::optional<Evidence> gradient_ratio(const Course& run) {
  if (run.gradient.empty()) return std::nullopt;
  const double first = level_of(run.gradient, 0, 0.2), last = level_of(run.gradient, 0.8, 1);
  if (!(first > 0)) return std::nullopt;
  return Evidence{"gradient_ratio", last / first,
                  fmt::format("The norm of the gradient is {} in the last fifth of the run and was {} in the first.",
                              number_text(last, 3), number_text(first, 3))};
}

// ---------------------------------------------------------------- diverged, unstable

std::optional<Finding> not_finite(const Case& run) {
  const Values& raw = run.course.raw;
  const auto broken = std::ranges::find_if_not(raw, [](double loss) { return std::isfinite(loss); });
  if (broken == raw.end() && run.options.failure.empty()) return std::nullopt;
  if (!run.options.failure.empty()) {
    return Finding{
        1, "", {{"step", static_cast<double>(run.options.failed_step), std::string(before_hint(run.options.failure))}}};
  }
  const auto at = static_cast<std::size_t>(broken - raw.begin());
  const bool by_steps = run.course.by_steps;
  const auto when = by_steps ? run.history.steps[at].step : static_cast<std::int64_t>(at) + 1;
  const std::string unit = by_steps ? "step" : "epoch";
  return Finding{1,
                 "Diverged: the loss is no longer a number.",
                 {{unit, static_cast<double>(when), fmt::format("The loss is {} in {} {}.", *broken, unit, when)}}};
}

/// Whether there are too few losses to judge: one of a few batches may be hard by chance, unless its loss is enormous.
bool few_losses(const Course& run, double highest) {
  return run.raw.size() < fewest_steps && highest < 10 * std::abs(run.first);
}

std::optional<Finding> gave_back(const Case& c) {
  const Course& run = c.course;
  if (run.raw.empty()) return std::nullopt;
  const double lowest = *std::ranges::min_element(run.steady), last = run.steady.back();
  if (few_losses(run, last)) return std::nullopt;
  const double gained = std::max(0.0, run.first - lowest), rise = last - lowest;
  const double length = static_cast<double>(run.raw.size()) / static_cast<double>(run.stretches.loss.size());
  const double margin = blow_up_margin * std::abs(run.first) + significance * noise_of(run.raw) * std::sqrt(2 / length);
  const double constant = c.options.constant_training;  // a run near this level may have learned nothing
  if (rise <= margin || last < 1.2 * constant) return std::nullopt;
  // the loss of a batch with few rows, such as the last of an epoch, rises by chance; an epoch has every row once
  const Values& epochs = run.epochs.loss;
  const bool measured = epochs.size() >= fewest_epochs;
  if (measured && epochs.back() - *std::ranges::min_element(epochs) <= blow_up_margin * std::abs(run.first))
    return std::nullopt;
  return Finding{(rise - margin) / std::max(gained, 1e-300),
                 "",
                 {from_to(run),
                  {"rise", rise,
                   fmt::format("Its lowest value was {}; it ended {} above that.", number_text(lowest, 4),
                               number_text(rise, 4))}}};
}

/// The loss at the beginning, at least that of the best constant: the first batch may have been an easy one.
double beginning(const Case& c) {
  const double first = c.course.raw.front(), constant = c.options.constant_training;
  return constant > first ? constant : first;
}

/// How far the loss stood above its beginning, relative to the beginning and minus what chance explains. Single steps
/// do not count: see `spikes`.
std::optional<Finding> stood_high(const Case& c, double most_back) {
  const Course& run = c.course;
  if (run.raw.empty() || run.raw.front() == 0) return std::nullopt;
  const double began = beginning(c), highest = *std::ranges::max_element(run.steady);
  const double by_chance = significance * noise_of(std::span(run.raw).subspan(run.raw.size() / 2));
  if ((began - run.last) / std::abs(began) >= most_back || few_losses(run, highest)) return std::nullopt;
  return Finding{(highest - began - by_chance) / std::abs(began),
                 "",
                 {{"highest", highest,
                   fmt::format("The training loss began at {}, rose to {} and ended at {}.",
                               number_text(run.raw.front(), 4), number_text(highest, 4), number_text(run.last, 4))}}};
}
std::optional<Finding> blew_up(const Case& c) { return stood_high(c, stayed_up); }
std::optional<Finding> came_back(const Case& c) { return stood_high(c, 0.5); }

/// A few single steps with a loss of more than twice the first and ten times that of the steps around them. As the
/// steps around them keep their level, the cause is outlier rows, not the parameters.
std::optional<Finding> spikes(const Case& c) {
  constexpr double times_around = 10, most_of_all = 0.02;
  const Course& run = c.course;
  const std::size_t count = run.raw.size(), stretches = run.steady.size();
  if (!run.by_steps || count <= stretches) return std::nullopt;
  double spiked = 0, highest = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const double around = run.steady[std::min(stretches - 1, i * stretches / count)];
    if (!(run.raw[i] > 2 * std::abs(beginning(c))) || !(run.raw[i] > times_around * std::abs(around))) continue;
    ++spiked;
    highest = std::max(highest, run.raw[i]);
  }
  if (spiked > std::max(1.0, most_of_all * static_cast<double>(count))) return std::nullopt;
  return Finding{spiked,
                 "",
                 {{"spikes", spiked,
                   fmt::format("{} of {} steps had a loss of more than twice the first loss and ten times the loss of "
                               "the steps around them; the highest was {}.",
                               spiked, count, number_text(highest, 4))}}};
}

// ---------------------------------------------------------------- learned nothing, dead gradients

std::optional<Finding> learned_nothing(const Case& c) {
  if (c.course.raw.empty()) return std::nullopt;
  const bool memorised = knows_by_heart(c);
  if (!memorised && (falls_by(c, on_its_way) || falls_in_each_epoch(c, of_few_epochs))) return std::nullopt;
  Finding finding{like_constant(c), "", {from_to(c.course)}};
  const bool fitted = learned_in_part(c);
  if (memorised || fitted) {
    finding.sentence =
        memorised ? "Learned nothing that generalises: it has memorised the training rows, and on the validation rows "
                    "it is no better than the best constant."
                  : "Learned nothing that generalises: on the training rows it is well below the best constant, and on "
                    "the validation rows no better.";
    finding.advice =
        "Take a smaller model, raise weight_decay, or find more data; or the inputs say nothing about the target.";
  }
  const double validation = c.options.constant_validation;
  const double end = c.course.validation.loss.empty() ? 0 : level_of(c.course.validation.loss, 0.8, 1);
  const bool by_validation = end > like_a_constant * validation || !(c.options.constant_training > 0);
  if (end > 0 && validation > 0 && by_validation) {
    finding.evidence.push_back({"over_constant", end / validation,
                                fmt::format("The validation loss ended at {}; that of {} is {}.", number_text(end, 4),
                                            c.options.constant_name, number_text(validation, 4))});
  } else if (c.options.constant_training > 0) {
    finding.evidence.push_back({"over_constant", c.course.last / c.options.constant_training,
                                fmt::format("The training loss of {} is {}.", c.options.constant_name,
                                            number_text(c.options.constant_training, 4))});
  }
  return finding;
}

// ---------------------------------------------------------------- crawling

std::optional<Finding> with_gradient(const Course& run, Finding finding) {
  if (auto gradient = gradient_ratio(run)) finding.evidence.push_back(std::move(*gradient));
  return finding;
}

std::optional<Finding> vanishing(const Case& c) {
  const auto flow = gradient_flow(c.history);
  const Course& run = c.course;
  if (!flow || flow->flow != Flow::vanishing || run.raw.empty()) return std::nullopt;
  if (!std::isfinite(run.raw.back()) || std::abs(run.fall()) >= stayed_up * std::abs(run.first)) return std::nullopt;
  return Finding{1, "Crawling: the gradient vanishes on its way to the first layers.", {from_to(run)}};
}

/// Whether the validation loss, where it was measured often enough, had levelled out by half of the sum of the learning
/// rates while the training loss still fell: then a higher learning rate would only fit the training rows.
bool validation_rests(const Course& run) {
  constexpr double gained = 0.01;   // of the validation loss
  constexpr double holding = 0.25;  // of the gain of the training loss: a larger gain of the validation loss is real
  if (run.validation.loss.size() < fewest_epochs || run.epochs.loss.empty()) return false;
  const auto gain = [](const Curve& curve) { return curve.at_half_time() - level_of(curve.loss, 0.85, 1); };
  const double validation = gain(run.validation);
  return validation < gained * std::abs(run.validation.at_half_time()) && validation < holding * gain(run.epochs);
}

std::optional<Finding> straight_line(const Case& c) {
  const Course& run = c.course;
  if (validation_rests(run)) return std::nullopt;
  const double part = run.first == 0 ? 0 : run.fall() / std::abs(run.first);
  const Pace few = pace_of_few(c), pace = few.falls ? few : pace_of(run);
  if (part >= crawling_fall || !pace.falls) return std::nullopt;
  return with_gradient(
      run,
      {pace.ratio,
       "",
       {from_to(run),
        {"pace", pace.ratio,
         fmt::format("Against the sum of the learning rates it fell {:.2f} times as fast in the {}: a straight line "
                     "that does not level out.",
                     pace.ratio,
                     few.falls ? "last epoch as in the epochs before" : "second half of the run as in the first")}}});
}

std::optional<Finding> motionless(const Case& c) {
  const Course& run = c.course;
  if (run.stretches.loss.size() < fewest_steps) return std::nullopt;
  const bool by_epochs = run.epochs.loss.size() >= fewest_epochs || falls_in_each_epoch(c, 0);
  const Values& loss = by_epochs ? run.epochs.loss : run.stretches.loss;
  const double part = run.first == 0 ? 0 : run.fall() / std::abs(run.first);
  const double seen = loss.front() == 0 ? 0 : (loss.front() - loss.back()) / std::abs(loss.front());
  const auto gradient = gradient_ratio(run);
  if (part >= stayed_up || !gradient || gradient->value < motionless_gradient) return std::nullopt;
  return with_gradient(
      run, {-seen,
            "",
            {from_to(run),
             {"fall_part", seen,
              fmt::format("Averaged over {}, it {}.", by_epochs ? "epochs" : "stretches of the run",
                          seen > 0 ? fmt::format("fell by only {}", percent_text(seen)) : "did not fall")}}});
}

// ---------------------------------------------------------------- still falling, the schedule ended it, converged

Evidence rate_evidence(double part) {
  return {"final_rate", part,
          fmt::format("The schedule ended at {} of the highest learning rate.", percent_text(part))};
}

std::optional<Finding> schedule_ended(const Case& c) {
  if (c.course.raw.empty() || c.course.final_rate >= annealed) return std::nullopt;
  auto [finding, loss, lowest] = late_gain(c);
  finding.sentence =
      fmt::format("The schedule ended it: the {} {} while the schedule lowered the learning rate{}{}.", loss,
                  lowest.empty() ? "was still falling" : "fell", lowest.empty() ? "" : ", though it was ", lowest);
  finding.evidence.push_back(rate_evidence(c.course.final_rate));
  return with_gradient(c.course, std::move(finding));
}

std::optional<Finding> still_falling(const Case& c) {
  if (c.course.raw.empty()) return std::nullopt;
  auto [finding, loss, lowest] = late_gain(c);
  finding.sentence =
      lowest.empty()
          ? fmt::format("Still falling: the {} had not levelled out when the run ended.", loss)
          : fmt::format("Still falling: the {} fell in the second half of the run, though it was {}.", loss, lowest);
  return with_gradient(c.course, std::move(finding));
}

/// The largest late fall that the noise of the loss can hide: where it is large, the loss may not have levelled out. By
/// the validation loss where it was measured often enough, else by the training loss.
std::optional<Finding> may_still_fall(const Case& c) {
  constexpr std::size_t enough = 20;  // validation losses that show a level
  const Course& run = c.course;
  if (run.stretches.loss.size() < 2 || knows_by_heart(c)) return std::nullopt;
  if (falls_in_each_epoch(c, 0)) {
    const auto epochs = static_cast<double>(run.epochs.loss.size());
    return Finding{1,
                   "",
                   {from_to(run),
                    {"epochs", epochs,
                     fmt::format("In each of {} epochs the training and the validation loss fell, with no bend in "
                                 "sight.",
                                 epochs)}}};
  }
  const bool held_out = run.validation.loss.size() >= enough;
  const Curve& curve = held_out ? run.validation : training_curve(run);
  const double half = curve.at_half_time(), end = level_of(curve.loss, 0.85, 1);
  const double averaged = 0.15 * static_cast<double>(curve.loss.size());  // values in each of the two levels
  const double chance = significance * noise_of(std::span(curve.loss).subspan(curve.loss.size() / 2)) *
                        std::sqrt(2 / std::max(2.0, averaged));
  const double whole = measure_of(c, half, held_out);
  const bool few = !run.epochs.loss.empty() && run.epochs.loss.size() < fewest_epochs;
  const double change = few ? std::abs(half - end) : half - end;  // what rose in a few epochs has no level either
  const bool has_floor = !(c.course.last < 0);  // a loss that is never negative falls by its whole value at most
  const double most = whole == 0 ? 0 : std::min((change + chance) / whole, has_floor && !few ? 1.0 : HUGE_VAL);
  return Finding{
      most,
      "",
      {from_to(run),
       {"late_gain_at_most", most,
        fmt::format("In the second half of {} the {} loss may have {} by up to {} of {}: it varies too much to tell.",
                    second_half_of(run), held_out ? "validation" : "training", few ? "changed" : "fallen",
                    percent_text(most), measure_text(c))}}};
}

/// The kind of point at the end of a run that is at rest and has not learned everything; null for other runs.
const Point* point_of_rest(const Case& c) {
  const Trials* trials = c.options.trials;
  if (!trials || !trials->point || c.course.raw.size() < fewest_steps) return nullptr;
  const double half = c.course.stretches.at_half_time();
  const bool rests = half - c.course.last < at_rest * std::abs(half);
  if (!rests || c.course.last < by_heart * c.course.first) return nullptr;
  if (!c.end) c.end = trials->point();
  return &*c.end;
}

/// Whether a step that was tried from the point lowered the loss. Where none does and the loss is the constant's, the
/// inputs may say nothing about the target.
bool leads_down(const Point& point) {
  constexpr double something = 1e-3;
  return std::ranges::any_of(point.evidence, [&](const Evidence& e) {
    return (e.name == "probe_gain" || e.name == "leaving_gain") && e.value > something;
  });
}

template <PointKind Kind>
std::optional<Finding> rests_at(const Case& c) {
  const Point* point = point_of_rest(c);
  if (!point || point->kind != Kind) return std::nullopt;
  if (Kind == PointKind::plateau && like_constant(c) > like_a_constant && !leads_down(*point)) return std::nullopt;
  Finding finding{1, point->sentence, {from_to(c.course)}};
  finding.evidence.insert(finding.evidence.end(), point->evidence.begin(), point->evidence.end());
  return finding;
}

std::optional<Finding> converged(const Case& c) {
  if (c.course.raw.empty()) return std::nullopt;
  Finding finding = late_gain(c).finding;
  if (c.course.final_rate < annealed) {
    finding.sentence =
        "Converged: the loss has levelled out, and did so before the schedule lowered the learning rate.";
    finding.evidence.push_back(rate_evidence(c.course.final_rate));
  }
  if (c.end) finding.evidence.push_back({"point", c.end->smallest / c.end->largest, c.end->sentence});
  return with_gradient(c.course, std::move(finding));
}

std::optional<Finding> too_short(const Case& c) {
  constexpr std::size_t steps_of_few_epochs = 300;  // steps that a run of one or two epochs needs
  const std::size_t count = c.course.raw.size();
  const bool few_epochs = !c.history.epochs.empty() && c.history.epochs.size() < 3;
  const std::size_t wanted = !c.course.by_steps ? 3 : few_epochs ? steps_of_few_epochs : fewest_steps;
  return Finding{
      static_cast<double>(wanted) - static_cast<double>(count),
      "",
      {{"steps", static_cast<double>(count),
        fmt::format("{} {} recorded; {} are needed to judge a run.",
                    counted(static_cast<std::int64_t>(count), "losses"), count == 1 ? "was" : "were", wanted)}}};
}

constexpr double always = -std::numeric_limits<double>::infinity();

using Kind = VerdictKind;
const Rule rules[] = {
    {{Kind::diverged, "step", 0, "Diverged: a loss or a gradient is not finite."},
     not_finite,
     "A lower lr, a warm-up over the first 5 % of the steps, or clip_norm = 1; none was tried.",
     try_lower_rates},
    {{Kind::diverged, "rise", 0.5, "Diverged: the loss rose again, by more than half of what it had fallen."},
     gave_back,
     "A lower lr, a warm-up over the first 5 % of the steps, or clip_norm = 1; none was tried.",
     try_lower_rates},
    {{Kind::diverged, "highest", 1, "Diverged: the loss blew up, and did not come clearly below its start again."},
     blew_up,
     "A lower lr, a warm-up over the first 5 % of the steps, or clip_norm = 1; none was tried.",
     try_lower_rates},
    {{Kind::unstable, "highest", 1, "Unstable: the loss blew up during training, and has recovered only in part."},
     came_back,
     "A lower lr, a warm-up over the first 5 % of the steps, or clip_norm = 1; none was tried.",
     try_lower_rates_for_more},
    {{Kind::too_short, "steps", 0, "Too short to judge: the loss may still be falling."}, too_short, "Train longer."},
    {{Kind::crawling, "gradient_flow", 0, "Crawling: the gradient vanishes on its way to the first layers."},
     vanishing,
     "Initialise with he_normal for relu, normalise (norm = \"batch\"), or add residual connections."},
    {{Kind::dead_gradients, "dead_layers", 0,
      "Dead gradients: the gradient of some layers is 0, and nothing was learned."},
     dead_gradients,
     "Initialise the weights with he_normal. If they are, and the activation is relu, take gelu."},
    {{Kind::unstable, "dead_layers", 0,
      "Unstable: units died during training. The gradient of some layers has become 0, and nothing was learned."},
     died_on_the_way,
     "A lower lr, a warm-up over the first 5 % of the steps, or gelu in place of relu; none was tried.",
     try_lower_rates},
    {{Kind::at_saddle, "point", 0,
      "At a saddle: flat along the gradient, and a direction of negative curvature leads down."},
     rests_at<PointKind::saddle>,
     "Initialise the weights at random (units that start equal stay equal), or add noise: smaller batches, add_noise, "
     "momentum."},
    {{Kind::on_plateau, "point", 0,
      "On a plateau: only a step beyond any stable step lowers the loss, or some layers have no effect on it."},
     rests_at<PointKind::plateau>,
     "Scale the inputs, initialise with he_normal for relu, normalise, or use Adam, which scales each parameter by "
     "itself."},
    {{Kind::crawling, "point", 0, "Crawling: a higher learning rate that is still stable lowers the loss at once."},
     rests_at<PointKind::rate_too_low>,
     "Raise lr: three times, then ten times as high; it was not tried.",
     try_higher_rate},
    {{Kind::learned_nothing, "over_constant", like_a_constant, "Learned nothing: no better than the best constant."},
     learned_nothing,
     "Check the data first: whether the inputs say anything about the target, and whether rows and targets belong "
     "together. Then look for another lr (thalweg lr).",
     try_other_rates},
    {{Kind::overfitting, "validation_rise", 0.08, "Overfits from epoch N: kept epoch M."},
     overfitting,
     "Keep the best epoch (early_stopping), raise weight_decay, take a smaller model, or find more data."},
    {{Kind::crawling, "pace", 0.6, "Crawling: the learning rate is too low."},
     straight_line,
     "Raise lr: three times, then ten times as high; it was not tried.",
     try_higher_rate},
    {{Kind::crawling, "fall_part", -0.01, "Crawling: the learning rate is too low."},
     motionless,
     "Raise lr tenfold; it was not tried. If the loss stays where it is, the inputs may say nothing about the target.",
     try_higher_rate},
    {{Kind::schedule_ended, "late_gain", 0.02,
      "The schedule ended it: the loss was still falling while the schedule lowered the learning rate."},
     schedule_ended,
     "Train for twice as long: the schedule stretches with the run.",
     try_going_on},
    {{Kind::still_falling, "late_gain", 0.02, "Still falling: the loss had not levelled out when the run ended."},
     still_falling,
     "Train for twice as long.",
     try_going_on},
    {{Kind::unstable, "jumps", 0.1, "Unstable: the validation loss jumps from epoch to epoch and does not settle."},
     jumps,
     "Let a schedule lower lr, or start with a lower lr; neither was tried.",
     try_settling},
    {{Kind::spikes, "spikes", 0, "Spikes: single steps had losses far above the steps around them."},
     spikes,
     "Look at the rows with the largest targets and inputs. A loss that limits their effect (huber), or clip_norm = 1, "
     "keeps them from moving the parameters far."},
    {{Kind::too_short, "late_gain_at_most", 0.12, "Too short to judge: the loss may still be falling."},
     may_still_fall,
     "Train longer."},
    {{Kind::converged, "late_gain", always, "Converged: the loss has levelled out."},
     converged,
     "More epochs will gain little. A larger model, other inputs or another lr may gain more."},
};

}  // namespace

std::vector<VerdictRule> verdict_rules() {
  std::vector<VerdictRule> rows;
  for (const Rule& rule : rules) rows.push_back(rule.row);
  return rows;
}

namespace {

/// Whether the loss or the gradient is not finite. This verdict holds whatever the loss means.
bool broke(const Case& judged, Verdict& verdict) {
  const Rule& finite = rules[0];
  auto found = finite.measure(judged);
  if (!found) return false;
  verdict.kind = finite.row.kind;
  verdict.sentence = found->sentence.empty() ? finite.row.says : found->sentence;
  verdict.evidence = std::move(found->evidence);
  verdict.advice = finite.advice;
  return true;
}

/// With several objectives a good result depends on all of them and on their relation: two may work against each other,
/// or one may learn from the output of the other.
Verdict of_several(const Case& judged) {
  Verdict verdict{.kind = VerdictKind::not_judged, .sentence = {}, .evidence = {}};
  if (broke(judged, verdict)) return verdict;
  const std::vector<std::string>& objectives = judged.options.objectives;
  verdict.sentence = fmt::format(
      "Not judged: the run has {} objectives ({}), and the verdict does not know how their losses should develop "
      "together.",
      objectives.size(), fmt::join(objectives, ", "));
  verdict.advice = "Look at the results, and measure them.";
  if (judged.history.epochs.empty()) return verdict;
  const Metrics &first = judged.history.epochs.front().metrics, &last = judged.history.epochs.back().metrics;
  for (const std::string& objective : objectives) {
    const std::string name = objective + ".loss";
    const auto before = find_in(first, name), now = find_in(last, name);
    if (!before || !now) continue;
    verdict.evidence.push_back({name, *now,
                                fmt::format("{} was {} over the first epoch and {} over the last.", name,
                                            number_text(*before, 4), number_text(*now, 4))});
  }
  return verdict;
}

}  // namespace

Verdict judge(const History& history, const JudgeOptions& options) {
  const Case judged{history, options, Course(history)};
  if (options.makes_rows) {
    Verdict verdict;
    return broke(judged, verdict) ? verdict : judge_goal(history, options.goal);
  }
  if (options.objectives.size() > 1) return of_several(judged);
  Verdict verdict;
  for (const Rule& rule : rules) {
    auto found = rule.measure(judged);
    if (!found || !(found->value > rule.row.threshold)) continue;
    verdict.kind = rule.row.kind;
    verdict.sentence = found->sentence.empty() ? rule.row.says : found->sentence;
    verdict.evidence = std::move(found->evidence);
    verdict.advice = found->advice.empty() ? rule.advice : found->advice;
    if (!rule.attempt || !options.trials || rule.attempt(judged, *options.trials, verdict)) break;
  }
  if (verdict.sentence.empty()) verdict.sentence = "Not judged: the losses that would decide are not finite.";
  const auto outliers = spikes(judged);
  if (outliers && outliers->value > 0 && verdict.kind != Kind::spikes) {
    verdict.evidence.push_back(outliers->evidence.front());
  }
  if (auto flow = gradient_flow(history)) {
    verdict.evidence.push_back({"gradient_flow", flow->value, std::move(flow->sentence)});
  }
  return verdict;
}

}  // namespace thalweg
