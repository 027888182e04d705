#pragma once
// Training: the loop that computes the gradient of an objective on a batch, takes a step against it, and repeats.

#include <functional>
#include <iosfwd>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "thalweg/batch.hpp"
#include "thalweg/data.hpp"
#include "thalweg/error.hpp"
#include "thalweg/loss.hpp"
#include "thalweg/optim.hpp"
#include "thalweg/path.hpp"
#include "thalweg/precision.hpp"
#include "thalweg/scope.hpp"
#include "thalweg/state.hpp"
#include "thalweg/stop.hpp"

namespace thalweg {

class Communicator;

/// The function that is trained: a loss of a batch of named tensors.
using Objective = std::function<Loss(Scope, const Batch&)>;
/// The common case: loss(model(input), target), weighted by the column "weight" where there is one.
[[nodiscard]] Objective objective_of(ModelFunction model, LossFunction loss);

/// A moving average of what an objective trains, kept in the State: after each of its steps a = d a + (1 - d) x, from
/// the values before the first step on. State::average and Scope::average read it.
struct MovingAverage {
  std::string name;
  double decay = 0.999;
  bool warm_up = false;  ///< d = min(decay, (1 + t) / (10 + t)) in step t: initial values lose their weight faster
};

struct ObjectiveOptions {
  Patterns trains = {};    ///< which of the parameters that the objective declares are trained; by default all
  std::int64_t every = 1;  ///< takes its turn at every `every`-th batch
  std::vector<MovingAverage> averages = {};
};

/// One of several objectives that train one State: its loss, and how its parameters are updated.
struct ObjectiveRow {
  std::string name;
  Objective loss;
  Optimizer optimizer;
  ObjectiveOptions options = {};
};

/// Named values in the order of measurement: ("loss", ...), ("validation.loss", ...), ("validation.accuracy", ...).
using Metrics = std::vector<std::pair<std::string, double>>;

/// The results of a step.
struct StepReport {
  std::int64_t step = 0;         ///< from 1
  std::int64_t total_steps = 0;  ///< of the run
  std::int64_t epoch = 0;        ///< from 1
  double loss = 0, gradient_norm = 0, lr = 0;
  std::int64_t samples = 0;
  double weight = 0;  ///< sum of the samples' weights; `loss` is their weighted mean. 0: the step has no effect
  std::vector<double> layer_norms = {};  ///< of each layer's gradient, before clipping; see FitOptions::layer_norms
  /// The reports of the objectives for their batch (see Scope::report); of several objectives, the loss of each
  /// ("d.loss"). The numbers above are those of the first.
  Metrics metrics = {};
};

/// A step of an objective and an optimizer: traced and planned at the first batch of each shape. The weights after it
/// are the same bits for any number of threads.
class TrainStep {
 public:
  TrainStep(Objective objective, Optimizer optimizer, int threads = 0);
  /// With a name, by which the State stores slots and step count, so that several steps can train one State.
  explicit TrainStep(ObjectiveRow objective, int threads = 0);
  ~TrainStep();
  TrainStep(TrainStep&&) noexcept;
  TrainStep& operator=(TrainStep&&) noexcept;

