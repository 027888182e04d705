// From graph to plan: views become strides of what reads them, every other node an item.

#include <algorithm>
#include <cstring>
#include <numeric>

#include "core/error.hpp"
#include "plan/plan.hpp"
#include "tiles/micro_ops.hpp"

namespace thalweg {

bool is_identity(const Plan& plan, const Read& read) {
  const Signature& signature = plan.values[static_cast<std::size_t>(read.value)].signature;
  return read.view.offset == 0 && read.view.is_dense() && read.view.shape.size() == signature.shape.size();
}

Item copy_item(const Read& read, DType to) {
  static const OpKernel copy{.micro = "copy"};
  static const Attributes none;
  return {is_float(to) ? ItemKind::elementwise : ItemKind::opaque, "copy", &copy, &none, {read}, -1, -1, -1};
}

namespace {

class Lowering {
 public:
  Lowering(const Graph& graph, const std::vector<int>& same_as, const Passes& passes)
      : graph_(graph),
        same_as_(same_as),
        recompute_(passes.recompute),
        recompute_before_(passes.recompute == Recompute::nothing ? 0 : passes.backward_begins) {
    reads_.resize(static_cast<std::size_t>(graph.size()));
    again_.resize(static_cast<std::size_t>(recompute_before_));
    choose_what_to_keep();
  }

  Plan run(const std::vector<Bound>& inputs, const std::vector<Bound>& outputs) {
    mark_live(outputs);
    for (int i = 0; i < graph_.size(); ++i) {
      if (live_[static_cast<std::size_t>(i)]) lower_node(i, inputs);
    }
    for (const Bound& output : outputs) bind_output(output);
    return std::move(plan_);
  }

 private:
  void mark_live(const std::vector<Bound>& outputs) {
    live_.assign(static_cast<std::size_t>(graph_.size()), 0);
    for (const Bound& output : outputs) live_[rep(output.var.index())] = 1;
    for (int i = graph_.size() - 1; i >= 0; --i) {
      if (!live_[static_cast<std::size_t>(i)]) continue;
      const Node& node = graph_.node(i);
      // a view has one value to look at; custom_derivative's other inputs matter to derivatives alone
      const std::size_t count = node.op->kind == OpKind::view ? 1 : node.inputs.size();
      for (std::size_t k = 0; k < count; ++k) live_[rep(node.inputs[k])] = 1;
    }
  }

  [[nodiscard]] std::size_t rep(int node) const {
    return static_cast<std::size_t>(same_as_[static_cast<std::size_t>(node)]);
  }

  int add_value(const Signature& signature, std::optional<Place> place, int producer) {
    plan_.values.push_back({signature, place, producer});
    return static_cast<int>(plan_.values.size()) - 1;
  }

  int add_item(Item item, const Signature& signature) {
    item.value = add_value(signature, std::nullopt, static_cast<int>(plan_.items.size()));
    plan_.items.push_back(std::move(item));
    return plan_.items.back().value;
  }

  /// For each node before the place where recomputation begins, how many ops lie between it and what is kept; 0 is kept
  /// itself. A long chain (of residual connections, say) would keep as much alive as it saves.
  void choose_what_to_keep() {
    constexpr int longest = 8;
    for (int i = 0; i < recompute_before_; ++i) {
      const Node& node = graph_.node(i);
      const bool view = node.op->kind == OpKind::view;
      int chain = 0;
      for (int input : node.inputs) chain = std::max(chain, chain_[rep(input)]);
      chain_.push_back(view ? chain : is_cheap(*node.op) && chain < longest ? chain + 1 : 0);
    }
  }

  [[nodiscard]] bool is_cheap(const Op& op) const {
    if (op.kind != OpKind::elementwise) return op.cheap;
    return recompute_ == Recompute::cheap || find_micro_op(op.kernel->micro)->is_arithmetic();
  }

  /// How node `user` sees node `input`. After the place where recomputation begins, what is cheap before it is computed
  /// once more, from what is kept.
  Read& seen(int user, int input) {
    const std::size_t place = rep(input);
    if (user < recompute_before_ || static_cast<int>(place) >= recompute_before_) return reads_[place];
    if (chain_[place] == 0) return reads_[place];
    if (!again_[place]) {
      Read read;
      lower_node_into(read, static_cast<int>(place), user, {});
      again_[place] = read;
    }
    return *again_[place];
  }

  void lower_node(int i, const std::vector<Bound>& inputs) {
    lower_node_into(reads_[static_cast<std::size_t>(i)], i, i, inputs);
  }

