#pragma once
// The step of an objective, or of several at once, on rows of a dataset: the engine of TrainStep and Trainer.

#include <memory>
#include <optional>
#include <set>

#include "distributed/communicator.hpp"
#include "engine/evaluate.hpp"
#include "engine/guide.hpp"
#include "engine/late_steps.hpp"
#include "engine/norms.hpp"
#include "engine/one_shard.hpp"
#include "engine/pace.hpp"
#include "engine/programs.hpp"
#include "engine/rank_sum.hpp"
#include "engine/sliced_norm.hpp"
#include "engine/slot_shares.hpp"
#include "engine/sums_there.hpp"
#include "engine/updater.hpp"
#include "engine/whole_steps.hpp"

namespace thalweg {

/// An objective of an engine, with its optimizer. The name is empty where there is only one: then slots and step count
/// are the state's own.
struct EngineObjective {
  std::string name;
  EvaluationFunction function;
  Optimizer optimizer;
  ObjectiveOptions options = {};
};

/// One objective, or several that step at once from the same parameters: one program computes the gradients of all, and
/// their common subexpressions once. Objectives that take turns have one engine each, and share the threads of a crew.
class Engine {
 public:
  Engine(std::vector<EngineObjective> objectives, std::shared_ptr<Crew> crew);
  /// One objective without a name.
  Engine(EvaluationFunction function, Optimizer optimizer, int threads);

  /// A state for these objectives alone; see initial_state.
  [[nodiscard]] State init(const Dataset& data, std::uint64_t seed, DType dtype);

  /// Traces the objectives on such data, and remembers which parameters they declare.
  [[nodiscard]] TracedObjective trace(const Dataset& data, Mode mode, DType dtype);
  /// Traces, so that errors come before the first step, and gives the names of the reports. Throws ModelError for a
  /// parameter that the state lacks, or has in another shape.
  std::vector<std::string> check(const State& state, const Dataset& data, Mode mode);
  /// Whether an objective trains a parameter of its trace: it declares it, in a frozen group or not, and its patterns
  /// fit.
  [[nodiscard]] bool trains(std::size_t objective, const TracedParameter& parameter) const;

  /// How a step is taken; the spans, with one element per objective, may be empty.
  struct Turn {
    std::span<const Progress> progress = {};  ///< of each objective; by default the steps that it took
    std::int64_t shard_size = 0;              ///< 0: the default
    /// The mean weight of a row of the data, for each objective: its gradient is divided by this weight times the
    /// number of rows. Where it is not given, the gradient is divided by the batch's own weight.
    std::span<const std::optional<double>> row_weights = {};
    /// Whether parameters that other ranks updated may still be missing at the end: see `settle`.
    bool may_lag = false;
  };
  /// The results of an objective in the last turn.
  struct Did {
    double loss = 0, weight = 0, gradient_norm = 0, lr = 0;
  };
  /// A step of all objectives that is not counted in the state. The report becomes that of the first objective; its old
  /// content is only reused as memory.
  void turn(State& state, const RowSelection& batch, const Turn& turn, StepReport& report);
  StepReport turn(State& state, const RowSelection& batch, const Turn& turn) {
    StepReport report;
    this->turn(state, batch, turn, report);
    return report;
  }
  [[nodiscard]] std::span<const Did> did() const { return did_; }

  /// A turn whose report may arrive later: on a device other than this CPU, a step does not wait for its numbers if
  /// only the report needs them. The caller counts the step in the state. What has arrived of this step and of earlier
  /// ones is added to `arrived`, in order. Throws what an earlier step threw; the state then is as it was before that
  /// step.
  void turn_late(State& state, const RowSelection& batch, const Turn& turn, std::vector<StepReport>& arrived);
  /// Waits for the reports of all steps so far.
  void await(State& state, std::vector<StepReport>& arrived);
  /// Waits for the parameters that other ranks updated in the last turn, where it may lag. Until then the state may
  /// only be given to the next turn.
  void settle() {
    if (arrivals_) arrivals_->settle();
  }
  /// Discards the steps in flight of a run that ended by an error, and waits for messages into its state.
  void drop_late() {
    if (late_) late_->drop();
    if (arrivals_) arrivals_->abandon();
  }
  /// The same, but counted in the state. A `progress` of 0 of 1 steps means that none is given.
  StepReport step(State& state, const RowSelection& batch, const Progress& progress = {}, std::int64_t shard_size = 0);

