#pragma once
// A tile program that one thread runs in one go, in memory that stays where it is. What a run would find out again is
// kept: where each register is, and what each loop is handed. In a small step that is most of what an elementwise
// kernel costs.

#include "tiles/tile_plan.hpp"

namespace thalweg {

template <class T>
class BoundTile {
 public:
  /// The plan must outlive it, and so must the arrays of the call.
  BoundTile(const TilePlan& plan, const KernelCall& call);
  void run();
  /// Whether a run is one loop of machine code and nothing else.
  [[nodiscard]] bool is_one_loop() const {
    return calls_.size() == 1 && calls_[0].code && numbers_.empty() && gathered_.empty() && copies_.empty() &&
           reductions_.empty();
  }
  void run_loop() const { (*calls_[0].code)(registers_.data(), calls_[0].count); }

 private:
  /// A number that is read anew in each run: of another dtype, or wanted as a whole tile.
  struct Number {
    T (*read)(const std::byte*);
    const std::byte* from;
    T* into;
    std::int64_t count;
  };
  /// A view that is not one run of elements, and goes through a slot.
  struct Gathered {
    void (*read)(T* into, const std::byte* from, const View& view, std::int64_t n);
    const std::byte* from;
    T* into;
    const View* view;
  };
  /// Machine code, or one micro-op.
  struct Call {
    const TileCode* code;
    std::int64_t count;  // of elements
    MicroOp::Run run = nullptr;
    T* out = nullptr;
    std::array<const void*, 4> operands = {};
  };
  struct Copy {
    std::byte* into;
    const T* from;
    Stored stored;
    bool spread;  // one number, as often as there are elements
  };
  struct Reduction {
    const Reducer* reducer;
    const T* from;
    T* into;
  };

  /// Whether the tile is one number. It is computed in every place of a vector: whole vectors pass from step to step
  /// sooner than parts of them, which a CPU does not hand on from a store to the load behind it.
  [[nodiscard]] static bool is_a_number(const TilePlan& plan) {
    const auto is_array = [](const TilePlan::Load& load) {
      return load.source != TilePlan::Source::number && load.source != TilePlan::Source::spread;
    };
    return plan.elements() == 1 && plan.reductions.empty() && std::ranges::none_of(plan.loads, is_array);
  }
  void place_load(int r, const KernelCall& call);
  void place_steps(const KernelCall& call);
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
    copies_.push_back({call.outputs[*step.output], place, Stored::plain, true});
    return place;
  }

  const TilePlan& plan_;
  std::int64_t elements_, lanes_;  // and how many are computed
  std::int64_t lines_;             // of the cache, to a slot
  std::int64_t own_slots_;         // those that the plan knows, and outputs of a number
  std::vector<Line> slots_;
  std::vector<T> converted_;  // numbers, by register
  std::vector<const void*> registers_;
  std::vector<Number> numbers_;
  std::vector<Gathered> gathered_;
  std::vector<Call> calls_;
  std::vector<Copy> copies_;
  std::vector<Reduction> reductions_;
};

}  // namespace thalweg
