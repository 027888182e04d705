#pragma once
// The step and the evaluation, on rows of a dataset: what TrainStep and Trainer are made of.

#include <memory>
#include <optional>

#include "engine/evaluate.hpp"
#include "engine/norms.hpp"
#include "engine/one_shard.hpp"
#include "engine/programs.hpp"
#include "engine/updater.hpp"

namespace thalweg {

class Engine {
 public:
  Engine(EvaluationFunction function, Optimizer optimizer, int threads);

  [[nodiscard]] State init(const Dataset& data, std::uint64_t seed, DType dtype);
  StepReport step(State& state, const RowSelection& batch, const Progress& progress, std::int64_t shard_size);
  /// The state with the parameters to evaluate with: an average, say, where the optimizer keeps one.
  [[nodiscard]] State evaluation_state(const State& state);
  /// The loss over all rows; the predictions, (rows, ...), where the objective is a model's.
  LossSum evaluate(const State& state, const Dataset& data, Tensor& predictions);
  [[nodiscard]] std::string explain(const State& state, const Dataset& data);

  [[nodiscard]] StepCost measure(const State& state, const Dataset& batch, std::int64_t shard_size);
  void set_memory(Memory memory);
  /// Whether steps report the norm of each layer's gradient.
  void watch_layers(bool watch);

  [[nodiscard]] const Optimizer& optimizer() const { return updater_.optimizer(); }
  [[nodiscard]] Workers& workers() { return workers_; }

 private:
  /// What the shards of a batch hand in, summed: gradient, observations, loss and weight.
  struct Sums {
    std::byte* gradient;
    double loss, weight;
    Block lent = {};  ///< by the pool, where one shard's own memory does not hold it
  };
  Sums sum_over_shards(const State& state, const RowSelection& batch, const BatchPrograms& programs);
  void give_back(Sums sums);
  void prepare(State& state);
  void update(State& state, const Sums& sums, double norm, double lr, const Progress& progress);

  EvaluationFunction function_;
  Workers workers_;
  BlockPool pool_;
  Programs programs_;
  Evaluator evaluator_;
  Updater updater_;
  OneShard one_shard_;
  std::optional<GradientNorm> norm_;
  bool watches_layers_ = false;
  std::optional<LayerNorms> layer_norms_;  // where they are watched
};

}  // namespace thalweg