  /// Lowers node i for its user (itself, the first time), who decides what its inputs are seen as.
  void lower_node_into(Read& read, int i, int user, const std::vector<Bound>& inputs) {
    const Node& node = graph_.node(i);
    if (node.op->kind == OpKind::leaf) {
      read = {add_value(node.signature, leaf_place(i, node, inputs), -1), View::dense(node.signature.shape)};
      return;
    }
    if (node.op->kind == OpKind::view) {
      Read& from = seen(user, node.inputs[0]);
      auto view = node.op->view(from.view, node.attributes, node.signature.shape);
      if (!view) {
        make_dense(from, graph_.node(static_cast<int>(rep(node.inputs[0]))).signature);
        view = node.op->view(from.view, node.attributes, node.signature.shape);
      }
      read = {from.value, *view};
      return;
    }
    if (node.op->name == "cast") {  // a load of another dtype: what reads it converts, and rounds, on the way in
      Read& from = seen(user, node.inputs[0]);
      const Signature& input = graph_.node(static_cast<int>(rep(node.inputs[0]))).signature;
      if (converts(from, input)) make_dense(from, input);
      read = from;
      return;
    }
    if (node.op->kind == OpKind::reduce && absorbs_reduction(node, seen(user, node.inputs[0]), read)) return;
    Item item{kind_of(node), node.op->name, node.op->kernel, &node.attributes, {}, -1, -1, i};
    item.late = recompute_before_ > 0 && user >= recompute_before_;
    if (is_outer_product(node)) {
      item = as_elementwise(std::move(item), node, seen(user, node.inputs[0]), seen(user, node.inputs[1]));
      read = {add_item(std::move(item), node.signature), View::dense(node.signature.shape)};
      return;
    }
    for (int input : node.inputs) {
      Read& from = seen(user, input);
      const Signature& signature = graph_.node(static_cast<int>(rep(input))).signature;
      if (item.kind == ItemKind::opaque && (!from.view.is_dense() || converts(from, signature)))
        make_dense(from, signature);
      item.reads.push_back(from);
    }
    read = {add_item(std::move(item), node.signature), View::dense(node.signature.shape)};
  }

  /// A reduction of one element each is that element.
  static bool absorbs_reduction(const Node& node, const Read& from, Read& read) {
    if (from.view.shape[1] != 1) return false;
    const auto view = from.view.reshape(node.signature.shape);
    if (view) read = {from.value, *view};
    return view.has_value();
  }

  /// Whether a node is a matrix product that sums one term each.
  [[nodiscard]] bool is_outer_product(const Node& node) const {
    if (node.op->name != "matmul") return false;
    const Shape& left = graph_.node(static_cast<int>(rep(node.inputs[0]))).signature.shape;
    return left[node.attributes.ints[0] ? -2 : -1] == 1;
  }

  /// That product as elements times elements, which needs no kernel of its own and fuses with what is beside it.
  static Item as_elementwise(Item item, const Node& node, const Read& left, const Read& right) {
    static const OpKernel mul{.micro = "mul"};
    const auto upright = [&](const Read& from, bool turned) {
      std::vector<std::int64_t> axes(static_cast<std::size_t>(from.view.shape.rank()));
      std::iota(axes.begin(), axes.end(), 0);
      if (turned) std::swap(axes[axes.size() - 1], axes[axes.size() - 2]);
      return Read{from.value, from.view.transpose(axes).broadcast(node.signature.shape)};
    };
    item.kind = ItemKind::elementwise;
    item.kernel = &mul;
    item.reads = {upright(left, node.attributes.ints[0] != 0), upright(right, node.attributes.ints[1] != 0)};
    return item;
  }

  static ItemKind kind_of(const Node& node) {
    if (node.op->kind == OpKind::elementwise) return ItemKind::elementwise;
    return node.op->kind == OpKind::reduce ? ItemKind::reduce : ItemKind::opaque;
  }

  /// Whether a read still has a cast before it.
  [[nodiscard]] bool converts(const Read& read, const Signature& seen_as) const {
    return plan_.values[static_cast<std::size_t>(read.value)].signature.dtype != seen_as.dtype;
  }

  /// Copies what a read sees into a value of its own.
  void make_dense(Read& read, const Signature& signature) {
    read = {add_item(copy_item(read, signature.dtype), signature), View::dense(signature.shape)};
  }

  Place leaf_place(int i, const Node& node, const std::vector<Bound>& inputs) {
    if (node.op->name == "input") {
      const auto bound = std::ranges::find_if(inputs, [&](const Bound& b) { return b.var.index() == i; });
      if (bound == inputs.end()) fail<UsageError>("[program] the input '{}' is bound to nothing", node.attributes.name);
      return bound->place;
    }
    const bool number = node.op->name == "number";
    Tensor one = number ? full({}, node.attributes.number, node.signature.dtype) : node.attributes.tensor.front();
    const std::size_t offset = (plan_.constants.size() + 63) / 64 * 64;
    plan_.constants.resize(offset + one.bytes());
    std::memcpy(plan_.constants.data() + offset, one.raw(), one.bytes());
    return {constants_base, static_cast<std::int64_t>(offset)};
  }

  /// Lets the item that computes an output write it where it belongs, or adds a copy.
  void bind_output(const Bound& output) {
    Read read = reads_[rep(output.var.index())];
    const PlanValue& value = plan_.values[static_cast<std::size_t>(read.value)];
    const Signature signature{output.var.shape(), output.var.dtype()};
    if (value.producer < 0 || value.place || !is_identity(plan_, read) || converts(read, signature)) {
      read.value = add_item(copy_item(read, signature.dtype), signature);
    }
    plan_.values[static_cast<std::size_t>(read.value)].place = output.place;
  }

  const Graph& graph_;
  const std::vector<int>& same_as_;
  std::vector<char> live_;
  Recompute recompute_;
  int recompute_before_;
  std::vector<int> chain_;
  std::vector<Read> reads_;                 // what each live node is seen as
  std::vector<std::optional<Read>> again_;  // and what is computed again, as which
  Plan plan_;
};

}  // namespace

Plan lower(const Graph& graph, const std::vector<int>& same_as, const std::vector<Bound>& inputs,
           const std::vector<Bound>& outputs, const Passes& passes) {
  return Lowering(graph, same_as, passes).run(inputs, outputs);
}

}  // namespace thalweg
