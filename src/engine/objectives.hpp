#pragma once
// The objectives of a trainer: which of them take a turn at which batch, and calls that concern all of them.

#include "engine/engine.hpp"

namespace thalweg {

/// Objectives that take turns have one engine each; objectives that step at once share one.
class Objectives {
 public:
  Objectives(std::vector<EngineObjective> objectives, bool simultaneous, int threads);

  [[nodiscard]] State init(const Dataset& data, std::uint64_t seed, DType dtype);
  /// Traces all of them, and gives the names of their measurements besides "loss": the loss of each, where there are
  /// several, and their reports. Throws UsageError where two report under the same name, and as Engine::check does.
  std::vector<std::string> check(const State& state, const Dataset& data, Mode mode);

  /// The position of a run, for the schedules.
  struct Clock {
    std::int64_t done = 0, total = 1, steps_an_epoch = 1;  ///< batches
    std::span<const PlateauState> plateaus = {};           ///< of each objective
  };
  /// A number that was measured on a batch, and its weight in a mean over batches.
  struct Measured {
    std::string name;
    double value, weight;
  };
  using RowWeights = std::vector<std::vector<std::optional<double>>>;  // of the objectives of each engine

  /// One batch: each objective whose turn it is takes a step. The report becomes the first one's, with the measured
  /// numbers of all.
  /// With `may_lag`, which must be the same on all ranks, parameters that other ranks updated may be missing until
  /// `settle`, or the next round.
  void round(State& state, const RowSelection& batch, const Clock& clock, std::int64_t shard_size,
             const RowWeights& row_weights, StepReport& report, bool may_lag = false) {
    if (!measured_.empty()) measured_.clear();
    if (are_several()) {
      round_of_all(state, batch, clock, shard_size, row_weights, report, may_lag);
    } else {
      round_of_one(state, batch, clock, shard_size, row_weights, report, may_lag);
    }
  }
  void settle() {
    for (const auto& engine : engines_) engine->settle();
  }
  [[nodiscard]] const std::vector<Measured>& measured() const { return measured_; }
  /// The same where there is one objective, whose reports may come later: see Engine::turn_late.
  void round_late(State& state, const RowSelection& batch, const Clock& clock, std::int64_t shard_size,
                  const RowWeights& row_weights, std::vector<StepReport>& arrived);
  [[nodiscard]] bool may_be_late() const {
    return !several_ && engines_.front()->options(0).every <= 1 && engines_.front()->device().far() != nullptr;
  }
  void await(State& state, std::vector<StepReport>& arrived) { engines_.front()->await(state, arrived); }
  /// Discards the steps in flight of a run that ended by an error.
  void drop_late();
  /// One step of one objective. Throws UsageError for an unknown name, and where objectives step at once.
  StepReport step(std::string_view name, State& state, const Dataset& batch, const Progress& progress,
                  std::int64_t shard_size);

  /// Whether no further step is possible: only for a method that owns its steps, as the only objective.
  [[nodiscard]] bool ended(const State& state);

  /// See Engine::add_row_table: the description of each engine that has such a slot.
  std::vector<std::string> add_row_tables(State& state, std::int64_t rows);
  [[nodiscard]] RowWeights row_weights(const State& state, const Dataset& data);
  [[nodiscard]] State evaluation_state(const State& state);
  /// The losses and the reports of all, the loss of the first objective first; predictions where there is a model.
  LossSum evaluate(const State& state, const Dataset& data, Tensor& predictions);
  [[nodiscard]] std::string explain(const State& state, const Dataset& data, std::int64_t shard_size);
  [[nodiscard]] StepCost measure(const State& state, const Dataset& batch, std::int64_t shard_size);
  /// The communicator notes what a step over its ranks takes.
  void measure_ranks(const std::shared_ptr<Communicator>& ranks, State state, const Dataset& batch,
                     std::int64_t shard_size);
  /// Which values are kept for the backward pass, and how they are stored: options.memory and .precision.
  void plan_as(const FitOptions& options);
  void watch_layers(bool watch);
  /// From now on ranks share each step, and each keeps its part of the state's slots, which are whole before the call.
  /// The communicator notes the sizes.
  void begin_sharing(const std::shared_ptr<Communicator>& ranks, State& state);
  /// From now on this process computes whole steps.
  void end_sharing();
  /// Whether every objective cuts such batches into shards that only need their own rows: see Engine.
  [[nodiscard]] bool cut_batches(const State& state, const Dataset& data, std::int64_t rows, std::int64_t shard_size);
  /// Whether a rank keeps a part of the slots.
  [[nodiscard]] bool shares_slots() const;
  /// The state with whole slots, on rank 0 or on all ranks; on the other ranks without slots.
  [[nodiscard]] State whole(Communicator& ranks, const State& state, bool on_all) const;
  /// What this rank writes of the slots: see part_to_write.
  [[nodiscard]] Slots slots_to_write(Communicator& ranks, const State& state) const;
  [[nodiscard]] std::vector<std::string> layers(const State& state);

  /// In the order in which they were given.
  [[nodiscard]] std::vector<const Optimizer*> optimizers() const;
  [[nodiscard]] Workers& workers() { return crew_->workers; }
  /// The number of rows in a shard of all objectives' steps: `wanted`, or if that is 0 the most that one of them takes
  /// by default, see default_shard_size; or the batch, see Device::takes_batches_whole.
  [[nodiscard]] std::int64_t shard_size(std::int64_t wanted, const State& state, const Dataset& data,
                                        std::int64_t batch_size) const;
  [[nodiscard]] const Crew& crew() const { return *crew_; }
  /// Where the steps run; if the objectives differ, where those of the first run.
  [[nodiscard]] const Device& device() const { return engines_.front()->device(); }

 private:
  /// The rounds of one objective, and of several.
  void round_of_one(State& state, const RowSelection& batch, const Clock& clock, std::int64_t shard_size,
                    const RowWeights& row_weights, StepReport& round, bool may_lag);
  void round_of_all(State& state, const RowSelection& batch, const Clock& clock, std::int64_t shard_size,
                    const RowWeights& row_weights, StepReport& round, bool may_lag);
  void note(Engine& engine, const StepReport& report);
  [[nodiscard]] WholeSlots whole_of(const Slots& slots) const;
  [[nodiscard]] bool are_several() const { return several_; }

  std::shared_ptr<Crew> crew_;
  std::vector<std::unique_ptr<Engine>> engines_;
  std::vector<Measured> measured_;
  std::vector<Progress> progress_;  // of the engine whose turn it is
  StepReport other_;                // of an engine that is not the first
  bool several_ = false, watches_layers_ = false;
};

}  // namespace thalweg
