// Trainer: objectives and a state that can be trained, measured, saved and loaded.

#include <algorithm>
#include <utility>

#include "core/error.hpp"
#include "core/index.hpp"
#include "core/numbers.hpp"
#include "data/preprocessing.hpp"
#include "data/split.hpp"
#include "engine/check_state.hpp"
#include "engine/objectives.hpp"
#include "store/safetensors.hpp"
#include "train/evaluation.hpp"
#include "train/fit.hpp"
#include "train/made_on.hpp"

namespace thalweg {

namespace {
const State& initialised(const State& state) {
  if (!state.layout) fail<UsageError>("[trainer] it has not been trained. Hint: fit, init or load first.");
  return state;
}
}  // namespace

struct Trainer::Impl {
  Objectives objectives;
  std::optional<LossFunction> loss;  // empty for an objective without a model
  State state;
  // of the training data, stored with the model for those who load it
  std::optional<data::Preprocessing> preprocessing = {};
  TargetUnit unit = {};

  void remember(const Dataset& data) {
    unit = data.unit();
    preprocessing.reset();
    if (data.preprocessing()) preprocessing = *data.preprocessing();
    if (preprocessing || !loss) return;
    const std::vector<ColumnSpec> columns = columns_of(data);
    const auto row_of = [&](std::string_view name) {
      const auto found = std::ranges::find(columns, name, &ColumnSpec::name);
      return found == columns.end() ? nullptr : &found->row;
    };
    const Signature *input = row_of("input"), *target = row_of("target");
    if (!input || !target) return;
    Shape targets{data.rows()};
    for (const std::int64_t size : target->shape) targets.push_back(size);
    const Task task = loss->task_with(targets, target->dtype);
    if (task == Task::language) return;
    preprocessing = data::TensorPreprocessing{
        .input = input->shape, .dtype = input->dtype, .task = task == Task::other ? Task::regression : task};
  }
  int threads = 0;  // as requested

  /// The parameters with which a fit ended, and those of its last step, where the optimizer evaluates with others.
  std::optional<std::pair<Tensor, Tensor>> ended = {};

  /// A fit or a loop of steps is under way: the parameters are those of its last step.
  bool is_training = false;

  /// The parameters to measure and to save are those that the optimizer evaluates with, in the middle of a training
  /// too.
  [[nodiscard]] State measured() {
    return is_training ? objectives.evaluation_state(initialised(state)) : initialised(state);
  }

  /// The parameters are what the caller has set.
  void set(State given) {
    state = std::move(given);
    ended.reset();
    is_training = false;
  }

  /// Goes on from the last step, if nothing else has changed the parameters since. Returns whether it does.
  bool go_on() {
    const bool goes_on = ended && identical(state.parameters, ended->first);
    if (goes_on) state.parameters = ended->second;
    return goes_on;
  }

  /// The present state, or an initial one that is not kept.
  [[nodiscard]] State state_for(const Dataset& batch) { return state.layout ? state : objectives.init(batch, 1, f32); }

  void note_threads(History& history) {
    const int wanted = threads > 0 ? threads : default_threads(), started = objectives.workers().threads();
    if (started >= wanted) return;
    history.warnings.push_back(
        fmt::format("{} of {} threads: the system starts no more, and the result is the same", started, wanted));
  }

