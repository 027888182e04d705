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
#include "thalweg/loss.hpp"
#include "thalweg/optim.hpp"
#include "thalweg/path.hpp"
#include "thalweg/precision.hpp"
#include "thalweg/scope.hpp"
#include "thalweg/state.hpp"
#include "thalweg/stop.hpp"

namespace thalweg {

class Communicator;

/// What is trained: a loss of a batch of named tensors.
using Objective = std::function<Loss(Scope, const Batch&)>;
/// The common case: loss(model(input), target), weighted by the column "weight" where there is one.
[[nodiscard]] Objective objective_of(ModelFunction model, LossFunction loss);

/// A moving average of what an objective trains, kept in the State: after each of its steps a = d a + (1 - d) x, from
/// the values before the first step on. State::average and Scope::average read it.
struct MovingAverage {
  std::string name;
  double decay = 0.999;
  bool warm_up = false;  ///< d = min(decay, (1 + t) / (10 + t)) in step t: initial values lose their weight sooner
};

struct ObjectiveOptions {
  Patterns trains = {};    ///< of the parameters that the objective declares; by default all
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

/// What was measured, in order: ("loss", ...), ("validation.loss", ...), ("validation.accuracy", ...).
using Metrics = std::vector<std::pair<std::string, double>>;

/// The results of a step.
struct StepReport {
  std::int64_t step = 0;         ///< from 1
  std::int64_t total_steps = 0;  ///< of the run
  std::int64_t epoch = 0;        ///< from 1
  double loss = 0, gradient_norm = 0, lr = 0;
  std::int64_t samples = 0;
  double weight = 0;  ///< of the samples; `loss` is their weighted mean. 0: no sample counts; the step has no effect
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
  /// With a name, under which the State keeps slots and step count: several steps may train one State.
  explicit TrainStep(ObjectiveRow objective, int threads = 0);
  ~TrainStep();
  TrainStep(TrainStep&&) noexcept;
  TrainStep& operator=(TrainStep&&) noexcept;

  /// Parameters and slots for the shapes of this batch.
  [[nodiscard]] State init(const Dataset& first_batch, std::uint64_t seed, DType dtype = f32);
  /// One step on one batch; `shard_size` 0 takes the default (see default_shard_size).
  StepReport operator()(State& state, const Dataset& batch, const Progress& progress = {}, std::int64_t shard_size = 0);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};
[[nodiscard]] inline TrainStep train_step(Objective objective, Optimizer optimizer, int threads = 0) {
  return TrainStep(std::move(objective), std::move(optimizer), threads);
}

/// The default number of samples per shard: the batch in 4 shards, in 2 for models above 4 million parameters, in fewer
/// where a shard would have less than 2 million multiplications to do. Depends on the batch and the model alone.
[[nodiscard]] std::int64_t default_shard_size(std::int64_t batch_size, std::int64_t parameters);

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

/// Which values are kept between the forward and the backward pass. All give the same bits; each of them needs less
/// memory than the one before. Where all values of a shard fit the first-level cache, all are kept.
enum class Memory {
  keep,  ///< all values that the backward pass reads
  fast,  ///< values that arithmetic alone can recompute are not kept: that takes no longer than reading them
  lean,  ///< exponentials and similar values are not kept either: recomputing them takes a little longer
};

/// Rows that a training run made for itself, with its parameters at that time: episodes of a policy, games of a network
/// against itself.
struct Collection {
  Dataset rows;  ///< every collection has as many rows, and the same columns
  /// The state from which the next collection continues: episodes under way, rows of earlier collections.
  std::vector<std::pair<std::string, Tensor>> kept = {};
  Metrics metrics = {};  ///< measured during the collection; they are in the reports of its epochs
};
struct CollectRequest {
  const Collection* last = nullptr;  ///< null for the first collection
  std::int64_t number = 0;           ///< of the collection, from 0
  std::uint64_t seed = 1;            ///< of the run
  /// Where it says that the run is to end, a collection may end early: what it gives is dropped, and collected again
  /// by the run that goes on.
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
  std::int64_t intermediate_bytes = 0;  ///< of the same values, if no two shared memory
  double peak = 0;                      ///< operations per second of large matrix products with these threads
};

struct FitOptions {
  std::int64_t epochs = 10;
  std::int64_t steps = 0;        ///< instead of epochs, where not 0
  std::int64_t batch_size = 32;  ///< 0 is the whole set
  std::int64_t shard_size = 0;   ///< 0 is the default
  std::int64_t accumulate = 1;   ///< batches per step
  Memory memory = Memory::fast;
  Precision precision = Precision::single;  ///< of training; evaluation and predictions are computed in f32
  bool layer_norms = false;                 ///< record the norm of each layer's gradient
  bool shuffle = true;
  std::uint64_t seed = 1;
  double validation = 0;                        ///< this fraction of the rows is held out
  std::optional<Dataset> validation_data = {};  ///< or these
  std::string validation_average = {};          ///< measured with this moving average of the parameters
  std::optional<EarlyStopping> early_stopping = {};
  std::int64_t reports = 1 << 16;  ///< steps kept in the History; of a longer run every 2nd, 4th, ... and the last
  std::int64_t stop_after = 0;     ///< stop after this step of the run; the schedule is still that of the whole run
  Stop stop = {};
  std::function<void(const StepReport&)> on_step = {};
  /// Whether on_step only takes note of its report, and does not look at the trainer. Then a step on a device other than
  /// this CPU need not wait for its numbers: on_step is told of it up to three steps later, in order, and before the
  /// epoch ends, a checkpoint is written or the run ends. Where there is no on_step, this is so too.
  bool late_reports = false;
  std::function<void(const EpochReport&)> on_epoch = {};
  Path checkpoints = {};  ///< a folder; none where empty
  Duration checkpoint_every = "1 epochs";
  int keep_checkpoints = 2;
  /// Makes the rows of training: before the first epoch, and again after every `passes` epochs. The data given to `fit`
  /// shows their number, columns and shapes.
  Collect collect = {};
  std::int64_t passes = 1;
  bool resume = false;                       ///< from the newest valid checkpoint in that folder
  std::shared_ptr<Communicator> ranks = {};  ///< other processes of the same training, which share the shards of a step
  std::string fingerprint = {};              ///< of the configuration; a checkpoint with another fingerprint is refused
};

enum class StopReason { finished, stopped_early, stop_requested, stop_after };

struct History {
  std::vector<StepReport> steps;  ///< each, or every 2nd, 4th, ... and the last; see FitOptions::reports
  std::vector<EpochReport> epochs;
  std::vector<std::string> layers = {};  ///< whose gradients StepReport::layer_norms are
  StopReason reason = StopReason::finished;
  std::int64_t best_epoch = 0;  ///< by the metric of early stopping; 0: none
  bool best_restored = true;    ///< the parameters are those of that epoch; see EarlyStopping::restore_best
  double seconds = 0;
  std::vector<std::string> warnings;  ///< a damaged checkpoint that was skipped, ...
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
  /// Objectives take turns on each batch: the second reads the parameters that the first has changed. Or they step at
  /// once, all from the same parameters; then common subexpressions are computed once.
  bool simultaneous = false;
};

/// Model, loss and optimizer, with the state they train.
class Trainer {
 public:
  Trainer(ModelFunction model, LossFunction loss, Optimizer optimizer, int threads = 0);
  /// Any objective; then `evaluate` gives the loss alone, and there are no predictions.
  Trainer(Objective objective, Optimizer optimizer, int threads = 0);
  /// Several objectives over one State: each has slots and a step count of its own, and gradients of the parameters
  /// that it trains. Random numbers of one path are the same for all objectives on a batch; parameters of one path are
  /// the same parameters.
  explicit Trainer(std::vector<ObjectiveRow> objectives, const TrainerOptions& options = {});
  ~Trainer();
  Trainer(Trainer&&) noexcept;

