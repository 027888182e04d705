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

/// Which values before Passes::backward_begins the nodes after it compute again, so that they need not be kept.
enum class Recompute {
  nothing,
  arithmetic,  ///< arithmetic, which costs almost nothing on memory that is read anyway
  cheap,       ///< exponentials and similar functions too
};

/// Which passes run. Any of them may be off; the bits of the result stay the same.
struct Passes {
  bool simplify = true;  ///< equal ops are computed once, and ops without effect are dropped
  bool fuse = true;      ///< elementwise ops and reductions share a pass over memory
  bool order = true;     ///< instructions in the order that keeps the fewest bytes alive
  bool reuse = true;     ///< buffers of values that are no longer needed are reused
  bool compile = true;   ///< elementwise work becomes machine code, if this CPU supports it
  bool strands = false;  ///< strands of heavy programs are kept apart, so that they can run at the same time
  Recompute recompute = Recompute::nothing;
  int backward_begins = 0;                  ///< the first node of the backward pass
  Precision precision = Precision::single;  ///< the only setting that changes bits: see store_types
};

/// The place of bytes: one of the base addresses of a run, and an offset from it.
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

  /// Bytes of one element and of all elements in memory.
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
  bool late = false;    ///< after the place where recomputation begins
  bool rounds = false;  ///< rounds the f32 that it reads to the nearest bf16

  /// Number of elements that a tile program over this item computes.
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

/// Items of one strand share no memory outside the arena that any of them writes with those of another one, as updates
/// of different matrices. The empty strand has the items that compute single numbers for all others, from inputs that
/// no item writes.
using Strand = Id<struct StrandTag>;

struct Plan {
  IndexVector<ValueId, PlanValue> values;
  IndexVector<ItemId, Item> items;
  IndexVector<InstructionId, Instruction> instructions;
  IndexVector<ItemId, Strand> strands;  ///< empty where they need not be kept apart
  std::vector<std::byte> constants;
  std::int64_t arena_bytes = 0;
  std::int64_t arena_bytes_without_reuse = 0;

  /// The item that computes a value, or none.
  [[nodiscard]] ItemId producer(const Read& read) const { return values[read.value].producer; }
  [[nodiscard]] DType dtype(ValueId value) const { return values[value].signature.dtype; }
};

/// For each node, the node with the same value that replaces it (itself if there is none).
[[nodiscard]] std::vector<int> simplify(const Graph& graph, bool enabled);
/// Values and items of what the outputs need; views are absorbed into reads. Constants are aligned to so many bytes.
[[nodiscard]] Plan lower(const Graph& graph, const std::vector<int>& same_as, const std::vector<Bound>& inputs,
                         const std::vector<Bound>& outputs, const Passes& passes, std::size_t alignment);
/// Gives values a stored type. In bf16: what products read and write, except results that reach an output through
/// elementwise ops alone, as gradients of parameters do: those stay f32. Every reader sees the rounded value, so the
/// bits are the same with any other pass on or off. Throws UsageError for a product that does not support bf16.
void store_types(Plan& plan, Precision precision);
/// Finds the strands, where a plan has several and enough to compute.
void find_strands(Plan& plan, bool enabled);
/// Groups items into instructions, in an order in which they can run.
void fuse(Plan& plan, bool enabled);
/// Puts instructions in the order that keeps the fewest bytes alive.
void order(Plan& plan, bool enabled);
/// Gives a place, aligned to so many bytes, to every value that has none.
void plan_memory(Plan& plan, bool reuse, std::size_t alignment);
/// Makes the kernels, after it is known which values share memory.
void make_kernels(Plan& plan, bool compile, Device& device);

/// An item that copies the elements of a read to a new value, converted if that has another dtype.
[[nodiscard]] Item copy_item(const Read& read, DType to);

/// The inputs of an opaque item, as its kernel sees them.
[[nodiscard]] std::vector<Signature> inputs_of(const Plan& plan, const Item& item);
/// Floating-point operations of an opaque item.
[[nodiscard]] std::int64_t operations_of(const Plan& plan, const Item& item);

/// Whether these items read `value` only element by element, each at its own place.
[[nodiscard]] bool reads_in_place(const Plan& plan, const Instruction& instruction, ValueId value);
/// Whether a read is the whole value in its own order.
[[nodiscard]] bool is_identity(const Plan& plan, const Read& read);

}  // namespace thalweg
