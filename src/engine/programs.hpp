#pragma once
// The programs of training steps: traced and planned once for each number of rows, looked up once per batch.

#include <memory>
#include <vector>

#include "engine/shard_program.hpp"

namespace thalweg {

/// How a batch is cut into shards, and the program of each.
struct BatchPrograms {
  const ShardProgram* whole = nullptr;  ///< of every shard but the last
  const ShardProgram* last = nullptr;
  std::int64_t shards = 0;

  [[nodiscard]] const ShardProgram& of(std::int64_t shard) const { return shard + 1 < shards ? *whole : *last; }
  [[nodiscard]] std::int64_t first_row(std::int64_t shard) const { return shard * whole->rows(); }
};

class Programs {
 public:
  /// For the given device, or for this CPU if that is null.
  Programs(std::vector<EvaluationFunction> functions, Device* far) : functions_(std::move(functions)), far_(far) {}

  /// Which values are kept for the backward pass. Returns true where that is a change, which invalidates every program.
  bool set_memory(Memory memory);
  /// How the values of a step are stored; returns the same.
  bool set_precision(Precision precision);
  [[nodiscard]] Precision precision() const { return precision_; }
  void clear();
  /// From now on, those of this CPU.
  void stay_here() {
    far_ = nullptr;
    clear();
  }
  /// For a batch in shards of `wanted` rows (0: the default), or in one shard where an objective mixes samples. Valid
  /// until set_memory or clear.
  [[nodiscard]] const BatchPrograms& for_batch(const State& state, const StepLayout& step, const RowSelection& batch,
                                               std::int64_t wanted) {
    const bool known = asked_.data == batch.data.identity() && asked_.rows == batch.count() &&
                       asked_.wanted == wanted && asked_.layout == state.layout;
    if (!known) look_up(state, step, batch, wanted);
    return answer_;
  }
  /// For a single row.
  [[nodiscard]] const ShardProgram& of_a_row(const State& state, const StepLayout& step, const Dataset& data) {
    return of_rows(1, data, *state.layout, step);
  }
  /// A program of its own for `rows` rows.
  [[nodiscard]] std::unique_ptr<ShardProgram> make(std::int64_t rows, const Dataset& data, const Layout& layout,
                                                   const StepLayout& step, bool with_gradient = true,
                                                   Device* device = nullptr) const;

 private:
  /// The default of a shard of this CPU: see default_shard_size. Known without a trace for batches like the one before.
  std::int64_t default_rows(const State& state, const RowSelection& batch);
  void look_up(const State& state, const StepLayout& step, const RowSelection& batch, std::int64_t wanted);
  const ShardProgram& of_rows(std::int64_t rows, const Dataset& data, const Layout& layout, const StepLayout& step);

  /// The properties of a batch that decide its programs: most batches are like the one before.
  struct Question {
    std::shared_ptr<const char> data;
    std::shared_ptr<const Layout> layout;
    std::int64_t rows = 0, wanted = 0;
  };

  struct DefaultRows {
    std::shared_ptr<const Layout> layout;
    std::vector<ColumnSpec> columns;
    std::int64_t batch = 0, shard = 0;
  };

  std::vector<EvaluationFunction> functions_;
  Device* far_;
  Memory memory_ = Memory::fast;
  Precision precision_ = Precision::single;
  std::vector<std::unique_ptr<ShardProgram>> programs_;
  Question asked_;
  BatchPrograms answer_;
  DefaultRows default_;
};

}  // namespace thalweg
