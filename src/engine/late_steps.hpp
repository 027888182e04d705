#pragma once
// Steps on a device that is not here which do not wait for their own numbers: the norm, and whether all is finite, are
// found there, and what a step did arrives some steps later.

#include <deque>
#include <optional>
#include <vector>

#include "engine/norms.hpp"
#include "engine/sums_there.hpp"
#include "thalweg/train.hpp"

namespace thalweg {

/// Decides on the device whether a step goes on, and keeps what was asked of it until its numbers arrive. A step whose
/// loss is not finite, or the square of whose norm leaves the range of its dtype, changes nothing, and neither do those
/// that follow it: they can be taken again, one at a time.
class LateSteps {
 public:
  explicit LateSteps(Device& device);
  LateSteps(const LateSteps&) = delete;
  LateSteps& operator=(const LateSteps&) = delete;
  ~LateSteps() { drop(); }

  /// A step that was asked for.
  struct Asked {
    std::int64_t step = 0;  ///< of the state before it
    Dataset data;
    std::vector<std::int64_t> rows = {};
    std::optional<Progress> progress = {};
    std::optional<double> row_weight = {};
    std::int64_t shard_size = 0;
    BatchPrograms programs = {};
    double divisor = 1, lr = 0;
    std::int64_t total = 0;               ///< steps of the run
    std::vector<std::byte> numbers = {};  ///< of each shard, then of the norm, then whether it went on
    Mark mark = {};

    [[nodiscard]] RowSelection batch() const { return {data, rows}; }
  };
  static constexpr std::size_t most = 3;  ///< steps that are under way

  [[nodiscard]] bool is_empty() const { return asked_.empty(); }
  [[nodiscard]] bool is_full() const { return asked_.size() >= most; }
  /// The memory on the device in which a step leaves the numbers of its shards.
  [[nodiscard]] std::byte* numbers_of(const BatchPrograms& programs, const GradientNorm& norm);
  /// From the sums of shards and norm to the scalars of the update: norm, and whether it goes on. The numbers are on
  /// their way home when it returns.
  void judge(Asked asked, GradientNorm& norm, std::byte* gradient, std::byte* scalars, std::size_t norm_at,
             std::size_t go_at, Workers& workers);
  /// The oldest step, when its numbers have arrived. Throws what a kernel threw; it is still the oldest then.
  [[nodiscard]] const Asked& oldest();
  /// Whether it changed the state.
  [[nodiscard]] static bool went_on(const Asked& asked);
  void pop() { asked_.pop_front(); }
  /// All that are under way, which changed nothing. Steps may go on again.
  [[nodiscard]] std::deque<Asked> take_back();
  /// Waits for all, whatever they did, and forgets them.
  void drop();

 private:
  void plan(const BatchPrograms& programs, const GradientNorm& norm);
  void let_go_on();

  Device& device_;
  std::deque<Asked> asked_;
  std::int64_t shards_ = 0;    // what the program is for
  std::size_t each_ = 0;       // bytes of the numbers of a shard
  std::optional<DType> loss_;  // dtype of the losses
  std::optional<Program> program_;
  Program::Calls calls_;
  Block numbers_, arena_, held_;  // held_: whether steps are held, and the divisor of the gradient
  double divisor_ = 0;            // what the device knows
  std::size_t bytes_ = 0, norm_at_in_numbers_ = 0;
  std::size_t norm_at_ = 0, go_at_ = 0;  // in the scalars of the update
};

}  // namespace thalweg
