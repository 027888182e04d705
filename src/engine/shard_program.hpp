#pragma once
// The program of one shard: the objective and its gradient, planned for a number of rows, and the addresses of its
// data.

#include <algorithm>
#include <functional>
#include <memory>
#include <optional>
#include <span>

#include "data/gather.hpp"
#include "distributed/shares.hpp"
#include "engine/objective.hpp"
#include "engine/trained.hpp"
#include "plan/program.hpp"

namespace thalweg {

/// The number of a row in the data of the user, of which a dataset is a part.
using RowNumbers = std::function<std::int64_t(std::int64_t row)>;

/// Rows of a dataset, by number; an empty list means all of them in order.
struct RowSelection {
  const Dataset& data;
  std::span<const std::int64_t> rows = {};
  std::int64_t first = 0, whole = 0;    ///< where the data is of a batch of `whole` rows those from `first` on
  const RowNumbers* numbers = nullptr;  ///< for messages; null: the data is that of the user

  /// The number of the selection's row `i` in the data of the user. Only where there is a list.
  [[nodiscard]] std::int64_t number(std::int64_t i) const {
    const std::int64_t row = rows[static_cast<std::size_t>(i)];
    return numbers ? (*numbers)(row) : row;
  }
  [[nodiscard]] std::int64_t count() const {
    if (whole > 0) return whole;
    return rows.empty() ? data.rows() : static_cast<std::int64_t>(rows.size());
  }
  /// The rows of the batch that are there.
  [[nodiscard]] Share there() const { return whole > 0 ? Share{first, first + data.rows()} : Share{0, count()}; }
};

/// Offsets in the memory of a run.
constexpr std::size_t aligned(std::size_t bytes) { return (bytes + 63) / 64 * 64; }

/// Writes to `bases` the address of each column of the rows [begin, begin + count) of a selection: in the data itself
/// where all rows are taken in order, else gathered into the memory at `into`, which has room for them. `known` are the
/// columns' rows where they are known already.
void place_columns(const RowSelection& batch, std::int64_t begin, std::int64_t count, std::byte* into,
                   std::byte** bases, const std::vector<data::RowSource>* known = nullptr);

/// A statistic, as elements of the parameters, and how far it moves towards the observation.
struct Movement {
  std::int64_t offset, size;
  double momentum;
};

inline constexpr std::int64_t shard_doubles = 2;  // the loss of one objective, and its weight

class ShardProgram {
 public:
  /// Traces and plans; without the gradients where they are not wanted.
  ShardProgram(std::span<const EvaluationFunction> objectives, std::int64_t rows, std::vector<ColumnSpec> columns,
               const Layout& layout, const StepLayout& step, Passes passes, bool with_gradient = true,
               Device& device = this_cpu());

  [[nodiscard]] bool is_for(std::int64_t rows, const Dataset& data, DType dtype) const {
    return rows_ == rows && dtype_ == dtype && are_columns_of(columns_, data);
  }
  [[nodiscard]] std::int64_t rows() const { return rows_; }
  [[nodiscard]] const Program& program() const { return *program_; }
  /// Whether the rows may be one shard of a larger batch: the objective does not mix samples.
  [[nodiscard]] bool is_separable() const { return separable_; }
  /// Whether it draws random numbers.
  [[nodiscard]] bool is_random() const { return random_; }
  [[nodiscard]] const std::vector<Movement>& movements() const { return movements_; }
  /// Whether it observes this statistic.
  [[nodiscard]] bool observes(const Movement& m) const {
    return std::ranges::find(movements_, m.offset, &Movement::offset) != movements_.end();
  }
  /// Whether the loss of an objective is a scalar of unknown origin, which counts as a mean over the batch.
  [[nodiscard]] bool is_mean(std::size_t objective) const { return is_mean_[objective] != 0; }
  /// The weight of a shard in the loss of an objective, where it does not depend on the data.
  [[nodiscard]] std::optional<double> known_weight(std::size_t objective) const {
    return losses_[objective] ? losses_[objective]->known_weight : std::nullopt;
  }
  /// Whether the data has what the loss of an objective needs.
  [[nodiscard]] bool has_loss(std::size_t objective) const { return losses_[objective].has_value(); }
  /// The dtypes in which the loss of an objective and its weight are written.
  [[nodiscard]] DType loss_dtype(std::size_t objective) const { return losses_[objective]->sum; }
  [[nodiscard]] DType weight_dtype(std::size_t objective) const { return losses_[objective]->weight; }
  /// The names of the reports of a batch besides the loss.
  [[nodiscard]] const std::vector<std::string>& reports() const { return reports_; }
  /// Numbers besides the gradients: of each objective the loss and its weight, and of each report the sum over the
  /// samples.
  [[nodiscard]] std::int64_t doubles() const { return losses() + std::ssize(reports_); }
  [[nodiscard]] std::int64_t losses() const { return shard_doubles * std::ssize(is_mean_); }

