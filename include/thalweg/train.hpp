#pragma once
// Training: the loop. Compute the gradient of an objective on a batch, step against it, repeat.

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
  bool warm_up = false;  ///< d = min(decay, (1 + t) / (10 + t)) in step t, so that the start is forgotten sooner
};

struct ObjectiveOptions {
  Patterns trains = {};    ///< of the parameters that the objective declares; by default all
  std::int64_t every = 1;  ///< takes its turn at every `every`-th batch
  std::vector<MovingAverage> averages = {};
};

/// One objective of several that train one State: its loss, and how it steps what it trains.
struct ObjectiveRow {
  std::string name;
  Objective loss;
  Optimizer optimizer;
  ObjectiveOptions options = {};
};

/// What was measured, in order: ("loss", ...), ("validation.loss", ...), ("validation.accuracy", ...).
using Metrics = std::vector<std::pair<std::string, double>>;

/// What a step did.
struct StepReport {
  std::int64_t step = 0;         ///< from 1
  std::int64_t total_steps = 0;  ///< of the run
  std::int64_t epoch = 0;        ///< from 1
  double loss = 0, gradient_norm = 0, lr = 0;
  std::int64_t samples = 0;
  double weight = 0;  ///< of the samples; `loss` is their weighted mean. 0: none counts, and the step has no effect
  std::vector<double> layer_norms = {};  ///< of each layer's gradient, before clipping; see FitOptions::layer_norms
  /// What objectives report of their batch (see Scope::report); of several objectives, the loss of each ("d.loss"). The
  /// numbers above are those of the first.
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

/// Samples a shard when none is asked for: the batch in 4 shards, in 2 for models above 4 million parameters, in one
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

/// What is kept between the forward and the backward pass: the same bits in less and less memory. Where all values of a
/// shard fit the first-level cache, all are kept.
enum class Memory {
  keep,  ///< all that the backward pass reads
  fast,  ///< not what arithmetic alone gives again: that takes no longer than to read it
  lean,  ///< nor exponentials and their kin: what is cheap is computed again, a little later
};

/// Rows that a training made for itself, by what it had learned so far: episodes that a policy played, games of a net
/// against itself.
struct Collection {
  Dataset rows;  ///< in each collection as many, of the same columns
  /// What the next collection goes on from: episodes under way, rows of earlier ones.
  std::vector<std::pair<std::string, Tensor>> kept = {};
  Metrics metrics = {};  ///< what was measured while it was made: they stand in the reports of its epochs
};
struct CollectRequest {
  const Collection* last = nullptr;  ///< none at the first
  std::int64_t number = 0;           ///< of the collection, from 0
  std::uint64_t seed = 1;            ///< of the run
};
/// Has to be a function of its arguments: of them checkpoints keep the last collection, and so a resumed run collects
/// what it would have collected.
using Collect = std::function<Collection(const State&, const CollectRequest&)>;

/// What a step costs on this machine: medians of several.
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
  std::int64_t intermediate_bytes = 0;  ///< of the same values, if none shared memory
  double peak = 0;                      ///< operations a second of large matrix products with these threads
};

struct FitOptions {
  std::int64_t epochs = 10;
  std::int64_t steps = 0;        ///< instead of epochs, where not 0
  std::int64_t batch_size = 32;  ///< 0 is the whole set
  std::int64_t shard_size = 0;   ///< 0 is the default
  std::int64_t accumulate = 1;   ///< batches a step
  Memory memory = Memory::fast;
  bool layer_norms = false;  ///< record the norm of each layer's gradient
  bool shuffle = true;
  std::uint64_t seed = 1;
  double validation = 0;                        ///< this fraction of the rows is held out
  std::optional<Dataset> validation_data = {};  ///< or these
  std::string validation_average = {};          ///< measured with this moving average of the parameters
  std::optional<EarlyStopping> early_stopping = {};
  std::int64_t reports = 1 << 16;  ///< steps kept in the History: of a longer run every 2nd, 4th, ...; and the last
  std::int64_t stop_after = 0;     ///< stop after this step of the run; the schedule keeps its horizon
  Stop stop = {};
  std::function<void(const StepReport&)> on_step = {};
  std::function<void(const EpochReport&)> on_epoch = {};
  Path checkpoints = {};  ///< a folder; none where empty
  Duration checkpoint_every = "1 epochs";
  int keep_checkpoints = 2;
  /// Rows that are made by the training: before the first epoch, and again after every `passes` epochs. The data that
  /// `fit` is given says their number, columns and shapes.
  Collect collect = {};
  std::int64_t passes = 1;
  bool resume = false;                       ///< from the newest valid checkpoint in that folder
  std::shared_ptr<Communicator> ranks = {};  ///< other processes that train the same: the shards of a step are shared
  std::string fingerprint = {};              ///< of the configuration; a checkpoint of another is refused
};

