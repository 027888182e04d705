#include "plan/notation.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "core/numbers.hpp"
#include "plan/program.hpp"

namespace thalweg {

namespace {

constexpr std::size_t longest = 200;  // characters
constexpr std::size_t most_nodes = 100;

/// The precedence of a text: one with a lower precedence than its place requires gets parentheses.
enum Binding { sum, product, power, atom };

struct Factor {
  std::string text;
  Binding binding = atom;
  double exponent = 1;
};

/// number * factor * factor / factor ...
struct Term {
  double number = 1;
  std::vector<Factor> factors = {};
  [[nodiscard]] bool constant() const { return factors.empty(); }
};

struct Written {
  std::string text;
  Binding binding;
};

Term of_number(double value) { return {value, {}}; }
Term of_text(std::string text, Binding binding) { return {1, {{std::move(text), binding, 1}}}; }

std::string enclosed(const Written& w, Binding needed) { return w.binding >= needed ? w.text : "(" + w.text + ")"; }

std::string factor_text(const Factor& f) {
  const double exponent = std::abs(f.exponent);
  if (exponent == 1) return enclosed({f.text, f.binding}, power);
  return enclosed({f.text, f.binding}, atom) + "^" + number_text(exponent);
}

Written written(const Term& term) {
  if (term.number == 1 && term.factors.size() == 1 && term.factors[0].exponent == 1) {
    return {term.factors[0].text, term.factors[0].binding};
  }
  std::vector<std::string> above, below;
  for (const Factor& f : term.factors) (f.exponent > 0 ? above : below).push_back(factor_text(f));
  const double size = std::abs(term.number);
  if (size != 1 || above.empty()) above.insert(above.begin(), number_text(size));
  std::string text = (std::signbit(term.number) ? "-" : "") + fmt::format("{}", fmt::join(above, "*"));
  if (below.size() == 1) text += "/" + below[0];
  if (below.size() > 1) text += fmt::format("/({})", fmt::join(below, "*"));
  const bool single = above.size() + below.size() == 1;
  return {text, std::signbit(term.number) ? sum : !single ? product : term.constant() ? atom : power};
}

Term times(Term a, const Term& b) {
  a.number *= b.number;
  if (a.number == 0) return of_number(0);
  for (const Factor& f : b.factors) {
    const auto same = std::ranges::find(a.factors, f.text, &Factor::text);
    if (same == a.factors.end()) {
      a.factors.push_back(f);
    } else if ((same->exponent += f.exponent) == 0) {
      a.factors.erase(same);
    }
  }
  return a;
}

Term inverse(Term a) {
  if (a.number != 1 && a.number != -1) {  // 1/(3 x), not 0.333333/x
    a.factors.insert(a.factors.begin(), {number_text(std::abs(a.number)), atom, 1});
    a.number = a.number < 0 ? -1 : 1;
  }
  for (Factor& f : a.factors) f.exponent = -f.exponent;
  return a;
}

Term negative(Term a) {
  a.number = -a.number;
  return a;
}

Term plus(const Term& a, const Term& b) {
  if (a.number == 0) return b;
  if (b.number == 0) return a;
  if (a.constant() && b.constant()) return of_number(a.number + b.number);
  const bool minus = b.number < 0;
  const Written right = written(minus ? negative(b) : b);
  std::string left = written(a).text;
  if (a.number == 1 && a.factors.size() == 1 && a.factors[0].binding == atom && left.starts_with("(-")) {
    left = left.substr(1, left.size() - 2);  // a number in front needs no parentheses for its sign
  }
  return of_text(left + (minus ? " - " : " + ") + enclosed(right, minus ? product : sum), sum);
}

Term to_the(const Term& base, const Term& exponent) {
  if (!exponent.constant()) {
    return of_text(enclosed(written(base), atom) + "^" + enclosed(written(exponent), atom), power);
  }
  if (base.constant()) return of_number(std::pow(base.number, exponent.number));
  if (exponent.number < 0) return inverse(to_the(base, of_number(-exponent.number)));
  const bool plain = base.number == 1 && base.factors.size() == 1 && base.factors[0].exponent == 1;
  Factor factor = plain ? base.factors[0] : Factor{written(base).text, written(base).binding, 1};
  factor.exponent = exponent.number;
  return {1, {factor}};
}

Term call(std::string_view name, const std::vector<Term>& arguments) {
  std::vector<std::string> texts;
  for (const Term& a : arguments) texts.push_back(written(a).text);
  return of_text(fmt::format("{}({})", name, fmt::join(texts, ", ")), atom);
}

/// The node whose value this one passes on unchanged.
int origin(const Graph& graph, int node) {
  while (graph.node(node).op->form == Form::same) node = graph.node(node).inputs[0];
  return node;
}

}  // namespace

/// Writes one text, either with symbols or with the numbers at an element.
class NotationWriter {
 public:
  NotationWriter(const Notation& notation, std::optional<std::int64_t> element)
      : notation_(notation), element_(element) {}

  std::string text(int node) { return written(made_of(node)).text; }

 private:
  Term term(int node) {
    if (const auto known = notation_.named_.find(node); known != notation_.named_.end()) {
      const auto& [symbol, value, literal] = known->second;
      if (literal) return of_number(value.item());
      return element_ ? of_value(value) : of_text(symbol, atom);
    }
    return made_of(node);
  }

  [[nodiscard]] Term of_value(const Tensor& value) const {
    const double x = value.at(value.size() == 1 ? 0 : std::min(*element_, value.size() - 1));
    const std::string text = number_text(x);
    return of_text(x < 0 ? "(" + text + ")" : text, atom);
  }

