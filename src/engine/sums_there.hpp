#pragma once
// Sums over the shards of a batch on a device: the gradients stay there, and only numbers come back.

#include <map>
#include <tuple>

#include "engine/programs.hpp"
#include "engine/rows_there.hpp"
#include "engine/shards.hpp"

namespace thalweg {

class SumsThere {
 public:
  SumsThere(Device& device, BlockPool& there);
  SumsThere(const SumsThere&) = delete;
  SumsThere& operator=(const SumsThere&) = delete;
  ~SumsThere();

  struct Total {
    Block gradient;               ///< gradient and observations, in a block of the device's pool
    std::vector<double> numbers;  ///< losses, weights and reports: see ShardProgram
  };
  /// The shards run one after another in the same memory, because the device runs work in order anyway. The sums follow
  /// the fixed tree. Throws the error of a kernel. `apart`: a second sum of the same step, at another point, while the
  /// first is still needed. Its gradient lies elsewhere, so its calls are recorded separately.
  [[nodiscard]] Total operator()(const State& state, const RowSelection& batch, const BatchPrograms& programs,
                                 const StepLayout& step, BlockPool& here, Workers& workers, bool apart = false);

  /// The same without waiting: the gradient, and the numbers of each shard one after another at `numbers` on the
  /// device.
  [[nodiscard]] Block start(const State& state, const RowSelection& batch, const BatchPrograms& programs,
                            const StepLayout& step, std::byte* numbers, Workers& workers, bool apart = false);
  [[nodiscard]] RowsThere& rows() { return rows_; }
  /// Bytes of the numbers of one shard.
  [[nodiscard]] static std::size_t numbers_bytes(const BatchPrograms& programs) {
    return static_cast<std::size_t>(programs.whole->doubles()) * sizeof(double);
  }
  /// The numbers of all shards, added up.
  [[nodiscard]] static std::vector<double> joined(const std::byte* numbers, const BatchPrograms& programs,
                                                  BlockPool& here, Workers& workers);

  /// Moves the statistics of a state towards the means of the observations in a batch's sum. `go`: a number on the
  /// device that is 0 where nothing may change; null: always.
  void move_statistics(State& state, const BatchPrograms& programs, const StepLayout& step, std::int64_t rows,
                       std::byte* sum, Workers& workers, std::byte* go = nullptr);

 private:
  [[nodiscard]] Program::Calls* calls_of(const ShardProgram& program, std::int64_t shard, bool apart);
  void run_shard(const State& state, const RowSelection& batch, const ShardProgram& program, std::int64_t begin,
                 const ShardProgram::CallThere& call, Workers& workers);
  [[nodiscard]] const TreeSum::Join& adder(std::int64_t values, DType dtype, Workers& workers);

  struct Adder {
    std::int64_t values = -1;
    DType dtype = f32;
    std::optional<Program> program = {};
    Block arena = {};
    TreeSum::Join join = {};
  };
  /// The program that moves statistics, for the movements of one shard program and the number of rows that each
  /// observed.
  struct Mover {
    std::shared_ptr<const Layout> layout;
    std::vector<std::int64_t> offsets;
    std::optional<Program> program = {};
    Block arena = {}, rows = {}, one = {};
    Program::Calls calls = {};
  };
  void plan_mover(const State& state, const std::vector<Movement>& movements, const StepLayout& step);

  Device& device_;
  BlockPool& there_;
  RowsThere rows_;
  Adder adder_;
  std::optional<Mover> mover_;
  std::vector<std::byte*> bases_;
  std::vector<std::byte> raw_, random_;
  Block numbers_;
  /// The calls of each program, one set for each shard: the last batch of an epoch has its own programs. Calls of
  /// programs that no longer exist are removed.
  static constexpr std::size_t most_recorded = 16;
  std::map<std::tuple<const ShardProgram*, std::int64_t, bool>, Program::Calls> calls_;
};

/// After an error of a kernel on a device: runs the rows of the batch on this CPU, where the error names the row.
/// Returns if nothing is thrown here.
void run_here(std::span<const EvaluationFunction> objectives, const StepLayout& step, const State& state,
              const RowSelection& batch, std::int64_t shard_rows, Precision precision, Workers& workers);

}  // namespace thalweg
