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
  /// `row_weight` is what a row of the data weighs on average: the gradient is divided by it and the number of rows. It
  /// is divided by the batch's own weight where that is not given.
  StepReport step(State& state, const RowSelection& batch, const Progress& progress, std::int64_t shard_size,
                  std::optional<double> row_weight = {});
  /// The mean weight of the rows, where a step is to divide by it: see mean_row_weight.
  [[nodiscard]] std::optional<double> row_weight(const State& state, const Dataset& data);
  /// Traces the objective on such data, so that its errors come before the first step, and names what it reports.
  /// Throws ModelError for a parameter that the state lacks, or has in another shape.
  std::vector<std::string> check(const State& state, const Dataset& data, Mode mode) const;
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
  /// What the shards of a batch hand in, summed: gradient, observations, loss and weight, reports.
  struct Sums {
    std::byte* gradient;
    const double* numbers;
    Block lent = {};  ///< by the pool, where one shard's own memory does not hold it

    [[nodiscard]] double loss() const { return numbers[0]; }
    [[nodiscard]] double weight() const { return numbers[1]; }
  };
  Sums sum_over_shards(const State& state, const RowSelection& batch, const BatchPrograms& programs);
  void give_back(Sums sums);
  void prepare(State& state);
  void update(State& state, const Sums& sums, double divisor, double norm, double lr, const Progress& progress);
  void take_step(State& state, const RowSelection& batch, const BatchPrograms& programs, const Sums& sums,
                 double divisor, const Progress& progress, StepReport& report);

  EvaluationFunction function_;
  Workers workers_;
  BlockPool pool_;
  Programs programs_;
  Evaluator evaluator_;
  Updater updater_;
  std::shared_ptr<const Layout> layout_;
  OneShard one_shard_;
  std::optional<GradientNorm> norm_;
  bool watches_layers_ = false;
  std::optional<LayerNorms> layer_norms_;  // where they are watched
};

}  // namespace thalweg
