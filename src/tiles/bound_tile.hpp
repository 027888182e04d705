#pragma once
// A tile program that one thread runs in one go, with buffers that do not move. The binding keeps what every run would
// compute again: the address of each register, and the operands of each loop. In a small step that is most of the cost
// of an elementwise kernel.

#include "tiles/tile_plan.hpp"

namespace thalweg {

template <class T>
class BoundTile {
 public:
  /// The plan and the arrays of the call must outlive it.
  BoundTile(const TilePlan& plan, const KernelCall& call);
  void run();
  /// Whether a run is only one loop of machine code.
  [[nodiscard]] bool is_one_loop() const {
    return calls_.size() == 1 && calls_[0].code && numbers_.empty() && gathered_.empty() && copies_.empty() &&
           reductions_.empty() && scalars_.empty() && singles_.empty();
  }
  void run_loop() const { (*calls_[0].code)(registers_.data(), calls_[0].count); }

 private:
  /// A number that is read again in each run, because it has another dtype or is needed as a whole tile.
  struct Number {
    T (*read)(const std::byte*);
    const std::byte* from;
    T* into;
    std::int64_t count;
  };
  /// A view that is not contiguous, and is copied to a slot.
  struct Gathered {
    void (*read)(T* into, const std::byte* from, const View& view, std::int64_t n);
    const std::byte* from;
    T* into;
    const View* view;
  };
  /// A call of machine code, or of one micro-op.
  struct Call {
    const TileCode* code;
    std::int64_t count;  // number of elements
    MicroOp::Run run = nullptr;
    T* out = nullptr;
    std::array<const void*, 4> operands = {};
  };
  struct Copy {
    std::byte* into;
    const T* from;
    Stored stored;
    bool spread;  // one number, repeated for each element
  };
  /// A number that is copied as it is, or from f64.
  template <class From>
  struct Single {
    const From* from;
    T* into;
  };
  struct Reduction {
    const Reducer* reducer;
    const T* from;
    T* into;
  };

  /// Whether the tile is one number. It is then computed in all lanes of a vector: a CPU forwards a whole vector from a
  /// store to the next load faster than a part of one.
  [[nodiscard]] static bool is_a_number(const TilePlan& plan) {
    const auto is_array = [](const TilePlan::Load& load) {
      return load.source != TilePlan::Source::number && load.source != TilePlan::Source::spread;
    };
    return plan.elements() == 1 && plan.reductions.empty() && std::ranges::none_of(plan.loads, is_array);
  }
  void place_load(int r, const KernelCall& call);
  void place_steps(const KernelCall& call);
  void add_copy(const Copy& copy);
  /// What few tiles have: numbers and views to be read, and copies of more than one number.
  void read();
  void copy();
  static constexpr std::int64_t per_line = 64 / sizeof(T);
  struct Line {
    alignas(64) T values[per_line];
  };
  T* slot(int reg) { return at(slots_, *at(plan_.slot_of, reg) * lines_).values; }
  [[nodiscard]] const T* values(int reg) const { return static_cast<const T*>(at(registers_, reg)); }
  T* place_of(const TilePlan::Step& step, const KernelCall& call) {
    if (!step.output) return slot(step.out);
    if (lanes_ == elements_) return call.out<T>(*step.output);
    T* const place = at(slots_, own_slots_++ * lines_).values;
    add_copy({call.outputs[*step.output], place, Stored::plain, true});
    return place;
  }

  const TilePlan& plan_;
  std::int64_t elements_, lanes_;  // number of elements, and how many are computed
  std::int64_t lines_;             // cache lines of a slot
  bool reads_ = false;
  std::int64_t own_slots_;  // slots of the plan, and slots for outputs that are one number
  std::vector<Line> slots_;
  std::vector<T> converted_;  // converted numbers, by register
  std::vector<const void*> registers_;
  std::vector<Single<double>> scalars_;
  std::vector<Number> numbers_;
  std::vector<Gathered> gathered_;
  std::vector<Call> calls_;
  std::vector<Copy> copies_;
  std::vector<Single<T>> singles_;  // copies of one number
  std::vector<Reduction> reductions_;
};

}  // namespace thalweg