  /// Where a shard begins in a batch, and where its results are written. `sums` has room for `doubles` numbers.
  struct Call {
    const State& state;
    const RowSelection& batch;
    std::int64_t begin;
    std::byte* gradient;
    double* sums;
  };
  /// Bytes of memory that a run needs.
  [[nodiscard]] std::size_t memory_bytes() const { return memory_bytes_; }
  void run(const Call& call, std::byte* memory, Workers& workers) const;
  /// The same, in parts: `done(k)` is called when cuts[k] instructions have run, the last time at the end, when `sums`
  /// are written too.
  void run(const Call& call, std::byte* memory, Workers& workers, std::span<const std::size_t> cuts,
           TaskRef done) const;
  /// Numbers of the gradient's block that a run writes, and after how many instructions they are final.
  struct Final {
    Share numbers;
    std::size_t after;
  };
  [[nodiscard]] std::vector<Final> finals() const;
  /// A parameter, as numbers of the flat block, and how many instructions run before the first one that reads it.
  struct Needed {
    Share numbers;
    std::size_t before;
  };
  /// In the order in which they are needed.
  [[nodiscard]] std::vector<Needed> needed() const;
  /// Addresses that are kept for a memory in which the program runs repeatedly, while the rows are of one dataset.
  struct Kept {
    std::vector<data::RowSource> columns;
    Program::Calls calls = {};
    const std::byte* parameters = nullptr;  ///< of the calls, where they read gathered rows; else null
  };
  void run(const Call& call, std::byte* memory, Workers& workers, Kept& kept) const;
  /// A run on a device that is not here: the addresses are the device's. `memory` begins with what `run` would find
  /// there, written from here: see `random_at` and `columns_at`.
  struct CallThere {
    std::byte *parameters, *gradient, *memory;
    std::vector<std::byte*>& bases;   ///< the address of each column, from first_column on; the others are written
    Program::Calls* calls = nullptr;  ///< where it runs repeatedly
  };
  static constexpr std::size_t first_column = 4;
  void run_there(const CallThere& call, Workers& workers) const;
  [[nodiscard]] std::size_t random_at() const { return random_at_; }
  [[nodiscard]] std::size_t columns_at() const { return columns_at_; }
  [[nodiscard]] std::size_t sums_at() const { return sums_at_; }
  [[nodiscard]] const std::vector<ColumnSpec>& columns() const { return columns_; }
  /// The numbers of a run, of its bytes from `sums_at` on: 8 for each of `doubles`.
  void read_sums(const std::byte* at, double* sums) const;
  /// The first op whose result is not finite: see Program.
  [[nodiscard]] std::optional<std::string> find_not_finite(const Call& call, std::byte* memory, Workers& workers) const;

 private:
  /// The loss and its weight as the program writes them; the weight is not written where it is known.
  struct LossSums {
    DType sum, weight;
    std::optional<double> known_weight;
  };
  /// The traced graph with its inputs and outputs, to be planned.
  struct Draft;
  void bind_inputs(Draft& draft, const Layout& layout);
  void bind_observations(Draft& draft, const Layout& layout, const StepLayout& step);
  void bind_loss(Draft& draft, const Loss& loss);
  void bind_gradient(Draft& draft, const Loss& loss, const StepLayout::Part& part) const;
  void bind_reports(Draft& draft);
  void place_memory();
  /// Writes the addresses of all inputs and outputs, and gathers the rows of the batch; uses the columns' rows where
  /// they are known already.
  std::span<std::byte* const> bases(const Call& call, std::byte* memory, const Kept* kept = nullptr) const;

  DType dtype_;
  std::int64_t rows_;
  std::vector<ColumnSpec> columns_;
  std::optional<Program> program_;
  bool separable_ = true;
  std::vector<char> is_mean_;  // of each objective
  bool random_ = false;        // whether it reads the random block
  std::vector<Movement> movements_;
  std::vector<Share> parameters_;                // those that it reads, as numbers of the flat block
  std::vector<std::optional<LossSums>> losses_;  // of each objective; none where the data has no target
  std::vector<std::string> reports_;
  // offsets in the memory of a run, behind the arena
  std::size_t bases_at_ = 0, sums_at_ = 0, random_at_ = 0, columns_at_ = 0, memory_bytes_ = 0;
};

}  // namespace thalweg