  /// The initial parameters and slots for the shapes of this batch.
  [[nodiscard]] State init(const Dataset& first_batch, std::uint64_t seed, DType dtype = f32);
  /// One step on one batch. `shard_size` is the number of rows in a shard, into which the batch is cut for threads; 0
  /// takes the default: at most 4 shards, fewer where they would have little to do. It depends on the batch and the
  /// model alone, so that the bits are the same for any number of threads.
  StepReport operator()(State& state, const Dataset& batch, const Progress& progress = {}, std::int64_t shard_size = 0);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};
[[nodiscard]] inline TrainStep train_step(Objective objective, Optimizer optimizer, int threads = 0) {
  return TrainStep(std::move(objective), std::move(optimizer), threads);
}

struct EarlyStopping {
  std::string metric = "validation.loss";
  Duration patience = "3 epochs";
  bool restore_best = true;
};

struct EpochReport {
  std::int64_t epoch = 0, step = 0;
  Metrics metrics;     ///< the loss and what the objective reports, over the epoch; then those of the validation set
  double seconds = 0;  ///< since fit began
  bool best = false;   ///< the best so far by the early-stopping metric
};

/// Which values are kept between the forward and the backward pass. All choices give the same bits, and each needs less
/// memory than the one before. If all values of a shard fit into the first-level cache, all are kept.
enum class Memory {
  keep,  ///< all values that the backward pass reads
  fast,  ///< values that cheap arithmetic can recompute are not kept: that takes no longer than reading them
  lean,  ///< exponentials and similar values are not kept either: recomputing them takes a little longer
};

/// Rows that a training run makes itself, with its present parameters: episodes of a policy, games of a network against
/// itself.
struct Collection {
  Dataset rows;  ///< every collection has the same number of rows and the same columns
  /// The state from which the next collection continues: episodes under way, rows of earlier collections.
  std::vector<std::pair<std::string, Tensor>> kept = {};
  Metrics metrics = {};  ///< measured during the collection; they are in the reports of its epochs
};
struct CollectRequest {
  const Collection* last = nullptr;  ///< null for the first collection
  std::int64_t number = 0;           ///< of the collection, from 0
  std::uint64_t seed = 1;            ///< of the run
  /// If it asks the run to end, a collection may end early: its rows are dropped, and the resumed run collects them
  /// again.
  Stop stop = {};
};
/// Must be a function of its arguments alone. A checkpoint keeps the last collection, so a resumed run collects the
/// same rows as a run that was not stopped.
using Collect = std::function<Collection(const State&, const CollectRequest&)>;

/// The costs of a step on this machine: medians of several steps.
struct StepCost {
  struct Part {
    double seconds = 0;
    std::int64_t operations = 0;  ///< floating-point
    std::int64_t bytes = 0;       ///< read and written by its instructions
  };
  Part forward, backward, update;
  std::int64_t shards = 1;
  int threads = 1;
  std::int64_t arena_bytes = 0;         ///< of a shard
  std::int64_t intermediate_bytes = 0;  ///< of the same values, if they shared no memory
  double peak = 0;                      ///< operations per second of large matrix products with these threads
};

struct FitOptions {
  std::int64_t epochs = 10;
  std::int64_t steps = 0;        ///< number of steps, in place of epochs; 0: epochs decide
  std::int64_t batch_size = 32;  ///< 0 is the whole training set
  std::int64_t shard_size = 0;   ///< rows; 0 is the default, see TrainStep
  std::int64_t accumulate = 1;   ///< batches per step
  Memory memory = Memory::fast;
  Precision precision = Precision::single;  ///< of training; evaluation and predictions are computed in f32
  bool layer_norms = false;                 ///< record the norm of each layer's gradient
  bool shuffle = true;
  std::uint64_t seed = 1;
  double validation = 0;                        ///< this fraction of the rows is held out
  std::optional<Dataset> validation_data = {};  ///< or these rows
  std::string validation_average = {};          ///< measured with this moving average of the parameters
  std::optional<EarlyStopping> early_stopping = {};
  std::int64_t reports = 1 << 16;  ///< steps kept in the History; in a longer run only every 2nd, 4th, ... and the last
  std::int64_t stop_after = 0;     ///< stop after this step of the run; the schedule does not change
  Stop stop = {};
  std::function<void(const StepReport&)> on_step = {};
  /// Whether on_step only records its report, and does not read the trainer. Then steps on a device other than this CPU
  /// do not wait for their numbers: on_step is called up to three steps later, in order, but before the epoch ends,
  /// before a checkpoint is written and before the run ends. Without on_step, steps do not wait either. Ranks then do
  /// not wait either for parameters that others updated: if on_step or a reader of rows throws, the trainer's state may
  /// lack some of the last step.
  bool late_reports = false;
  std::function<void(const EpochReport&)> on_epoch = {};
  /// Called if the training ends with a NumericError, with the state at that point; the error is thrown again
  /// afterwards.
  std::function<void(const State&, const NumericError&)> on_failure = {};
  Path checkpoints = {};  ///< a folder; empty: no checkpoints
  Duration checkpoint_every = "1 epochs";
  int keep_checkpoints = 2;
  /// Makes the rows of training: before the first epoch, and again after every `passes` epochs. The data given to `fit`
  /// shows their number, columns and shapes.
  Collect collect = {};
  std::int64_t passes = 1;
  bool resume = false;                       ///< from the newest valid checkpoint in that folder
  std::shared_ptr<Communicator> ranks = {};  ///< other processes of the same training, which share the shards of a step
  /// What a resumed run must have in common with its checkpoint, lines of `key = value`; another is refused with the
  /// lines that differ. Empty: the optimizers with their options, and what is fixed here about rows, seed and
  /// precision.
  std::string fingerprint = {};
};

enum class StopReason { finished, stopped_early, stop_requested, stop_after };

struct History {
  std::vector<StepReport> steps;  ///< each, or every 2nd, 4th, ... and the last; see FitOptions::reports
  std::vector<EpochReport> epochs;
  std::vector<std::string> layers = {};  ///< the layers of StepReport::layer_norms
  StopReason reason = StopReason::finished;
  std::int64_t best_epoch = 0;  ///< by the metric of early stopping; 0: none
  bool best_restored = true;    ///< the parameters are those of that epoch; see EarlyStopping::restore_best
  double seconds = 0;
  std::vector<std::string> warnings;  ///< for example, a damaged checkpoint that was skipped
};

/// Measured over a whole set, never as a mean of batch means.
struct Evaluation {
  Metrics metrics;     ///< the loss first
  Tensor predictions;  ///< values, or probabilities: (rows, 1) for two classes, (rows, classes) for more
  std::int64_t rows = 0;
  [[nodiscard]] double operator[](std::string_view metric) const;
};
std::ostream& operator<<(std::ostream& out, const Evaluation& evaluation);

struct TrainerOptions {
  int threads = 0;
  /// false: objectives take turns on each batch, and the second uses the parameters that the first has changed; if the
  /// second fails, the first has taken its step. true: all step from the same parameters, and common subexpressions are
  /// computed only once.
  bool simultaneous = false;
};

/// Model, loss and optimizer, with the state they train.
class Trainer {
 public:
  Trainer(ModelFunction model, LossFunction loss, Optimizer optimizer, int threads = 0);
  /// Any objective; then `evaluate` returns only the loss, and there are no predictions.
  Trainer(Objective objective, Optimizer optimizer, int threads = 0);
  /// Several objectives over one State: each has its own slots and step count, and gradients of the parameters that it
  /// trains. Random numbers of one path are the same for all objectives on a batch; parameters of one path are the same
  /// parameters.
  explicit Trainer(std::vector<ObjectiveRow> objectives, const TrainerOptions& options = {});
  ~Trainer();
  Trainer(Trainer&&) noexcept;