  /// For a method that owns its steps: whether a step found that no further step is possible.
  [[nodiscard]] bool ended(const State& state);

  /// Adds to the state a slot for what the optimizer stores of each row, where it does, and returns a description of
  /// its size: see SagaTable. Throws UsageError where it is larger than allowed.
  std::optional<std::string> add_row_table(State& state, std::int64_t rows);
  /// The mean weight of the rows for each objective, where steps divide by it: see mean_row_weight.
  [[nodiscard]] std::vector<std::optional<double>> row_weights(const State& state, const Dataset& data);
  /// The state with slots for these objectives, where it has none.
  [[nodiscard]] State with_slots(State state);
  /// The state with the parameters to evaluate with, for example the average that an optimizer keeps. Adds slots to a
  /// state without any.
  [[nodiscard]] State evaluation_state(const State& state);
  /// The loss of an objective over all rows, and the predictions, (rows, ...), where it has a model.
  LossSum evaluate(std::size_t objective, const State& state, const Dataset& data, Tensor& predictions);
  [[nodiscard]] std::string explain(const State& state, const Dataset& data, std::int64_t shard_size);

  [[nodiscard]] StepCost measure(const State& state, const Dataset& batch, std::int64_t shard_size);
  /// Measures a step that ranks share: see Communicator::Measured. All ranks must call it.
  [[nodiscard]] Communicator::Measured measure_ranks(const State& state, const Dataset& batch, std::int64_t shard_size);
  void set_memory(Memory memory);
  /// Throws UsageError where a method computes its own losses, which are f32.
  void set_precision(Precision precision);
  /// The ranks that share the shards of a step; null where this process computes all of them.
  void set_ranks(std::shared_ptr<Communicator> ranks);
  /// The default number of rows in a shard on this CPU: see default_shard_size.
  [[nodiscard]] std::int64_t shard_size(const Layout& layout, const Dataset& data, std::int64_t batch_size) const;
  /// Whether a batch of so many rows is cut into shards that only need their own rows: no objective mixes samples, and
  /// no optimizer looks at more than the batch's gradient.
  [[nodiscard]] bool cuts_batches(const State& state, const Dataset& data, std::int64_t rows, std::int64_t shard_size);
  /// Whether a rank keeps a part of the slots.
  [[nodiscard]] bool shares_slots() const;
  /// What a slot of the state is with the parts of all ranks together, if ranks share its objective's update.
  [[nodiscard]] std::optional<WholeSlot> whole_of(const std::string& slot) const;
  /// Whether steps report the norm of each layer's gradient.
  void watch_layers(bool watch);
  /// The layers that are trained, in the order of their norms in a report.
  [[nodiscard]] std::vector<std::string> layers(const State& state);

  [[nodiscard]] std::size_t size() const { return objectives_.size(); }
  [[nodiscard]] const std::string& name(std::size_t objective) const { return objectives_[objective].name; }
  [[nodiscard]] const ObjectiveOptions& options(std::size_t objective) const { return objectives_[objective].options; }
  [[nodiscard]] const Optimizer& optimizer(std::size_t objective) const {
    return objectives_[objective].updater.optimizer();
  }
  [[nodiscard]] Crew& crew() { return *crew_; }
  /// Where its steps run: the crew's device, or this CPU where ranks share the shards.
  [[nodiscard]] Device& device() const { return far_ ? *far_ : this_cpu(); }
  /// The trained layers for which an objective's optimizer keeps factors; valid after a trace.
  [[nodiscard]] std::vector<FactoredLayer> factored(std::size_t objective, const Layout& trained) const;