enum class StopReason { finished, stopped_early, stop_requested, stop_after };

struct History {
  std::vector<StepReport> steps;  ///< each, or every 2nd, 4th, ... and the last; see FitOptions::reports
  std::vector<EpochReport> epochs;
  std::vector<std::string> layers = {};  ///< whose gradients StepReport::layer_norms are
  StopReason reason = StopReason::finished;
  std::int64_t best_epoch = 0;
  double seconds = 0;
  std::vector<std::string> warnings;  ///< a damaged checkpoint that was passed over, ...
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
  /// Objectives take turns on each batch: the second sees what the first changed. Or they step at once, each from the
  /// same parameters, and what they have in common is computed once.
  bool simultaneous = false;
};

/// Model, loss and optimizer, with the state they train.
class Trainer {
 public:
  Trainer(ModelFunction model, LossFunction loss, Optimizer optimizer, int threads = 0);
  /// Anything with a loss; then `evaluate` gives the loss alone, and there is nothing to predict.
  Trainer(Objective objective, Optimizer optimizer, int threads = 0);
  /// Several objectives over one State: each has slots and a step count of its own, and gradients of what it trains
  /// alone. Random numbers of one path are the same for all objectives on a batch; parameters of one path are the same
  /// parameters.
  explicit Trainer(std::vector<ObjectiveRow> objectives, const TrainerOptions& options = {});
  ~Trainer();
  Trainer(Trainer&&) noexcept;

  /// Trains for its own epochs, with its own schedule, from the state as it is: a second call goes on from where the
  /// first ended.
  History fit(const Dataset& data, const FitOptions& options = {});
  /// One step of one objective, for loops of one's own; `shard_size` 0 takes the default. The schedule's step is the
  /// objective's own unless `progress` says otherwise. Throws UsageError for a name that is not there.
  StepReport step(std::string_view objective, const Dataset& batch, const Progress& progress = {},
                  std::int64_t shard_size = 0);
  /// Of several objectives: the loss of the first, that of each ("d.loss"), and what they report. With `average`, the
  /// moving average of that name in place of the parameters.
  [[nodiscard]] Evaluation evaluate(const Dataset& data, std::string_view average = {});
  /// Of the column "input": values, in the unit that the data's TargetUnit says, or probabilities.
  [[nodiscard]] Tensor predict(const Dataset& data);

  /// The state; initialised at the first fit, or by `init`.
  [[nodiscard]] const State& state() const;
  void set_state(State state);
  void init(const Dataset& data, std::uint64_t seed);
  /// The layers that are trained, whose gradients StepReport::layer_norms are.
  [[nodiscard]] std::vector<std::string> layers() const;

  /// Parameters to a safetensors file, with what `Model::load(path, model)` needs besides: the loss, the shape of the
  /// input, and how the data was encoded.
  void save(const Path& path) const;
  /// Parameters from such a file; `shapes` are rows of the data.
  void load(const Path& path, const Dataset& shapes);
  /// Those that the patterns match, as State::load does; the others stay, or start where nothing is trained yet.
  /// `trainer.load("autoencoder.safetensors", data, "encoder/*")`.
  void load(const Path& path, const Dataset& shapes, const Patterns& patterns, std::string_view under = {});

  /// What the plan of a training step is made of.
  [[nodiscard]] std::string explain(const Dataset& batch);
  /// Times steps on this batch, from the state as it is, which stays so. Of the options, memory and shard_size count.
  [[nodiscard]] StepCost measure(const Dataset& batch, const FitOptions& options = {});

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace thalweg
