#pragma once
// Program: a fixed plan whose inputs and outputs are at given places. A run allocates nothing, except when it binds its
// calls to their addresses.

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/block.hpp"
#include "core/workers.hpp"
#include "plan/plan.hpp"

namespace thalweg {

class Program {
 public:
  /// Plans the computation of `outputs`, each written to its place, from `inputs`, each read from its place. An output
  /// may have the place of an input: it is written when the input is no longer needed. The kernels come from `device`.
  Program(const Graph& graph, const std::vector<Bound>& inputs, const std::vector<Bound>& outputs, Passes passes = {},
          Device& device = this_cpu());

  /// Bytes of the arena that a run needs, in the memory of its device. Each lane needs as much.
  [[nodiscard]] std::size_t arena_bytes(int lanes = 1) const { return arena_bytes_ * static_cast<std::size_t>(lanes); }
  /// How many lanes are worth their memory with these threads. A lane runs strands, which share nothing with others: so
  /// each thread multiplies its own matrices, which stay in its cache. 1 where there are none, or where there is little
  /// to compute.
  [[nodiscard]] int lanes(int threads) const;
  [[nodiscard]] std::size_t instructions() const { return instructions_.size(); }
  /// Bytes of all values that are neither inputs nor outputs: as they are placed, and if none shared memory.
  [[nodiscard]] std::int64_t value_bytes() const { return value_bytes_; }
  [[nodiscard]] std::int64_t value_bytes_without_reuse() const { return value_bytes_without_reuse_; }
  /// How many values are stored in bf16.
  [[nodiscard]] std::int64_t bf16_values() const { return bf16_values_; }
  /// Floating-point operations of a run, and bytes that its instructions read and write.
  [[nodiscard]] std::int64_t operations() const;
  [[nodiscard]] std::int64_t bytes_moved() const;

  /// Runs once. `bases` are the addresses behind the places, from first_user_base on.
  void run(std::span<std::byte* const> bases, std::byte* arena, Workers& workers) const;

  /// Runs only the instructions [from, to).
  void run_part(std::span<std::byte* const> bases, std::byte* arena, Workers& workers, std::size_t from,
                std::size_t to) const;
  /// Bytes [begin, end) after a base that a run writes, and the number of instructions after which it neither writes
  /// nor reads them any more.
  struct Written {
    std::int64_t begin, end;
    std::size_t after;
  };
  [[nodiscard]] std::vector<Written> written_behind(int base) const;
  /// A place after a base that an instruction reads, and the number of instructions before it.
  struct Read {
    std::int64_t at;
    std::size_t before;
  };
  [[nodiscard]] std::vector<Read> read_behind(int base) const;

  /// The calls of all kernels for one set of bases, with everything that depends on addresses computed in advance. This
  /// is most of the work between the kernels of a small step, which runs repeatedly in the same memory. The calls are
  /// made when the same bases come a second time, because those of most batches never do.
  class Calls {
   public:
    Calls() = default;
    /// The arena that is passed to `run` must have room for so many lanes.
    explicit Calls(int lanes) : lanes_(lanes) {}
    /// Whether there are any: then the last run was in this memory.
    [[nodiscard]] bool are_bound() const { return !calls_.empty(); }
    /// Runs again; the caller knows that no address has changed.
    void again() const {
      if (ends_.size() > 1) return again_in_lanes();
      for (const std::function<void()>& call : calls_) call();
    }

   private:
    friend class Program;
    void again_in_lanes() const;
    [[nodiscard]] bool are_for(const Program& program, std::span<std::byte* const> bases, const std::byte* arena,
                               const Workers& workers) const;
    const Program* program_ = nullptr;
    std::byte* arena_ = nullptr;
    Workers* workers_ = nullptr;
    int lanes_ = 1;
    std::vector<std::byte*> bases_, operands_;
    std::vector<std::function<void()>> calls_;  // of all lanes, one after another
    std::vector<std::size_t> ends_;             // of each lane's calls
  };
  /// The same, with the known calls if no address has changed since the last run. Calls must not outlive their program.
  void run(std::span<std::byte* const> bases, std::byte* arena, Workers& workers, Calls& known) const;

  /// Runs once and checks every value: names the first op whose result is not finite, and its line in the source. The
  /// program must be planned with all passes off, so that the result of every op exists.
  [[nodiscard]] std::optional<std::string> find_not_finite(std::span<std::byte* const> bases, std::byte* arena,
                                                           Workers& workers) const;

  /// A text with the fused ops, the bytes that each instruction moves, and the arena with and without reuse.
  [[nodiscard]] std::string explain() const;

  /// The program's device if it is not this CPU, else null. On another device all addresses are the device's, and a run
  /// may return before it has begun.
  [[nodiscard]] Device* far() const { return far_; }

 private:
  struct Step {
    Kernel kernel;
    std::vector<Place> inputs, outputs;
    Place scratch;
    Strand strand;
    std::string name;
    std::size_t bytes = 0;  // read and written
    std::int64_t operations = 0;
    std::vector<PlanValue> results;
    std::string source;  // " (file.cpp:12)" of its first op
  };
  [[nodiscard]] std::byte* address(Place place, std::span<std::byte* const> bases, std::byte* arena) const;
  void bind(Calls& calls, Workers& workers) const;
  /// The lane of each strand. The dearest strand that is left goes to the lane with the least to do; the first lane has
  /// the most.
  [[nodiscard]] std::vector<int> lanes_of_strands(int lanes) const;
  /// Host memory for the addresses that are passed to a kernel.
  [[nodiscard]] std::byte** pointers_in(std::byte* arena) const;
  void run_step(const Step& step, std::span<std::byte* const> bases, std::byte* arena, std::byte** pointers,
                Workers& workers) const;

  std::vector<Step> instructions_;
  int strands_ = 0;                // 0: there are none
  std::size_t outside_bytes_ = 0;  // of the inputs and outputs
  std::shared_ptr<const std::byte[]> constants_;
  std::size_t arena_bytes_ = 0, pointers_at_ = 0, most_operands_ = 0;
  Device* far_ = nullptr;
  std::int64_t value_bytes_ = 0, value_bytes_without_reuse_ = 0, bf16_values_ = 0;
  Precision precision_ = Precision::single;
};

}  // namespace thalweg