  [[nodiscard]] const LossFunction* loss_or_null() const { return loss ? &*loss : nullptr; }
};

namespace {

EvaluationFunction only_loss(Objective objective) {
  return [objective = std::move(objective)](Scope s, const Batch& b) { return Evaluated{objective(s, b), {}}; };
}

std::vector<EngineObjective> only(EvaluationFunction function, Optimizer optimizer) {
  std::vector<EngineObjective> one;
  one.push_back({"", std::move(function), std::move(optimizer)});
  return one;
}

std::vector<EngineObjective> rows_of(std::vector<ObjectiveRow> rows) {
  std::vector<EngineObjective> objectives;
  for (ObjectiveRow& row : rows) {
    objectives.push_back(
        {std::move(row.name), only_loss(std::move(row.loss)), std::move(row.optimizer), std::move(row.options)});
  }
  return objectives;
}

}  // namespace

Trainer::Trainer(ModelFunction model, LossFunction loss, Optimizer optimizer, int threads)
    : impl_(new Impl{{only(evaluation_of(std::move(model), loss), std::move(optimizer)), false, threads}, loss, {}}) {
  impl_->threads = threads;
}
Trainer::Trainer(Objective objective, Optimizer optimizer, int threads)
    : impl_(new Impl{{only(only_loss(std::move(objective)), std::move(optimizer)), false, threads}, std::nullopt, {}}) {
  impl_->threads = threads;
}
Trainer::Trainer(std::vector<ObjectiveRow> objectives, const TrainerOptions& options)
    : impl_(new Impl{{rows_of(std::move(objectives)), options.simultaneous, options.threads}, std::nullopt, {}}) {
  impl_->threads = options.threads;
}
Trainer::~Trainer() = default;
Trainer::Trainer(Trainer&&) noexcept = default;

void Trainer::init(const Dataset& data, std::uint64_t seed) {
  impl_->set(impl_->objectives.init(data, seed, f32));
  impl_->remember(data);
}
const State& Trainer::state() const { return impl_->state; }
void Trainer::set_state(State state) {
  check_state(state, impl_->state.layout.get());
  if (state.step != impl_->state.step) impl_->ended.reset();
  impl_->state = std::move(state);
  impl_->is_training = false;
}

namespace {

/// Numbers the training rows of a fit as the rows of the data that it was given: rows of weight 0 and rows that are
/// held out are not trained on. `data` and `options` must outlive the result, which is for messages only: each call
/// goes through all rows.
RowNumbers numbers_of(const Dataset& data, const FitOptions& options, bool has_loss) {
  return [&data, &options, has_loss](std::int64_t row) {
    std::optional<std::vector<std::int64_t>> counted;
    if (has_loss && data.has("weight")) {
      const Dataset read = with_read(data, {"weight"});
      if (read["weight"].size() == read.rows()) counted = counted_row_numbers(read);
    }
    const std::int64_t all = counted ? std::ssize(*counted) : data.rows();
    if (!options.validation_data && options.validation > 0)
      row = at(data::split_fraction(all, options.validation, options.seed).train, row);
    return counted ? at(*counted, row) : row;
  };
}

}  // namespace

History Trainer::fit(const Dataset& data, const FitOptions& options) {
  if (!(options.validation >= 0 && options.validation < 1)) {
    fail<UsageError>("[fit] validation = {}. Wanted: in [0, 1)", options.validation);
  }
  Dataset training = impl_->loss ? rows_to_train(data, "fit") : data, held_out;
  const Dataset* validation = options.validation_data ? &*options.validation_data : nullptr;
  if (!validation && options.validation > 0) {
    const Dataset all = training;
    const auto split = data::split_fraction(all.rows(), options.validation, options.seed);
    training = all.select(split.train);
    held_out = all.select(split.held_out);
    validation = &held_out;
  }
  if (validation && impl_->loss) {
    held_out = with_read(*validation, {"target", "weight"});
    validation = &held_out;
  }
  impl_->objectives.plan_as(options);
  impl_->objectives.watch_layers(options.layer_norms);
  // what a fit changes before its first step, and what is put back if it is refused
  const bool is_fresh = !impl_->state.layout;
  const auto preprocessing = impl_->preprocessing;
  const TargetUnit unit = impl_->unit;
  if (is_fresh) impl_->state = impl_->objectives.init(training, options.seed, f32);
  const bool goes_on = impl_->go_on();
  impl_->remember(training);
  Tensor stepped;
  const std::int64_t first_step = impl_->state.step;
  const bool was_training = std::exchange(impl_->is_training, true);
  History history;
  try {
    history = run_fit(impl_->objectives, impl_->state, impl_->loss_or_null(), options, training, validation,
                      numbers_of(data, options, impl_->loss.has_value()), stepped);
  } catch (const NumericError&) {  // of a step: its parameters are what is looked at
    throw;
  } catch (...) {
    if (impl_->state.step == first_step) {
      if (is_fresh) impl_->state = {};
      if (goes_on) impl_->state.parameters = impl_->ended->first;
      impl_->preprocessing = preprocessing;
      impl_->unit = unit;
      impl_->is_training = was_training;
    }
    throw;
  }
  impl_->is_training = false;
  impl_->ended.reset();
  if (stepped.size() > 0 && !identical(stepped, impl_->state.parameters))
    impl_->ended.emplace(impl_->state.parameters, std::move(stepped));
  impl_->note_threads(history);
  std::ranges::move(left_here(impl_->objectives.crew().device, impl_->objectives.device()),
                    std::back_inserter(history.warnings));
  return history;
}

StepReport Trainer::step(std::string_view objective, const Dataset& batch, const Progress& progress,
                         std::int64_t shard_size) {
  if (impl_->loss) check_weights(batch);
  if (!impl_->state.layout) init(batch, 1);
  const bool goes_on = impl_->go_on();
  try {
    StepReport report = impl_->objectives.step(objective, impl_->state, batch, progress, shard_size);
    impl_->ended.reset();
    impl_->is_training = true;
    return report;
  } catch (...) {
    if (goes_on) impl_->state.parameters = impl_->ended->first;
    throw;
  }
}

std::vector<std::string> Trainer::layers() const { return impl_->objectives.layers(initialised(impl_->state)); }

Evaluation Trainer::evaluate(const Dataset& data, std::string_view average) {
  const State state = average.empty() ? impl_->measured() : initialised(impl_->state).average(average);
  double weight = 0;
  return evaluation_on(impl_->objectives, state, impl_->loss_or_null(),
                       impl_->loss ? with_read(data, {"target", "weight"}) : data, weight);
}

Tensor Trainer::predict(const Dataset& data) {
  if (!impl_->loss)
    fail<UsageError>("[predict] an objective gives a loss, not predictions. Hint: Trainer(model, loss, optimizer).");
  Dataset inputs;
  if (data.streams()) fail<UsageError>("[predict] rows that are yet to be read. Hint: take(rows) reads them.");
  const Tensor& input = data["input"];
  if (data.rows() == 0) {  // the predictions of a row of zeros have the shape
    Shape one = input.shape();
    one.set(0, 1);
    inputs.set("input", Tensor(one, input.dtype()));
    return predict(inputs).rows(0, 0);
  }
  inputs.set("input", input);
  Tensor predictions;
  (void)impl_->objectives.evaluate(impl_->measured(), inputs, predictions);
  if (impl_->loss->task() == Task::regression) put_back(predictions, data.unit());
  return predictions;
}

void Trainer::save(const Path& path) const {
  SafetensorsFile file;
  if (impl_->loss && impl_->preprocessing) {
    file.metadata = {{"loss.kind", impl_->loss->name()},
                     {"loss.options", OptionValue{impl_->loss->options()}.str()},
                     {"preprocessing", impl_->preprocessing->json()},
                     {"target.shift", fmt::format("{}", impl_->unit.shift)},
                     {"target.scale", fmt::format("{}", impl_->unit.scale)}};
  }
  const State state = impl_->measured();
  for (const ParameterEntry& entry : state.layout->entries) {
    if (entry.average) continue;
    file.tensors.emplace_back(entry.name, state.parameter(entry.name));
  }
  write_safetensors(path.string(), file);
}

void Trainer::load(const Path& path, const Dataset& shapes) {
  const SafetensorsFile file = read_safetensors(path.string());
  expect_finite(file, path.string());
  State state = impl_->objectives.init(shapes, 0, f32);  // a file that does not fit leaves the present state as it is
  for (const ParameterEntry& entry : state.layout->entries) {
    if (entry.average) continue;
    const Tensor& value = file.tensor(entry.name);
    if (!(value.shape() == entry.shape) || value.dtype() != state.layout->dtype) {
      fail<ModelError>("[load] {}: '{}' is {} {} in the file and {} {} in the model", path.string(), entry.name,
                       value.dtype(), value.shape(), state.layout->dtype, entry.shape);
    }
    state.set_parameter(entry.name, value);
  }
  impl_->set(std::move(state));
  impl_->remember(shapes);
}

void Trainer::load(const Path& path, const Dataset& shapes, const Patterns& patterns, std::string_view under) {
  if (!impl_->state.layout) init(shapes, 1);
  impl_->state.load(path, patterns, under);
  impl_->ended.reset();
  impl_->is_training = false;
}

StepCost Trainer::measure(const Dataset& batch, const FitOptions& options) {
  const State state = impl_->state_for(batch);
  impl_->objectives.plan_as(options);
  if (options.ranks) {
    impl_->objectives.watch_layers(options.layer_norms);
    impl_->objectives.measure_ranks(options.ranks, state, batch, options.shard_size);
    return {};
  }
  return impl_->objectives.measure(state, batch, options.shard_size);
}

std::string Trainer::explain(const Dataset& batch, const FitOptions& options) {
  const State state = impl_->state_for(batch);
  impl_->objectives.plan_as(options);
  return impl_->objectives.explain(state, batch, options.shard_size);
}

}  // namespace thalweg