 private:
  /// An objective with its updater and all that belongs to it.
  struct Member {
    std::string name;
    ObjectiveOptions options;
    Updater updater;
    Evaluator evaluator;
    std::set<std::string> declared = {};  ///< names of the parameters in the last trace
    /// For an optimizer that asks for factors: the layers that may have factors, and those that do.
    std::vector<FactoredLayer> layers = {}, factored = {};
    std::int64_t slopes = 0;  ///< for an optimizer with a table of rows: see slopes_a_row
    std::optional<GradientNorm> norm = {};
    std::optional<LayerNorms> layer_norms = {};  ///< where they are watched
    std::optional<SlotShares> shares = {};       ///< where ranks share the update
    bool sets_momentum = false;                  ///< whether the schedule does
  };
  /// The sums over the shards of a batch: gradients and observations, on the device of the steps; losses and weights,
  /// reports.
  struct Sums {
    std::byte* gradient;
    const double* numbers;
    Block lent = {};               ///< a block from the pool, unless the sums are in the memory of a single shard
    std::vector<double> own = {};  ///< the numbers, unless they are in that block
    bool sliced = false;           ///< whether a rank has only what its update needs of the gradient

    [[nodiscard]] double loss(std::size_t objective) const { return numbers[2 * objective]; }
    [[nodiscard]] double weight(std::size_t objective) const { return numbers[2 * objective + 1]; }
  };
  /// `apart`: use separate memory, because the sums at another point are still needed.
  Sums sum_over_shards(const State& state, const RowSelection& batch, const BatchPrograms& programs,
                       bool apart = false);
  /// Whether the batch is one small shard.
  [[nodiscard]] bool is_one_shard(const BatchPrograms& programs) const;
  /// The same on a device other than this CPU.
  Sums sum_there(const State& state, const RowSelection& batch, const BatchPrograms& programs, bool apart);
  void give_back(Sums sums);
  /// Plans the updates for the state's layout, and gives it slots.
  void prepare(State& state);
  /// Whether `prepare` would have nothing to do.
  [[nodiscard]] bool is_prepared(const State& state) const;
  /// Decides which rank updates which of an objective's parameters.
  void share(std::size_t objective);
  /// Plans the messages after shared updates.
  void expect_arrivals(DType dtype);
  [[nodiscard]] RankSums::Needs rank_needs();
  /// The norm of the gradient of an objective, which is a sum over samples.
  [[nodiscard]] double norm_of(std::size_t objective, const Sums& sums, const State& state);
  [[nodiscard]] std::byte* gradient_of(std::size_t objective, const Sums& sums, const State& state) const;
  void update(std::size_t objective, State& state, const Sums& sums, double divisor, double norm, double lr,
              const Progress& progress);
  /// Whether every chain begins with zero_nonfinite: then elements of the gradient need not be finite.
  [[nodiscard]] bool is_mended(std::size_t objective) const;
  /// The learning rate of a step. Throws UsageError if it is not finite.
  [[nodiscard]] double rate_at(std::size_t objective, const Progress& progress) const;
  /// The loss and the gradient's norm of an objective; throws NumericError where one is not finite.
  void look_at(std::size_t objective, const State& state, const RowSelection& batch, const BatchPrograms& programs,
               const Sums& sums, StepReport& report);
  [[noreturn]] void throw_not_finite(std::size_t objective, const State& state, const RowSelection& batch,
                                     const BatchPrograms& programs);
  void watch_layers(std::size_t objective, std::byte* gradient, StepReport& report);
  // For an optimizer that asks for more than the gradient of its batch: guide.cpp.
  void check_asks() const;
  void check_whole_steps() const;
  /// A step of a method that owns its steps.
  void whole_turn(State& state, const RowSelection& batch, const Turn& turn, StepReport& report);
  void make_guide();
  /// Throws UsageError for an optimizer that needs rows outside the batch.
  void expect_rows() const;
  /// Computes what the optimizer asks for; returns the sums whose gradient replaces the batch's, if any.
  std::optional<Sums> asked_for(State& state, const RowSelection& batch, const BatchPrograms& programs,
                                const Sums& sums, const Progress& progress);
  /// The same, followed by an update with this gradient; false where there is none.
  bool update_as_asked(State& state, const RowSelection& batch, const BatchPrograms& programs, const Sums& sums,
                       const Progress& progress);
  Sums sums_uphill(State& state, const RowSelection& batch, const BatchPrograms& programs, const Sums& sums);
  /// For SAGA: the change of the batch's gradients relative to the table, which is updated, plus the mean over all
  /// rows.
  Sums sums_by_table(State& state, const RowSelection& batch, const BatchPrograms& programs);
  Sums sums_by_gradients(State& state, const RowSelection& batch, const BatchPrograms& programs, Tensor& table);
  // on a device that is not here
  Sums sums_by_gradients_there(State& state, const RowSelection& batch, const ShardProgram& one, Tensor& table);
  Sums take_in_there(Sums change, std::byte* mean, double divisor, double all);
  Sums sums_by_slopes(State& state, const RowSelection& batch, const BatchPrograms& programs, Tensor& table);
  Sums sums_by_anchor(State& state, const RowSelection& batch, const BatchPrograms& programs, const Sums& sums,
                      bool moves);
  void estimate_diagonal(State& state, const RowSelection& batch, const BatchPrograms& programs, std::int64_t step);
  /// Updates the running means of factors.
  void estimate_factors(State& state, const RowSelection& batch, const BatchPrograms& programs, std::int64_t step);
  /// Estimates the diagonal from drawn labels.
  void square_drawn_gradient(State& state, const RowSelection& batch);
  void move_statistics(State& state, const RowSelection& batch, const BatchPrograms& programs, const Sums& sums);
  // turn_again.cpp
  /// Whether a turn with one small shard may be followed by one that only repeats its calls.
  [[nodiscard]] bool can_be_repeated(const BatchPrograms& programs) const;
  /// A turn that is like the last one in all but its rows: see alike_. False, and nothing is changed, where it is not,
  /// or where a number is not finite.
  [[nodiscard]] bool turn_again(State& state, const RowSelection& batch, const Turn& turn, StepReport& report);
  /// Any other turn.
  void turn_anew(State& state, const RowSelection& batch, const Turn& turn, StepReport& report);
  // turn_late.cpp
  /// Whether a step's numbers are needed for its report alone.
  [[nodiscard]] bool can_be_late(const BatchPrograms& programs) const;
  void start_late(State& state, LateSteps::Asked asked);
  /// The report of the oldest step under way, and of all of them where it could not go on.
  void arrive(State& state, std::vector<StepReport>& arrived);
  void take_again(State& state, std::vector<StepReport>& arrived);
  [[nodiscard]] StepReport report_of(const LateSteps::Asked& asked);

