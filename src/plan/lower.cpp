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

/// How a node is read: as a value in its own order, which most are and which needs no view, or by a view.
struct Seen {
  ValueId value;
  int view = -1;  // its place among the views, or -1
};

/// Prepares a list for so many elements, so that it does not move while it grows.
template <class I, class T>
void make_room(IndexVector<I, T>& list, std::size_t size) {
  list.resize(size);
  list.clear();
}

class Lowering {
 public:
  Lowering(const Graph& graph, const std::vector<int>& same_as, const Passes& passes, std::size_t alignment)
      : graph_(graph),
        same_as_(same_as),
        recompute_(passes.recompute),
        recompute_before_(passes.recompute == Recompute::nothing ? 0 : passes.backward_begins),
        alignment_(alignment) {
    seen_.resize(same_as.size());
    if (recompute_before_ > 0) again_.resize(same_as.size());
    choose_what_to_keep();
  }

  Plan run(const std::vector<Bound>& inputs, const std::vector<Bound>& outputs) {
    for (const Bound& input : inputs) input_places_.emplace(rep(input.var.index()), input.place);
    mark_live(outputs);
    for (int i = 0; i < graph_.size(); ++i) {
      if (at(live_, i)) at(seen_, i) = lower_node(i, i);
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
    std::size_t values = 0, items = 0;
    for (int i = 0; i < graph_.size(); ++i) {
      const OpKind kind = graph_.node(i).op->kind;
      if (!at(live_, i) || kind == OpKind::view) continue;
      const bool is_again = i < recompute_before_ && at(chain_, i) > 0;
      values += is_again ? 2 : 1;
      if (kind != OpKind::leaf) items += is_again ? 2 : 1;
    }
    make_room(plan_.values, values);
    make_room(plan_.items, items);
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

  [[nodiscard]] bool is_cheap(const Op& op) {
    if (op.kind != OpKind::elementwise) return op.cheap;
    const auto [known, is_new] = cheap_.try_emplace(&op, false);
    if (!is_new) return known->second;
    return known->second = recompute_ == Recompute::cheap || find_micro_op(op.kernel->micro)->is_arithmetic();
  }

  /// How node `user` sees node `input`. After the place where recomputation begins, cheap nodes before it are computed
  /// again from kept values.
  Seen& seen(int user, int input) {
    const int node = rep(input);
    if (user < recompute_before_ || node >= recompute_before_ || at(chain_, node) == 0) return at(seen_, node);
    std::optional<Seen>& again = at(again_, node);
    if (!again) again = lower_node(node, user);
    return *again;
  }

  [[nodiscard]] const Signature& signature_of(int input) const { return graph_.node(rep(input)).signature; }

  /// The read of a node that is seen in this way.
  [[nodiscard]] Read read_of(Seen seen, const Signature& signature) const {
    return {seen.value, seen.view < 0 ? View::dense(signature.shape) : at(views_, seen.view)};
  }
  [[nodiscard]] Read read(int user, int input) { return read_of(seen(user, input), signature_of(input)); }
  [[nodiscard]] Seen seen_by(const View& view, ValueId value) {
    views_.push_back(view);
    return {value, count(views_) - 1};
  }

  /// Lowers node i for its user (itself, the first time), which decides how its inputs are read.
  Seen lower_node(int i, int user) {
    const Node& node = graph_.node(i);
    if (node.op->kind == OpKind::leaf || input_places_.contains(i))
      return {plan_.values.push_back({node.signature, leaf_place(i, node), {}})};
    if (node.op->kind == OpKind::view) return lower_view(node, user);
    if (node.op->converts) {  // a load of another dtype: its readers convert, and round, as they load
      Seen& from = seen(user, node.inputs[0]);
      if (converts(from.value, signature_of(node.inputs[0]))) make_dense(from, signature_of(node.inputs[0]));
      return from;
    }
    if (node.op->kind == OpKind::reduce) {
      if (const auto whole = whole_element(node, read(user, node.inputs[0]))) return *whole;
    }
    Item item =
        as_product(node, user).value_or(Item{kind_of(node), node.op->name, node.op->kernel, &node.attributes, {}});
    item.node = i;
    item.late = recompute_before_ > 0 && user >= recompute_before_;
    if (item.reads.empty()) {
      item.reads.reserve(node.inputs.size());
      for (const int input : node.inputs) item.reads.push_back(operand(item.kind, user, input));
    }
    return {add_item(std::move(item), node.signature)};
  }

  Seen lower_view(const Node& node, int user) {
    Seen& from = seen(user, node.inputs[0]);
    const auto view = [&] {
      return node.op->view(read_of(from, signature_of(node.inputs[0])).view, node.attributes, node.signature.shape);
    };
    auto found = view();
    if (!found) {
      make_dense(from, signature_of(node.inputs[0]));
      found = view();
    }
    return seen_by(*found, from.value);
  }

  /// The read of an input of an item; an opaque kernel takes only whole values of the right type.
  Read operand(ItemKind kind, int user, int input) {
    Seen& from = seen(user, input);
    const bool is_dense = from.view < 0 || at(views_, from.view).is_dense();
    if (kind == ItemKind::opaque && (!is_dense || converts(from.value, signature_of(input))))
      make_dense(from, signature_of(input));
    return read_of(from, signature_of(input));
  }

  /// A reduction over one element is the element itself.
  std::optional<Seen> whole_element(const Node& node, const Read& from) {
    if (from.view.shape[1] != 1) return std::nullopt;
    const auto view = from.view.reshape(node.signature.shape);
    return view ? std::optional(seen_by(*view, from.value)) : std::nullopt;
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
    const Read left = read(user, node.inputs[0]), right = read(user, node.inputs[1]);
    const auto [a, b] = *factors(left.view, right.view);
    return Item{ItemKind::elementwise, node.op->name, &mul, &node.attributes, {{left.value, a}, {right.value, b}}};
  }

  static ItemKind kind_of(const Node& node) {
    if (node.op->kind == OpKind::elementwise) return ItemKind::elementwise;
    return node.op->kind == OpKind::reduce ? ItemKind::reduce : ItemKind::opaque;
  }

  /// Whether a read still needs a cast before it.
  [[nodiscard]] bool converts(ValueId value, const Signature& seen_as) const {
    return plan_.dtype(value) != seen_as.dtype;
  }

  /// Copies the elements of what is seen into a new value.
  void make_dense(Seen& seen, const Signature& signature) {
    seen = {add_item(copy_item(read_of(seen, signature), signature.dtype), signature)};
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
    Read read = read_of(at(seen_, rep(output.var.index())), signature_of(output.var.index()));
    const PlanValue& value = plan_.values[read.value];
    const Signature signature{output.var.shape(), output.var.dtype()};
    if (!value.producer || value.place || !is_identity(plan_, read) || converts(read.value, signature)) {
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
  std::unordered_map<const Op*, bool> cheap_;  // elementwise ops seen so far
  std::vector<Seen> seen_;                     // how each live node is seen
  std::vector<std::optional<Seen>> again_;     // and how each recomputed node is seen
  std::vector<View> views_;
  Plan plan_;
};

}  // namespace

Plan lower(const Graph& graph, const std::vector<int>& same_as, const std::vector<Bound>& inputs,
           const std::vector<Bound>& outputs, const Passes& passes, std::size_t alignment) {
  return Lowering(graph, same_as, passes, alignment).run(inputs, outputs);
}

}  // namespace thalweg
