// From graph to plan: views become strides of their readers, every other node becomes an item.

#include <algorithm>
#include <cstring>
#include <span>
#include <unordered_map>

#include "core/error.hpp"
#include "plan/plan.hpp"
#include "tiles/micro_ops.hpp"

namespace thalweg {

bool is_identity(const Plan& plan, const Read& read) {
  const Signature& signature = plan.values[read.value].signature;
  return read.view.offset == 0 && read.view.is_dense() && read.view.shape.size() == signature.shape.size();
}

Item copy_item(const Read& read, DType to) {
  static const OpKernel copy{.micro = "copy"};
  static const Attributes none;
  return {is_float(to) ? ItemKind::elementwise : ItemKind::opaque, "copy", &copy, &none, {read}};
}

namespace {

class Lowering {
 public:
  Lowering(const Graph& graph, const std::vector<int>& same_as, const Passes& passes, std::size_t alignment)
      : graph_(graph),
        same_as_(same_as),
        recompute_(passes.recompute),
        recompute_before_(passes.recompute == Recompute::nothing ? 0 : passes.backward_begins),
        alignment_(alignment) {
    reads_.resize(same_as.size());
    if (recompute_before_ > 0) again_.resize(same_as.size());
    choose_what_to_keep();
  }

  Plan run(const std::vector<Bound>& inputs, const std::vector<Bound>& outputs) {
    for (const Bound& input : inputs) input_places_.emplace(rep(input.var.index()), input.place);
    mark_live(outputs);
    for (int i = 0; i < graph_.size(); ++i) {
      if (at(live_, i)) lower_node_into(at(reads_, i), i, i);
    }
    for (const Bound& output : outputs) bind_output(output);
    return std::move(plan_);
  }

 private:
  void mark_live(const std::vector<Bound>& outputs) {
    live_.assign(same_as_.size(), 0);
    for (const Bound& output : outputs) at(live_, rep(output.var.index())) = 1;
    for (int i = graph_.size() - 1; i >= 0; --i) {
      if (!at(live_, i) || input_places_.contains(i)) continue;
      const Node& node = graph_.node(i);
      // a view has one input value; the other inputs of custom_derivative matter only for derivatives
      const std::size_t used = node.op->kind == OpKind::view ? 1 : node.inputs.size();
      for (const int input : std::span(node.inputs).first(used)) at(live_, rep(input)) = 1;
    }
  }

  /// The node that replaces this one.
  [[nodiscard]] int rep(int node) const { return at(same_as_, node); }

  ValueId add_item(Item item, const Signature& signature) {
    const ItemId added = plan_.items.push_back(std::move(item));
    return plan_.items[added].value = plan_.values.push_back({signature, std::nullopt, added});
  }

  /// For each node before the place where recomputation begins, the number of ops between it and kept values; a node
  /// with 0 is kept itself. A long chain (for example of residual connections) would keep as much alive as it saves.
  void choose_what_to_keep() {
    constexpr int longest = 8;
    for (int i = 0; i < recompute_before_; ++i) {
      const Node& node = graph_.node(i);
      const bool view = node.op->kind == OpKind::view;
      int chain = 0;
      for (const int input : node.inputs) chain = std::max(chain, at(chain_, rep(input)));
      chain_.push_back(view ? chain : is_cheap(*node.op) && chain < longest ? chain + 1 : 0);
    }
  }

  [[nodiscard]] bool is_cheap(const Op& op) const {
    if (op.kind != OpKind::elementwise) return op.cheap;
    return recompute_ == Recompute::cheap || find_micro_op(op.kernel->micro)->is_arithmetic();
  }

  /// How node `user` reads node `input`. After the place where recomputation begins, cheap nodes before it are computed
  /// again from kept values.
  Read& seen(int user, int input) {
    const int node = rep(input);
    if (user < recompute_before_ || node >= recompute_before_ || at(chain_, node) == 0) return at(reads_, node);
    std::optional<Read>& again = at(again_, node);
    if (!again) {
      Read read;
      lower_node_into(read, node, user);
      again = read;
    }
    return *again;
  }

  [[nodiscard]] const Signature& signature_of(int input) const { return graph_.node(rep(input)).signature; }

