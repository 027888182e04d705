// Schedules that fall once.

#include <algorithm>
#include <cmath>
#include <numbers>

#include "schedule/curve.hpp"

namespace thalweg::schedule {

namespace {
constexpr std::string_view end_doc = "factor of lr at the end";
}  // namespace

Fields fields(ConstantOptions& o) { return with_shared(o, {}); }
Schedule constant(ConstantOptions o) {
  const Fields described = fields(o);
  check_fields(described, "constant");
  const OptionMap values = field_values(described);
  const Schedule one("constant", values, [](const Progress&) { return 1.0; });
  return o.warmup.amount > 0 ? warmed(one, "constant", values, o.warmup, o.warmup_start) : one;
}

Fields fields(LinearOptions& o) {
  return with_shared(
      o, {{"start", &o.start, "factor of lr at the start", not_negative}, {"end", &o.end, end_doc, not_negative}});
}
Schedule linear(LinearOptions options) {
  return build("linear", options,
               [](const LinearOptions& o, const Place& at) { return o.start + (o.end - o.start) * at.done(); });
}

Fields fields(PolynomialOptions& o) {
  return with_shared(o,
                     {{"end", &o.end, end_doc, not_negative}, {"power", &o.power, "1 is a straight line", positive}});
}
Schedule polynomial(PolynomialOptions options) {
  return build("polynomial", options, [](const PolynomialOptions& o, const Place& at) {
    return o.end + (1 - o.end) * std::pow(1 - at.done(), o.power);
  });
}

Fields fields(ExponentialOptions& o) {
  return with_shared(o, {{"gamma", &o.gamma, "factor by which lr falls in each period", positive},
                         {"period", &o.period, "steps over which lr falls by the factor gamma", positive}});
}
Schedule exponential(ExponentialOptions options) {
  return build("exponential", options, [](const ExponentialOptions& o, const Place& at) {
    return std::pow(o.gamma, at.t / at.steps(o.period));
  });
}

Fields fields(StepOptions& o) {
  return with_shared(o, {{"gamma", &o.gamma, "factor by which lr falls after each period", positive},
                         {"period", &o.period, "steps between two falls", positive}});
}
Schedule step(StepOptions options) {
  return build("step", options, [](const StepOptions& o, const Place& at) {
    return std::pow(o.gamma, std::floor(at.inside() / at.steps(o.period)));
  });
}

Fields fields(MultiStepOptions& o) {
  return with_shared(o, {{"milestones", &o.milestones, "steps at which lr falls", not_negative},
                         {"gamma", &o.gamma, "factor by which lr falls at each milestone", positive}});
}
Schedule multi_step(MultiStepOptions options) {
  return build("multi_step", options, [](const MultiStepOptions& o, const Place& at) {
    const auto passed = std::ranges::count_if(o.milestones, [&](const Duration& milestone) {
      return static_cast<double>(milestone.steps(at.run.total, at.run.steps_per_epoch)) <= at.inside();
    });
    return std::pow(o.gamma, static_cast<double>(passed));
  });
}

Fields fields(CosineOptions& o) { return with_shared(o, {{"end", &o.end, end_doc, not_negative}}); }
Schedule cosine(CosineOptions options) {
  return build("cosine", options, [](const CosineOptions& o, const Place& at) {
    return o.end + (1 - o.end) * (1 + std::cos(std::numbers::pi * at.done())) / 2;
  });
}

Fields fields(InverseTimeOptions& o) {
  return with_shared(o, {{"timescale", &o.timescale, "steps until lr is halved", positive}});
}
Schedule inverse_time(InverseTimeOptions options) {
  return build("inverse_time", options,
               [](const InverseTimeOptions& o, const Place& at) { return 1 / (1 + at.t / at.steps(o.timescale)); });
}

Fields fields(InverseSquareRootOptions& o) {
  return with_shared(
      o, {{"timescale", &o.timescale, "steps until the factor is 0.71; usually the length of the warm-up", positive}});
}
Schedule inverse_square_root(InverseSquareRootOptions options) {
  return build("inverse_square_root", options, [](const InverseSquareRootOptions& o, const Place& at) {
    return 1 / std::sqrt(1 + at.t / at.steps(o.timescale));
  });
}

Fields fields(NoamOptions& o) {
  return {{"warmup", &o.warmup, "steps of the linear rise", not_negative},
          {"width", &o.width, "the model's width; 0 scales the peak to 1", not_negative}};
}
Schedule noam(NoamOptions o) {
  const Fields described = fields(o);
  check_fields(described, "noam");
  return {"noam", field_values(described), [o](const Progress& progress) {
            const Place at("100%", progress);
            const double s = at.t + 1, w = at.steps(o.warmup);
            const double scale = o.width > 0 ? 1 / std::sqrt(o.width) : std::sqrt(w);
            return scale * std::min(1 / std::sqrt(s), s * std::pow(w, -1.5));
          }};
}

Fields fields(WarmupStableDecayOptions& o) {
  return with_shared(o, {{"decay", &o.decay, "length of the decay at the end of the run", not_negative},
                         {"end", &o.end, end_doc, not_negative},
                         {"shape", &o.shape, "shape of the decay", any_number, {"linear", "cosine", "sqrt"}}});
}
Schedule warmup_stable_decay(WarmupStableDecayOptions options) {
  return build("warmup_stable_decay", options, [](const WarmupStableDecayOptions& o, const Place& at) {
    const double length = std::min(at.n, at.steps(o.decay));
    const double done = std::max(0.0, (at.t - (at.n - length)) / length);
    const double left = o.shape == "cosine" ? (1 + std::cos(std::numbers::pi * done)) / 2
                        : o.shape == "sqrt" ? 1 - std::sqrt(done)
                                            : 1 - done;
    return o.end + (1 - o.end) * left;
  });
}

Fields fields(ReduceOnPlateauOptions& o) {
  return with_shared(o,
                     {{"factor", &o.factor, "factor of each cut", below_one},
                      {"patience", &o.patience, "lr is cut after more bad checks than this", not_negative},
                      {"threshold", &o.threshold, "smallest improvement that counts", not_negative},
                      {"threshold_mode",
                       &o.threshold_mode,
                       "whether the threshold is relative to the best value, or absolute",
                       any_number,
                       {"relative", "absolute"}},
                      {"cooldown", &o.cooldown, "number of checks after a cut that do not count as bad", not_negative},
                      {"min", &o.min, "lower limit of the factor", not_negative},
                      {"mode", &o.mode, "whether a lower or a higher value is better", any_number, {"min", "max"}},
                      {"metric", &o.metric, "the metric that is checked"}});
}
Schedule reduce_on_plateau(ReduceOnPlateauOptions o) {
  const Fields described = fields(o);
  check_fields(described, "reduce_on_plateau");
  const OptionMap values = field_values(described);
  const Schedule inner(
      "reduce_on_plateau", values, [](const Progress& progress) { return progress.plateau; }, {},
      PlateauRule{.factor = o.factor,
                  .patience = o.patience,
                  .threshold = o.threshold,
                  .threshold_mode = o.threshold_mode,
                  .cooldown = o.cooldown,
                  .min = o.min,
                  .mode = o.mode,
                  .metric = o.metric});
  return o.warmup.amount > 0 ? warmed(inner, inner.name(), values, o.warmup, o.warmup_start) : inner;
}

std::vector<ScheduleRow> decay_curves() {
  return {
      row(constant, {.name = "constant",
                     .summary = "the same learning rate at every step",
                     .formula = "1",
                     .when = "short runs, methods that find their own learning rate, and the baseline of a comparison",
                     .source = "Robbins and Monro 1951, who show when it cannot converge"}),
      row(linear, {.name = "linear",
                   .summary = "a straight line from start to end",
                   .formula = "start + (end - start) t/n",
                   .when = "fine-tuning; with end = 0 a strong default for any run of known length",
                   .source = "Defazio et al. 2023, When, Why and How Much?"}),
      row(polynomial, {.name = "polynomial",
                       .summary = "a power of the remaining part of the run",
                       .formula = "end + (1 - end) (1 - t/n)^power",
                       .when = "segmentation and detection, where power = 0.9 is customary",
                       .source = "Liu et al. 2015, ParseNet; PyTorch PolynomialLR"}),
      row(exponential,
          {.name = "exponential",
           .summary = "exponential decay: falls by gamma over each period",
           .formula = "gamma^(t/period)",
           .when = "the learning rate should fall by several powers of ten, and its value at the end matters less",
           .source = "PyTorch ExponentialLR (period = 1)"}),
      row(step, {.name = "step",
                 .summary = "falls by gamma after each period",
                 .formula = "gamma^floor(t/period)",
                 .when = "to repeat published image classifiers, with a fall every 30 epochs",
                 .source = "He et al. 2016, ResNet; PyTorch StepLR"}),
      row(multi_step, {.name = "multi_step",
                       .summary = "falls by gamma at each milestone",
                       .formula = "gamma^(number of milestones <= t)",
                       .when = "to repeat a published recipe that names its steps",
                       .source = "He et al. 2016, ResNet; PyTorch MultiStepLR"}),
      row(cosine,
          {.name = "cosine",
           .summary = "half a cosine from 1 to end",
           .formula = "end + (1 - end) (1 + cos(pi t/n))/2",
           .when = "a good default for deep networks of any kind, usually after a warm-up of 5%",
           .source = "Loshchilov and Hutter 2017, equation 5; PyTorch CosineAnnealingLR, but holds at the end"}),
      row(inverse_time, {.name = "inverse_time",
                         .summary = "falls like 1/t",
                         .formula = "1 / (1 + t/timescale)",
                         .when = "convex problems with stochastic gradients, for which convergence is proven",
                         .source = "Robbins and Monro 1951; Bottou 2012"}),
      row(inverse_square_root,
          {.name = "inverse_square_root",
           .summary = "falls like 1/sqrt(t)",
           .formula = "1 / sqrt(1 + t/timescale)",
           .when = "runs of unknown length; with timescale = warmup it continues the warm-up smoothly",
           .source = "Vaswani et al. 2017; Raffel et al. 2020, T5"}),
      row(noam, {.name = "noam",
                 .summary = "the schedule of the original transformer: a linear rise, then 1/sqrt(t)",
                 .formula = "width^-0.5 min(s^-0.5, s warmup^-1.5), s = t + 1; width = 0: scaled to a peak of 1",
                 .when = "to repeat published transformers; with a width, lr is 1 or 2",
                 .source = "Vaswani et al. 2017, equation 3"}),
      row(warmup_stable_decay, {.name = "warmup_stable_decay",
                                .summary = "warm-up, a long plateau, and a short decay",
                                .formula = "1, then end + (1 - end) shape over the last decay steps",
                                .when = "runs that may be prolonged: continue from the plateau, and decay at the end",
                                .source = "Hu et al. 2024, MiniCPM; shapes: Haegele et al. 2024"}),
      row(reduce_on_plateau, {.name = "reduce_on_plateau",
                              .summary = "cuts the learning rate when a metric no longer improves",
                              .formula = "factor^(cuts), a cut when bad checks > patience",
                              .when = "runs of unknown length with a validation set",
                              .source = "PyTorch ReduceLROnPlateau"})};
}

}  // namespace thalweg::schedule