  std::vector<EvaluationFunction> functions_;
  std::vector<Member> objectives_;
  bool asks_ = false, owns_steps_ = false;  // whether the optimizer asks for more than gradients, or owns its steps
  std::shared_ptr<Crew> crew_;
  std::shared_ptr<Communicator> ranks_;
  bool ranks_changed_ = false;  // whether the ranks changed since the updates were planned
  Device* far_;                 // null: steps run on this CPU
  Pace pace_;
  Programs programs_;
  std::shared_ptr<const Layout> layout_;
  StepLayout step_;
  OneShard one_shard_;
  std::optional<SumsThere> sums_there_;
  std::optional<LateSteps> late_;
  std::optional<Arrivals> arrivals_;       // where ranks share an update
  std::optional<SlicedNorm> sliced_norm_;  // where only the update needs the gradient
  std::optional<RankSums> rank_sums_;
  bool watches_layers_ = false;
  std::vector<Did> did_;
  std::vector<double> divisors_;  // the divisor of each gradient in the present step
  std::optional<Guide> guide_;    // for the present layout
  std::optional<WholeSteps> whole_steps_;
  double asked_norm_ = 0;  // norm of the gradient that replaces the batch's
  /// The program of the last turn, if that had one small shard on this CPU and one objective whose optimizer looks at
  /// its gradient alone: then most of what a turn has to find out has been found.
  const ShardProgram* alike_ = nullptr;
};

/// The layout of the state that these engines train; allocates no state. Throws what initial_state throws.
[[nodiscard]] Layout initial_layout(std::span<Engine* const> engines, const Dataset& data, DType dtype, bool complete);

/// The state that these engines train: the parameters of all of them, each once and initialised, and the slots of each.
/// Throws UsageError for a parameter that objectives declare differently, for one that no objective trains (if
/// `complete`), and for a trained one on which the loss does not depend.
[[nodiscard]] State initial_state(std::span<Engine* const> engines, const Dataset& data, std::uint64_t seed,
                                  DType dtype, bool complete = true);

}  // namespace thalweg
