#pragma once
// The step and the evaluation, on rows of a dataset: what TrainStep and Trainer are made of.

#include <memory>
#include <span>

#include "engine/layer_norms.hpp"
#include "engine/one_shard.hpp"
#include "engine/shard_program.hpp"
#include "engine/shards.hpp"
#include "optim/update.hpp"

namespace thalweg {

class Engine {
 public:
  Engine(EvaluationFunction function, Optimizer optimizer, int threads);

  [[nodiscard]] State init(const Dataset& data, std::uint64_t seed, DType dtype);
  StepReport step(State& state, const RowSelection& batch, const Progress& progress, std::int64_t shard_size);
  /// The state with the parameters to evaluate with: an average, say, where the optimizer keeps one.
  [[nodiscard]] State evaluation_state(const State& state);
  /// The loss over all rows as (sum, weight), and the predictions where `predictions` is given: (rows, ...).
  std::pair<double, double> evaluate(const State& state, const RowSelection& rows, Tensor* predictions);
  [[nodiscard]] std::string explain(const State& state, const Dataset& data, std::int64_t rows);

  [[nodiscard]] StepCost measure(const State& state, const Dataset& batch, std::int64_t shard_size);
  void set_memory(Memory memory);
  /// Whether steps report the norm of each layer's gradient.
  void watch_layers(bool watch);

  [[nodiscard]] const Optimizer& optimizer() const { return optimizer_; }
  [[nodiscard]] Workers& workers() { return workers_; }

 private:
  /// Squared norms of what is stepped, piece by piece.
  struct NormProgram {
    Program program;
    std::vector<DType> pieces;  ///< what each sum is written as, in eight bytes of its own
    std::vector<double> sums;
    Program::Calls calls = {};
  };
  [[nodiscard]] static NormProgram squared_norm_program(const Optimizer& optimizer, const Layout& layout);

  ShardProgram& program_for(Mode mode, std::int64_t rows, const Dataset& data, const Layout& layout);
  [[nodiscard]] std::unique_ptr<ShardProgram> make_program(Mode mode, std::int64_t rows, const Dataset& data,
                                                           const Layout& layout, bool with_gradient = true) const;
  void run_shard(const ShardProgram& shard, const ShardProgram::Call& call);
  /// What the shards of a batch hand in, summed: gradient, observations, loss and weight.
  struct Sums {
    std::byte* gradient;
    double loss, weight;
    const std::vector<Movement>* movements;
    Block lent = {};  ///< by the pool, where one shard's own memory does not hold it
  };
  [[nodiscard]] static Sums sums_of(const OneShard& shard);
  void give_back(Sums sums);
  /// Adds the loss and its weight over a part of the rows, which are in memory.
  void evaluate_part(const State& state, const RowSelection& part, std::int64_t shard_size, std::byte* predictions,
                     std::pair<double, double>& total);
  /// Rows a shard of an evaluation; depends on the rows and the model alone.
  std::int64_t evaluation_shard(std::int64_t rows, const Dataset& data, const Layout& layout);
  /// The program of a shard of a training step: of as many rows as wanted (0: the default), or of all where the
  /// objective mixes samples.
  const ShardProgram& shard_program(std::int64_t rows, std::int64_t wanted, const Dataset& data, const Layout& layout);
  Sums sum_over_shards(const State& state, const RowSelection& batch, std::int64_t shard_size);
  double squared_norm(std::byte* gradient);
  void update(State& state, std::byte* gradient, double weight, double norm, double lr, const Progress& progress);
  void prepare_update(State& state);
  /// Moves a statistic towards the mean of what was observed, given as a sum over `rows` beside the others'.
  static void move(State& state, const Movement& m, const std::byte* observed, double rows);
  [[noreturn]] void explain_not_finite(const State& state, const RowSelection& batch, std::int64_t shard_size,
                                       double loss);

  EvaluationFunction function_;
  Memory memory_ = Memory::fast;
  Optimizer optimizer_;
  Workers workers_;
  BlockPool pool_;
  std::vector<std::unique_ptr<ShardProgram>> programs_;
  std::shared_ptr<const Layout> update_layout_;
  std::optional<UpdateProgram> update_;
  std::optional<NormProgram> norm_;
  Program::Calls update_calls_;
  OneShard one_shard_;
  std::optional<Block> serial_arena_;  // of the programs that follow the shards, one after the other
  bool watches_layers_ = false;
  std::optional<LayerNorms> layer_norms_;  // where they are watched
  std::vector<double> scalars_;
  std::vector<std::byte*> update_bases_;
};

}  // namespace thalweg
