#pragma once
// The planner's own form of a graph: values, and the items that compute them. Each pass is a function on it.

#include <string>
#include <vector>

#include "core/index.hpp"
#include "core/kernel.hpp"
#include "core/view.hpp"
#include "device/device.hpp"
#include "graph/graph.hpp"
#include "thalweg/precision.hpp"

namespace thalweg {

/// What nodes from Passes::backward_begins on compute again of what is before it, so that it need not be kept.
enum class Recompute {
  nothing,
  arithmetic,  ///< what costs next to nothing: a pass over memory that is read anyway
  cheap,       ///< exponentials and their kin as well
};

/// Which passes run. Any of them may be off; the bits of the result stay the same.
struct Passes {
  bool simplify = true;  ///< equal ops are computed once, and what changes nothing is dropped
  bool fuse = true;      ///< elementwise ops and reductions share a pass over memory
  bool order = true;     ///< instructions in the order that keeps least alive
  bool reuse = true;     ///< buffers of values that are no longer needed serve again
  bool compile = true;   ///< elementwise work becomes machine code, where this CPU has some
  Recompute recompute = Recompute::nothing;
  int backward_begins = 0;                  ///< the first node of the backward pass
  Precision precision = Precision::single;  ///< the one that changes bits: see store_types
};

/// Where bytes are: one of the base addresses of a run, and an offset from it.
struct Place {
  int base = 0;
  std::int64_t offset = 0;
  friend bool operator==(const Place&, const Place&) = default;
};
inline constexpr int arena_base = 0;      ///< the run's own block of memory
inline constexpr int constants_base = 1;  ///< the program's constants
inline constexpr int first_user_base = 2;

struct Bound {
  Var var;
  Place place;
};

using ValueId = Id<struct PlanValue>;
using ItemId = Id<struct Item>;
using InstructionId = Id<struct Instruction>;

struct PlanValue {
  Signature signature;
  std::optional<Place> place;  ///< given from outside, or by the memory plan
  ItemId producer;             ///< none for a leaf
  Stored stored = Stored::plain;

  /// Of an element and of all of them, as they lie in memory.
  [[nodiscard]] std::size_t element_bytes() const {
    return stored == Stored::bf16 ? sizeof(Bf16) : size_of(signature.dtype);
  }
  [[nodiscard]] std::size_t bytes() const { return static_cast<std::size_t>(signature.shape.size()) * element_bytes(); }
};

struct Read {
  ValueId value;
  View view;
  friend bool operator==(const Read&, const Read&) = default;
};

enum class ItemKind { elementwise, reduce, opaque };

/// One computation of one value.
struct Item {
  ItemKind kind = ItemKind::opaque;
  std::string_view name;
  const OpKernel* kernel = nullptr;
  const Attributes* attributes = nullptr;
  std::vector<Read> reads;
  ValueId value = {};
  int node = -1;        ///< in the graph, for messages
  bool late = false;    ///< behind the place where recomputation begins
  bool rounds = false;  ///< reads f32 as the nearest bf16

  /// Elements that a tile program over this item walks through.
  [[nodiscard]] std::int64_t elements() const { return reads.empty() ? 0 : reads[0].view.shape.size(); }
};

/// One call of one kernel: an opaque item, or a group of items fused into tiles.
struct Instruction {
  std::vector<ItemId> items;
  std::vector<ValueId> inputs, outputs;
  std::string name;
  Kernel kernel;
  Place scratch;
  std::int64_t operations = 0;
};

struct Plan {
  IndexVector<ValueId, PlanValue> values;
  IndexVector<ItemId, Item> items;
  IndexVector<InstructionId, Instruction> instructions;
  std::vector<std::byte> constants;
  std::int64_t arena_bytes = 0;
  std::int64_t arena_bytes_without_reuse = 0;

  /// The item that computes a value, or none.
  [[nodiscard]] ItemId producer(const Read& read) const { return values[read.value].producer; }
  [[nodiscard]] DType dtype(ValueId value) const { return values[value].signature.dtype; }
};

/// For each node, the node that gives the same value and stands for it (itself where there is none).
[[nodiscard]] std::vector<int> simplify(const Graph& graph, bool enabled);
/// Values and items of what the outputs need; views are absorbed into reads. Constants are aligned to so many bytes.
[[nodiscard]] Plan lower(const Graph& graph, const std::vector<int>& same_as, const std::vector<Bound>& inputs,
                         const std::vector<Bound>& outputs, const Passes& passes, std::size_t alignment);
/// Gives values a stored type. In bf16: what products read and write, except results that reach an output through
/// elementwise ops alone, as gradients of parameters do: those stay f32. Every reader sees the rounded value, so the
/// bits are the same with any other pass on or off. Throws UsageError where a product cannot be had.
void store_types(Plan& plan, Precision precision);
/// Groups items into instructions, in an order in which they can run.
void fuse(Plan& plan, bool enabled);
/// Puts instructions in the order that keeps the fewest bytes alive.
void order(Plan& plan, bool enabled);
/// Gives a place, aligned to so many bytes, to every value that has none.
void plan_memory(Plan& plan, bool reuse, std::size_t alignment);
/// Makes the kernels, now that it is known what shares memory with what.
void make_kernels(Plan& plan, bool compile, Device& device);

/// What copies the elements that a read sees to a value of their own, converted where that is of another dtype.
[[nodiscard]] Item copy_item(const Read& read, DType to);

/// Whether every read of `value` by these items is element by element, in the places where it lies.
[[nodiscard]] bool reads_in_place(const Plan& plan, const Instruction& instruction, ValueId value);
/// Whether a read is the whole value in its own order.
[[nodiscard]] bool is_identity(const Plan& plan, const Read& read);

}  // namespace thalweg
