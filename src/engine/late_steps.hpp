#pragma once
// Steps on a device that do not wait for their own numbers: the device computes the norm and checks that all is finite,
// and the results of a step arrive some steps later.

#include <deque>
#include <optional>
#include <vector>

#include "engine/norms.hpp"
#include "engine/sums_there.hpp"
#include "thalweg/train.hpp"

namespace thalweg {

/// Decides on the device whether a step may change the state, and keeps the request until its numbers arrive. A step
/// whose loss is not finite, or whose squared norm is outside the range of its dtype, changes nothing, and neither do
/// the steps after it: they can be repeated one at a time.
class LateSteps {
 public:
  explicit LateSteps(Device& device);
  LateSteps(const LateSteps&) = delete;
  LateSteps& operator=(const LateSteps&) = delete;
  ~LateSteps();

  /// A requested step.
  struct Asked {
    std::int64_t step = 0;  ///< step count of the state before it
    Dataset data;
    std::vector<std::int64_t> rows = {};
    const RowNumbers* row_numbers = nullptr;  ///< see RowSelection
    std::optional<Progress> progress = {};
    std::optional<double> row_weight = {};
    std::int64_t shard_size = 0;
    BatchPrograms programs = {};
    std::optional<double> divisor = {};  ///< of the gradient; nothing where it is the weight that the device finds
    double lr = 0;
    std::int64_t total = 0;  ///< steps of the run
    std::vector<std::byte> numbers =
        {};  ///< the numbers of each shard, the norm's, and whether the step changed the state
    Mark mark = {};

    [[nodiscard]] RowSelection batch() const { return {.data = data, .rows = rows, .numbers = row_numbers}; }
  };
  static constexpr std::size_t most = 3;  ///< most steps in flight

  [[nodiscard]] bool is_empty() const { return asked_.empty(); }
  [[nodiscard]] bool is_full() const { return asked_.size() >= most; }
  /// The memory on the device in which a step leaves the numbers of its shards.
  [[nodiscard]] std::byte* numbers_of(const BatchPrograms& programs, const GradientNorm& norm);
  /// Offsets in the scalars of an update.
  struct ScalarsAt {
    std::int64_t norm, inverse_weight, go;
    [[nodiscard]] bool operator==(const ScalarsAt&) const = default;
  };
  /// Computes the scalars of the update (the norm, the weight where nobody knows it yet, and whether the step may
  /// change the state) from the sums of the shards. When it returns, the copy of the numbers to the host has been
  /// requested.
  void judge(Asked asked, GradientNorm& norm, std::byte* gradient, std::byte* scalars, const ScalarsAt& at,
             Workers& workers);
  /// The oldest step, when its numbers have arrived. Throws the error of a kernel; then it stays the oldest.
  [[nodiscard]] const Asked& oldest();
  /// Whether it changed the state.
  [[nodiscard]] static bool went_on(const Asked& asked);
  void pop() { asked_.pop_front(); }
  /// Returns all steps in flight, which changed nothing, and allows steps to change the state again.
  [[nodiscard]] std::deque<Asked> take_back();
  /// Waits for all steps, whatever their result, and discards them.
  void drop();

 private:
  /// What the program of a judgement depends on.
  struct Form {
    std::int64_t shards;
    std::size_t each;  // bytes of the numbers of one shard
    DType loss, weight;
    std::optional<double> known, last_known;  // weights of a shard
    bool divides;                             // by the weight that is found
    ScalarsAt at;
    [[nodiscard]] bool operator==(const Form&) const = default;
  };
  [[nodiscard]] static Form form_of(const Asked& asked, const ScalarsAt& at);
  void plan(const Form& form, const GradientNorm& norm);
  void let_go_on();

  Device& device_;
  std::deque<Asked> asked_;
  std::optional<Form> form_;
  std::optional<Program> program_;
  Program::Calls calls_;
  Block numbers_, arena_, held_;   // held_: whether steps are held, and the divisor of the gradient
  std::optional<double> divisor_;  // that the device has
  std::size_t bytes_ = 0, norm_at_in_numbers_ = 0;
};

}  // namespace thalweg