  /// A value as an expression of its operands, even if it has a name.
  Term made_of(int index) {
    const Node& node = notation_.graph_.node(index);
    const Op& op = *node.op;
    if (op.leaf == Leaf::number) return of_number(node.attributes.number);
    if (op.leaf == Leaf::constant) return constant(node.attributes.tensor.front());
    if (const auto computed = notation_.computed_.find(index); element_ && computed != notation_.computed_.end()) {
      return of_value(computed->second);
    }
    if (op.leaf == Leaf::input) return term(index);
    if (op.form == Form::choice) {
      if (const auto choice = decided(node.inputs[0])) return term(node.inputs[*choice ? 1 : 2]);
    }
    std::vector<Term> x;
    for (const int input : node.inputs) x.push_back(term(input));
    return applied(op, x);
  }

  static Term applied(const Op& op, const std::vector<Term>& x) {
    const std::string_view symbol = op.symbol.empty() ? op.name : op.symbol;
    switch (op.form) {
      case Form::same: return x[0];
      case Form::sum: return plus(x[0], x[1]);
      case Form::difference: return plus(x[0], negative(x[1]));
      case Form::product: return times(x[0], x[1]);
      case Form::quotient: return times(x[0], inverse(x[1]));
      case Form::negative: return negative(x[0]);
      case Form::square: return to_the(x[0], of_number(2));
      case Form::power: return to_the(x[0], x[1]);
      case Form::reciprocal: return inverse(op.symbol.empty() ? x[0] : call(op.symbol, x));
      case Form::comparison:
        return of_text(fmt::format("{} {} {}", written(x[0]).text, symbol, written(x[1]).text), sum);
      case Form::call:
      case Form::choice: break;
    }
    return call(symbol, x);
  }

  [[nodiscard]] Term constant(const Tensor& value) const {
    if (value.size() == 1) return of_number(value.at(0));
    return element_ ? of_value(value) : of_text("constants", atom);
  }

  /// Which branch a condition takes: with symbols only if it is the same for all elements, with numbers always.
  [[nodiscard]] std::optional<bool> decided(int condition) const {
    const auto computed = notation_.computed_.find(origin(notation_.graph_, condition));
    if (computed == notation_.computed_.end()) return std::nullopt;
    const Tensor& value = computed->second;
    if (value.size() == 1) return value.item() != 0;
    return element_ ? std::optional(value.at(*element_) != 0) : std::nullopt;
  }

  const Notation& notation_;
  std::optional<std::int64_t> element_;
};

void Notation::name(Var var, std::string symbol, Tensor value) {
  named_[var.index()] = {std::move(symbol), std::move(value)};
}
void Notation::number(Var var, double value) { named_[var.index()] = {"", full({}, value, f64), true}; }

namespace {

/// All nodes from which these are computed, including themselves, down to those in `stop`.
template <class Stop>
std::set<int> parts_of(const Graph& graph, const std::vector<int>& nodes, const Stop& stop) {
  std::set<int> seen;
  std::vector<int> open = nodes;
  while (!open.empty()) {
    const int node = open.back();
    open.pop_back();
    if (!seen.insert(node).second || stop(node)) continue;
    for (const int input : graph.node(node).inputs) open.push_back(input);
  }
  return seen;
}

}  // namespace

void Notation::evaluate(const std::vector<Var>& vars) {
  std::vector<int> nodes;
  for (const Var& var : vars) nodes.push_back(var.index());
  std::vector<Bound> inputs, outputs;
  std::vector<std::byte*> bases;
  std::vector<int> wanted;
  const auto bind = [&](std::vector<Bound>& to, int node, Tensor& tensor) {
    to.push_back({Var(graph_, node), {first_user_base + static_cast<int>(bases.size()), 0}});
    bases.push_back(tensor.mutable_raw());
  };
  for (const int index : parts_of(graph_, nodes, [](int) { return false; })) {
    const Node& node = graph_.node(index);
    if (const auto known = named_.find(index); node.op->leaf == Leaf::input && known != named_.end()) {
      bind(inputs, index, known->second.value);
    }
    if (node.op->form == Form::choice) wanted.push_back(origin(graph_, node.inputs[0]));
    if (node.op->kind == OpKind::reduce || node.op->kind == OpKind::opaque) wanted.push_back(index);
  }
  for (const int index : wanted) {
    const Signature& signature = graph_.node(index).signature;
    if (!is_float(signature.dtype) || graph_.node(index).op->kind == OpKind::leaf) continue;
    const auto [entry, added] = computed_.try_emplace(index, Tensor(signature.shape, signature.dtype));
    if (added) bind(outputs, index, entry->second);
  }
  if (outputs.empty()) return;
  const Program program(graph_, inputs, outputs);
  const Block arena(program.arena_bytes());
  Workers alone(1);
  program.run(bases, arena.data(), alone);
}

bool Notation::too_long(Var var) const {
  const auto stop = [&](int node) { return node != var.index() && named_.contains(node); };
  return parts_of(graph_, {var.index()}, stop).size() > most_nodes;
}

std::string Notation::symbols(Var var) const {
  if (too_long(var)) return "";
  const std::string text = NotationWriter(*this, std::nullopt).text(var.index());
  return text.size() > longest ? "" : text;
}

std::string Notation::numbers(Var var, std::int64_t element) const {
  if (too_long(var)) return "";
  const std::string text = NotationWriter(*this, element).text(var.index());
  return text.size() > longest ? "" : text;
}

}  // namespace thalweg