  /// Trains for its own epochs, with its own schedule, from the state as it is: a second call continues from the state
  /// that the first one left.
  History fit(const Dataset& data, const FitOptions& options = {});
  /// One step of one objective, for a training loop of your own; `shard_size` 0 takes the default. The schedule's step
  /// is the objective's own count unless `progress` is given. Throws UsageError for an unknown name.
  StepReport step(std::string_view objective, const Dataset& batch, const Progress& progress = {},
                  std::int64_t shard_size = 0);
  /// With several objectives: the loss of the first, the loss of each ("d.loss"), and their reports. With `average`,
  /// the moving average of that name in place of the parameters.
  [[nodiscard]] Evaluation evaluate(const Dataset& data, std::string_view average = {});
  /// Predictions for the column "input": values, in the unit of the data's TargetUnit, or probabilities.
  [[nodiscard]] Tensor predict(const Dataset& data);

  /// The state; initialised at the first fit, or by `init`.
  [[nodiscard]] const State& state() const;
  void set_state(State state);
  void init(const Dataset& data, std::uint64_t seed);
  /// The layers that are trained, whose gradients StepReport::layer_norms are.
  [[nodiscard]] std::vector<std::string> layers() const;

  /// Writes the parameters to a safetensors file, with the other data that `Model::load(path, model)` needs: the loss,
  /// the shape of the input, and how the data was encoded.
  void save(const Path& path) const;
  /// Reads the parameters from such a file; `shapes` are rows of the data.
  void load(const Path& path, const Dataset& shapes);
  /// Reads the parameters that the patterns match, as State::load does; the others keep their values, or are
  /// initialised where nothing is trained yet. `trainer.load("autoencoder.safetensors", data, "encoder/*")`.
  void load(const Path& path, const Dataset& shapes, const Patterns& patterns, std::string_view under = {});

  /// Describes the plan of a training step. Only options.memory and .precision count.
  [[nodiscard]] std::string explain(const Dataset& batch, const FitOptions& options = {});
  /// Times steps on this batch from the present state, which does not change. Only options.memory, .precision and
  /// .shard_size count.
  [[nodiscard]] StepCost measure(const Dataset& batch, const FitOptions& options = {});

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace thalweg
