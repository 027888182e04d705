// Stored types: decides which values are stored in bf16.

#include <unordered_set>

#include "core/error.hpp"
#include "plan/plan.hpp"

namespace thalweg {

namespace {

class StoredTypes {
 public:
  explicit StoredTypes(Plan& plan) : plan_(plan), handed_out_(plan.values.size(), 1), marked_(plan.values.size(), 0) {}

  void run() {
    find_handed_out();
    for (const ItemId i : plan_.items.ids()) {
      if (is_product(plan_.items[i])) mark_operands(plan_.items[i]);
    }
    for (const ItemId i : plan_.items.ids()) {
      const Item& item = plan_.items[i];
      if (is_marked(item) || copies_bf16(item)) plan_.values[item.value].stored = Stored::bf16;
    }
  }

 private:
  /// Whether an item computes products; throws for products that do not support bf16.
  [[nodiscard]] bool is_product(const Item& item) const {
    if (item.kernel->products == ComputesProducts::inside)
      fail<UsageError>(
          "[precision] bf16 in a program with '{}', whose kernel keeps its products in f32. Wanted: precision = "
          "\"f32\", or a model without recurrence",
          item.name);
    if (item.kernel->products == ComputesProducts::no) return false;
    if (plan_.dtype(item.value) != f32)
      fail<UsageError>("[precision] bf16 in a program whose products are {}. Wanted: f32", plan_.dtype(item.value));
    return true;
  }

  /// Values with only elementwise work between them and the outputs of the program.
  void find_handed_out() {
    for (std::size_t i = plan_.items.size(); i-- > 0;) {
      const Item& item = plan_.items[ItemId(i)];
      const bool passed_on = item.kind == ItemKind::elementwise && is_handed_out(item.value);
      for (const Read& read : item.reads) {
        if (!passed_on) handed_out_[read.value] = 0;
      }
    }
  }
  [[nodiscard]] bool is_handed_out(ValueId value) const {
    return plan_.values[value].place.has_value() || handed_out_[value] != 0;
  }

  /// A copy in f32 that the lowering made because a kernel needs a contiguous input.
  [[nodiscard]] bool is_copy(const Item& item) const {
    return item.node < 0 && item.kind == ItemKind::elementwise && item.name == "copy" &&
           plan_.dtype(item.reads[0].value) == f32 && plan_.dtype(item.value) == f32;
  }
  [[nodiscard]] bool copies_bf16(const Item& item) const {
    return is_copy(item) && !plan_.values[item.value].place && plan_.values[item.reads[0].value].stored == Stored::bf16;
  }

  void mark_operands(Item& product) {
    product.rounds = true;
    if (!is_handed_out(product.value)) mark(product.value);
    for (const Read& read : product.reads) {
      ValueId value = read.value;
      while (plan_.values[value].producer && is_copy(plan_.items[plan_.values[value].producer]))
        value = plan_.items[plan_.values[value].producer].reads[0].value;
      mark(value);
    }
  }

  /// By node of the graph: if a value is computed twice, both are rounded or neither.
  void mark(ValueId value) {
    const PlanValue& v = plan_.values[value];
    if (!v.producer || v.signature.dtype != f32) return;
    const int node = plan_.items[v.producer].node;
    if (node >= 0) {
      nodes_.insert(node);
    } else {
      marked_[value] = 1;
    }
  }
  [[nodiscard]] bool is_marked(const Item& item) const {
    const PlanValue& value = plan_.values[item.value];
    if (value.place || item.kind == ItemKind::reduce) return false;
    return item.node >= 0 ? nodes_.contains(item.node) : marked_[item.value] != 0;
  }

  Plan& plan_;
  IndexVector<ValueId, char> handed_out_, marked_;
  std::unordered_set<int> nodes_;
};

}  // namespace

void store_types(Plan& plan, Precision precision) {
  if (precision == Precision::bf16) StoredTypes(plan).run();
}

}  // namespace thalweg
