#include "options/rows.hpp"
#include "schedule/curve.hpp"

namespace thalweg {

namespace {

template <class Options>
ScheduleRow row(Schedule (*make)(Options), ScheduleRow texts) {
  using schedule::fields;
  Options defaults;
  texts.options = describe_fields(fields(defaults));
  texts.make = [make, name = texts.name](const OptionMap& values) {
    Options options;
    read_fields(fields(options), values, name);
    return make(std::move(options));
  };
  return texts;
}

std::vector<ScheduleRow> make_table() {
  using namespace schedule;
  return {
      row(constant, {.name = "constant",
                     .summary = "the same rate at every step",
                     .formula = "1",
                     .when = "short runs, methods that find their own rate, and as the baseline of a comparison",
                     .source = "Robbins and Monro 1951 say when it cannot converge"}),
      row(linear, {.name = "linear",
                   .summary = "a straight line from start to end",
                   .formula = "start + (end - start) t/n",
                   .when = "fine-tuning, and a strong default down to 0 for any run of known length",
                   .source = "Defazio et al. 2023, When, Why and How Much?"}),
      row(polynomial, {.name = "polynomial",
                       .summary = "a power of the part of the run that is left",
                       .formula = "end + (1 - end) (1 - t/n)^power",
                       .when = "segmentation and detection, where power = 0.9 is customary",
                       .source = "Liu et al. 2015, ParseNet; PyTorch PolynomialLR"}),
      row(exponential, {.name = "exponential",
                        .summary = "the same factor for each period, continuously",
                        .formula = "gamma^(t/period)",
                        .when = "the rate should fall by decades and the end matters less than the way",
                        .source = "PyTorch ExponentialLR (period = 1)"}),
      row(schedule::step, {.name = "step",
                           .summary = "falls by gamma after each period",
                           .formula = "gamma^floor(t/period)",
                           .when = "to repeat published image classifiers (falls every 30 epochs)",
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
      row(cosine_restarts, {.name = "cosine_restarts",
                            .summary = "a cosine again and again, each period factor times as long",
                            .formula = "end + (1 - end) (1 + cos(pi (t - t_k)/period_k))/2, period_k = period factor^k",
                            .when = "a good model is wanted at several moments, or snapshots to average",
                            .source = "Loshchilov and Hutter 2017, SGDR; PyTorch CosineAnnealingWarmRestarts"}),
      row(one_cycle,
          {.name = "one_cycle",
           .summary = "up to lr, then down to almost nothing; momentum the other way",
           .formula = "start -> 1 over pct_start n - 1 steps, 1 -> end at step n - 1, each half a cosine",
           .when = "short budgets: it tolerates the highest rate, so it is often the fastest to a good result",
           .source = "Smith and Topin 2018, Super-Convergence; PyTorch OneCycleLR"}),
      row(cyclic, {.name = "cyclic",
                   .summary = "up and down between start and 1",
                   .formula = "start + (1 - start) height(t) scale(cycle), height a triangle of up and down steps",
                   .when = "the best rate is not known, or models along the way are averaged",
                   .source = "Smith 2017, Cyclical Learning Rates; PyTorch CyclicLR"}),
      row(inverse_time, {.name = "inverse_time",
                         .summary = "falls like 1/t",
                         .formula = "1 / (1 + t/timescale)",
                         .when = "convex problems with stochastic gradients, where it is known to converge",
                         .source = "Robbins and Monro 1951; Bottou 2012"}),
      row(inverse_square_root, {.name = "inverse_square_root",
                                .summary = "falls like 1/sqrt(t)",
                                .formula = "1 / sqrt(1 + t/timescale)",
                                .when = "the length of the run is open; timescale = warm-up joins it smoothly",
                                .source = "Vaswani et al. 2017; Raffel et al. 2020, T5"}),
      row(noam, {.name = "noam",
                 .summary = "the original transformer's: a linear rise, then 1/sqrt(t)",
                 .formula = "width^-0.5 min(s^-0.5, s warmup^-1.5), s = t + 1; width = 0: scaled to a peak of 1",
                 .when = "to repeat published transformers; with a width, lr is 1 or 2",
                 .source = "Vaswani et al. 2017, equation 3"}),
      row(warmup_stable_decay, {.name = "warmup_stable_decay",
                                .summary = "warm-up, a long plateau, and a short decay",
                                .formula = "1, then end + (1 - end) shape over the last decay steps",
                                .when = "the run may be prolonged: go on from the plateau, and decay when done",
                                .source = "Hu et al. 2024, MiniCPM; shapes: Haegele et al. 2024"}),
      row(reduce_on_plateau, {.name = "reduce_on_plateau",
                              .summary = "cuts the rate when a metric no longer improves",
                              .formula = "factor^(cuts), a cut when bad checks > patience",
                              .when = "the length of the run is open and a validation set tells when to go on",
                              .source = "PyTorch ReduceLROnPlateau"}),
      row(join_options, {.name = "join",
                         .summary = "one schedule after the other",
                         .formula = "part_k(t - begin_k), each as if its length were the run's",
                         .when = "no single row has the form wanted",
                         .source = "PyTorch SequentialLR"}),
  };
}

}  // namespace

std::span<const ScheduleRow> schedules() {
  static const std::vector<ScheduleRow> table = make_table();
  return table;
}

Schedule make_schedule(std::string_view name, const OptionMap& options) {
  return row_named(schedules(), "schedule", name).make(options);
}

}  // namespace thalweg