  /// Trains from the present state, for the epochs of the options and with its own schedule. A second call continues
  /// from the state after the first.
  History fit(const Dataset& data, const FitOptions& options = {});
  /// One step of one objective, for a training loop of your own; `shard_size` 0 takes the default of this
  /// objective; `fit` takes the largest of all. The schedule's step is the objective's own count unless `progress` is
  /// given. Throws UsageError for an unknown name.
  StepReport step(std::string_view objective, const Dataset& batch, const Progress& progress = {},
                  std::int64_t shard_size = 0);
  /// With several objectives: the loss of the first, the loss of each ("d.loss"), and their reports. With `average`,
  /// the moving average of that name in place of the parameters. In the middle of a fit, or between calls of `step`, it
  /// measures what the optimizer evaluates with, as validation does; so do `predict` and `save`.
  [[nodiscard]] Evaluation evaluate(const Dataset& data, std::string_view average = {});
  /// Predictions for the column "input": values, in the unit of the data's TargetUnit, or probabilities.
  [[nodiscard]] Tensor predict(const Dataset& data);

  /// The state; initialised at the first fit, or by `init`.
  [[nodiscard]] const State& state() const;
  void set_state(State state);
  void init(const Dataset& data, std::uint64_t seed);
  /// The trained layers, in the order of StepReport::layer_norms.
  [[nodiscard]] std::vector<std::string> layers() const;

  /// Writes the parameters to a safetensors file, with the other data that `Model::load(path, model)` needs: the loss,
  /// the shape of the input, and how the data was encoded.
  void save(const Path& path) const;
  /// Reads the parameters from such a file; `shapes` are rows of the data.
  void load(const Path& path, const Dataset& shapes);
  /// Reads the parameters that the patterns match, as State::load does; the others keep their values, or are
  /// initialised where nothing is trained yet. `trainer.load("autoencoder.safetensors", data, "encoder/*")`.
  void load(const Path& path, const Dataset& shapes, const Patterns& patterns, std::string_view under = {});

  /// Describes the plan of a training step. It uses only options.memory and .precision.
  [[nodiscard]] std::string explain(const Dataset& batch, const FitOptions& options = {});
  /// Measures the time of steps on this batch from the present state, which does not change. It uses only
  /// options.memory, .precision and .shard_size.
  [[nodiscard]] StepCost measure(const Dataset& batch, const FitOptions& options = {});

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace thalweg