  /// Lowers node i for its user (itself, the first time), which decides how its inputs are read.
  void lower_node_into(Read& read, int i, int user) {
    const Node& node = graph_.node(i);
    if (node.op->kind == OpKind::leaf || input_places_.contains(i)) {
      read = {plan_.values.push_back({node.signature, leaf_place(i, node), {}}), View::dense(node.signature.shape)};
      return;
    }
    if (node.op->kind == OpKind::view) {
      Read& from = seen(user, node.inputs[0]);
      auto view = node.op->view(from.view, node.attributes, node.signature.shape);
      if (!view) {
        make_dense(from, signature_of(node.inputs[0]));
        view = node.op->view(from.view, node.attributes, node.signature.shape);
      }
      read = {from.value, *view};
      return;
    }
    if (node.op->converts) {  // a load of another dtype: its readers convert, and round, as they load
      Read& from = seen(user, node.inputs[0]);
      if (converts(from, signature_of(node.inputs[0]))) make_dense(from, signature_of(node.inputs[0]));
      read = from;
      return;
    }
    if (node.op->kind == OpKind::reduce && absorbs_reduction(node, seen(user, node.inputs[0]), read)) return;
    Item item =
        as_product(node, user).value_or(Item{kind_of(node), node.op->name, node.op->kernel, &node.attributes, {}});
    item.node = i;
    item.late = recompute_before_ > 0 && user >= recompute_before_;
    if (item.reads.empty()) {
      item.reads.reserve(node.inputs.size());
      for (const int input : node.inputs) {
        Read& from = seen(user, input);
        if (item.kind == ItemKind::opaque && (!from.view.is_dense() || converts(from, signature_of(input))))
          make_dense(from, signature_of(input));
        item.reads.push_back(from);
      }
    }
    read = {add_item(std::move(item), node.signature), View::dense(node.signature.shape)};
  }

  /// A reduction over one element is the element itself.
  static bool absorbs_reduction(const Node& node, const Read& from, Read& read) {
    if (from.view.shape[1] != 1) return false;
    const auto view = from.view.reshape(node.signature.shape);
    if (view) read = {from.value, *view};
    return view.has_value();
  }

  /// An op whose results are products of one element of each input, lowered as elementwise multiplication: this needs
  /// no kernel of its own and can be fused.
  std::optional<Item> as_product(const Node& node, int user) {
    static const OpKernel mul{.micro = "mul"};
    if (!node.op->factors) return std::nullopt;
    const auto factors = [&](const View& left, const View& right) {
      return node.op->factors(left, right, node.attributes, node.signature.shape);
    };
    const auto dense = [&](int input) { return View::dense(signature_of(input).shape); };
    if (!factors(dense(node.inputs[0]), dense(node.inputs[1]))) return std::nullopt;
    const Read left = seen(user, node.inputs[0]), right = seen(user, node.inputs[1]);
    const auto [a, b] = *factors(left.view, right.view);
    return Item{ItemKind::elementwise, node.op->name, &mul, &node.attributes, {{left.value, a}, {right.value, b}}};
  }

  static ItemKind kind_of(const Node& node) {
    if (node.op->kind == OpKind::elementwise) return ItemKind::elementwise;
    return node.op->kind == OpKind::reduce ? ItemKind::reduce : ItemKind::opaque;
  }

  /// Whether a read still needs a cast before it.
  [[nodiscard]] bool converts(const Read& read, const Signature& seen_as) const {
    return plan_.dtype(read.value) != seen_as.dtype;
  }

  /// Copies the elements of a read into a new value.
  void make_dense(Read& read, const Signature& signature) {
    read = {add_item(copy_item(read, signature.dtype), signature), View::dense(signature.shape)};
  }

  Place leaf_place(int i, const Node& node) {
    if (const auto bound = input_places_.find(i); bound != input_places_.end()) return bound->second;
    if (node.op->leaf == Leaf::input) fail<UsageError>("[program] the input '{}' has no place", node.attributes.name);
    if (node.op->leaf != Leaf::number)
      return add_constant(node.attributes.tensor.front().raw(), node.attributes.tensor.front().bytes());
    const double number = node.attributes.number;
    if (node.signature.dtype == f64) return add_constant(&number, sizeof(number));
    const Tensor converted = full({}, number, node.signature.dtype);
    return add_constant(converted.raw(), converted.bytes());
  }
  Place add_constant(const void* from, std::size_t bytes) {
    const std::size_t offset = (plan_.constants.size() + alignment_ - 1) / alignment_ * alignment_;
    plan_.constants.resize(offset + bytes);
    std::memcpy(plan_.constants.data() + offset, from, bytes);
    return {constants_base, static_cast<std::int64_t>(offset)};
  }

  /// Lets the item that computes an output write it to its place, or adds a copy.
  void bind_output(const Bound& output) {
    Read read = at(reads_, rep(output.var.index()));
    const PlanValue& value = plan_.values[read.value];
    const Signature signature{output.var.shape(), output.var.dtype()};
    if (!value.producer || value.place || !is_identity(plan_, read) || converts(read, signature)) {
      read.value = add_item(copy_item(read, signature.dtype), signature);
    }
    plan_.values[read.value].place = output.place;
  }

  const Graph& graph_;
  const std::vector<int>& same_as_;
  std::unordered_map<int, Place> input_places_;  // by node
  std::vector<char> live_;
  Recompute recompute_;
  int recompute_before_;
  std::size_t alignment_;
  std::vector<int> chain_;
  std::vector<Read> reads_;                 // how each live node is read
  std::vector<std::optional<Read>> again_;  // and how each recomputed node is read
  Plan plan_;
};

}  // namespace

Plan lower(const Graph& graph, const std::vector<int>& same_as, const std::vector<Bound>& inputs,
           const std::vector<Bound>& outputs, const Passes& passes, std::size_t alignment) {
  return Lowering(graph, same_as, passes, alignment).run(inputs, outputs);
}

}  // namespace thalweg
