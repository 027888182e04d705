// Parses formulas in text into functions of Vars.

#include "thalweg/formula.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <numbers>
#include <optional>

#include "core/error.hpp"
#include "ops/table.hpp"
#include "options/nearest_name.hpp"
#include "thalweg/ops.hpp"
#include "thalweg/options.hpp"

namespace thalweg {

namespace {

constexpr std::size_t longest = 10'000;  // characters
constexpr int deepest = 200;             // levels of nesting, so that no text exhausts the stack

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

/// The op for the name of a function. `min` and `max` take any number of arguments.
const Op* function_named(std::string_view name) {
  const std::string_view row = name == "ln" ? "log" : name == "min" ? "minimum" : name == "max" ? "maximum" : name;
  for (const Op& op : elementwise_ops()) {
    if (op.name == row && op.scalar) return &op;
  }
  return nullptr;
}

std::vector<std::string> function_names() {
  std::vector<std::string> names = {"ln", "min", "max"};
  for (const Op& op : elementwise_ops()) names.emplace_back(op.name);
  return names;
}

/// Orders names by their letters, then by the number at their end.
bool natural_less(const std::string& a, const std::string& b) {
  const auto split = [](std::string_view name) {
    std::size_t letters = name.size();
    while (letters > 0 && is_digit(name[letters - 1])) --letters;
    std::string_view digits = name.substr(letters);
    while (digits.size() > 1 && digits[0] == '0') digits.remove_prefix(1);
    return std::tuple(name.substr(0, letters), digits.size(), digits, name.size());
  };
  return split(a) < split(b);
}

}  // namespace

/// Recursive descent: sum = product {+- product}, product = signed {*/ signed}, signed = {+-} power,
/// power = atom [^ signed].
class FormulaParser {
 public:
  explicit FormulaParser(Formula& formula) : formula_(formula), text_(formula.text_) {}

  void parse() {
    if (text_.size() > longest) {
      fail<UsageError>("[formula] {} characters. Wanted: at most {}. Hint: write the function in C++.", text_.size(),
                       longest);
    }
    sum();
    skip_blanks();
    if (at_ < text_.size()) reject_rest();
    order_variables();
  }

 private:
  using Node = Formula::Node;

  [[noreturn]] void reject(std::size_t place, const std::string& message) const {
    // an excerpt of the text, with the error marked
    const std::size_t begin = place > 20 ? place - 20 : 0;
    const std::string before = text_.substr(begin, place - begin), after = text_.substr(place, 20);
    fail<UsageError>("[formula] column {}: {}. Here: {}{} >>> {}{}", place + 1, message, begin > 0 ? "..." : "", before,
                     after.empty() ? "(the end)" : after, place + 20 < text_.size() ? "..." : "");
  }

  [[noreturn]] void reject_rest() const {
    const char c = text_[at_];
    if (c == ')') reject(at_, "a ')' that nothing opened");
    if (is_letter(c) || is_digit(c) || c == '(' || c == '.') reject(at_, "an operator is missing; a product has a *");
    if (c == ',') reject(at_, "a ',' outside of a function's arguments");
    reject(at_, fmt::format("'{}' is no operator; there are + - * / ^", character(at_)));
  }

  /// The whole UTF-8 character at a position.
  [[nodiscard]] std::string character(std::size_t place) const {
    std::size_t end = place + 1;
    while (end < text_.size() && (static_cast<unsigned char>(text_[end]) & 0xc0) == 0x80) ++end;
    const auto c = static_cast<unsigned char>(text_[place]);
    return c < 0x20 || c == 0x7f ? fmt::format("\\x{:02x}", c) : text_.substr(place, end - place);
  }

  void skip_blanks() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\t')) ++at_;
  }

  bool take(char c) {
    skip_blanks();
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }

  int add(Node node) {
    formula_.nodes_.push_back(std::move(node));
    return static_cast<int>(formula_.nodes_.size()) - 1;
  }
  int call(std::string_view op, std::vector<int> arguments) {
    return add({.op = std::string(op), .arguments = std::move(arguments)});
  }

  int sum() {
    int left = product();
    while (true) {
      if (take('+')) {
        left = call("add", {left, product()});
      } else if (take('-')) {
        left = call("sub", {left, product()});
      } else {
        return left;
      }
    }
  }

  int product() {
    int left = signed_power();
    while (true) {
      skip_blanks();
      if (text_.compare(at_, 2, "**") == 0) reject(at_, "'**' is no operator; a power is x^2");
      if (take('*')) {
        left = call("mul", {left, signed_power()});
      } else if (take('/')) {
        left = call("div", {left, signed_power()});
      } else {
        return left;
      }
    }
  }

  int signed_power() {
    bool negative = false;
    while (true) {
      if (take('-')) {
        negative = !negative;
      } else if (!take('+')) {
        break;
      }
    }
    const int x = power();
    return negative ? call("neg", {x}) : x;
  }

  int power() {
    const Level level(*this);
    const int base = atom();
    if (!take('^')) return base;
    return call("pow", {base, signed_power()});
  }

  int atom() {
    skip_blanks();
    if (at_ == text_.size()) reject(at_, "a number, a variable or a '(' is missing");
    const char c = text_[at_];
    if (is_digit(c) || c == '.') return number();
    if (is_letter(c)) return named();
    if (c != '(') reject(at_, fmt::format("'{}' where a number, a variable or a '(' belongs", character(at_)));
    const std::size_t opened = at_++;
    const int inside = sum();
    close(opened);
    return inside;
  }

  void close(std::size_t opened) {
    if (take(')')) return;
    if (at_ < text_.size() && text_[at_] != ',') reject_rest();
    reject(at_, fmt::format("a ')' is missing, for the '(' of column {}", opened + 1));
  }

  int number() {
    double value = 0;
    const char *begin = text_.data() + at_, *last = text_.data() + text_.size();
    const auto [end, error] = std::from_chars(begin, last, value);
    if (error == std::errc::result_out_of_range) reject(at_, "a number beyond what a double holds");
    if (error != std::errc{}) reject(at_, "a '.' without digits");
    at_ += static_cast<std::size_t>(end - begin);
    return add({.op = "number", .number = value});
  }

  int named() {
    const std::size_t begin = at_;
    while (at_ < text_.size() && (is_letter(text_[at_]) || is_digit(text_[at_]))) ++at_;
    const std::string name = text_.substr(begin, at_ - begin);
    skip_blanks();
    if (at_ < text_.size() && text_[at_] == '(') return function(name, begin);
    if (name == "pi") return add({.op = "number", .number = std::numbers::pi});
    if (name == "e") return add({.op = "number", .number = std::numbers::e});
    if (function_named(name)) reject(begin, fmt::format("'{0}' is a function: {0}(x)", name));
    if (name == "inf" || name == "nan") reject(begin, fmt::format("'{}' is no number to compute with", name));
    const auto known = std::ranges::find(formula_.variables_, name);
    const auto place = static_cast<int>(known - formula_.variables_.begin());
    if (known == formula_.variables_.end()) formula_.variables_.push_back(name);
    return add({.op = "variable", .arguments = {place}});
  }

  int function(const std::string& name, std::size_t begin) {
    const Op* op = function_named(name);
    if (!op) {
      const bool known_near = name.size() >= 3 && !nearest_name(name, function_names()).empty();
      reject(begin, fmt::format("there is no function '{}'; {}", name,
                                known_near ? name_hint(name, function_names()) : "a product has a *"));
    }
    const std::size_t opened = at_++;
    std::vector<int> arguments = {sum()};
    while (take(',')) arguments.push_back(sum());
    close(opened);
    return apply_function(*op, name, arguments, begin);
  }

  int apply_function(const Op& op, const std::string& name, const std::vector<int>& arguments, std::size_t begin) {
    const bool variadic = name == "min" || name == "max";
    const auto count = static_cast<int>(arguments.size());
    if (variadic ? count < 2 : count != op.arity) {
      reject(begin, fmt::format("'{}' takes {}{} argument{}, not {}", name, op.arity, variadic ? " or more" : "",
                                op.arity == 1 ? "" : "s", count));
    }
    if (!variadic) return call(op.name, arguments);
    int result = arguments[0];
    for (int i = 1; i < count; ++i) result = call(op.name, {result, arguments[static_cast<std::size_t>(i)]});
    return result;
  }

  void order_variables() {
    const std::vector<std::string> met = formula_.variables_;
    std::ranges::sort(formula_.variables_, natural_less);
    for (Node& node : formula_.nodes_) {
      if (node.op != "variable") continue;
      const std::string& name = met[static_cast<std::size_t>(node.arguments[0])];
      node.arguments[0] = static_cast<int>(std::ranges::find(formula_.variables_, name) - formula_.variables_.begin());
    }
  }

  /// Counts one level of nesting.
  struct Level {
    explicit Level(FormulaParser& p) : parser(p) {
      if (++parser.depth_ > deepest) parser.reject(parser.at_, fmt::format("nested deeper than {} levels", deepest));
    }
    ~Level() { --parser.depth_; }
    Level(const Level&) = delete;
    Level& operator=(const Level&) = delete;
    FormulaParser& parser;
  };

  Formula& formula_;
  const std::string& text_;
  std::size_t at_ = 0;
  int depth_ = 0;
};

Formula::Formula(std::string_view text) : text_(text) { FormulaParser(*this).parse(); }

namespace {

/// Applies an op to its arguments; if all are plain numbers, the value is computed immediately.
Arg applied(const std::string& name, const std::vector<Arg>& arguments) {
  const Op& op = op_named(name);
  if (std::ranges::all_of(arguments, &Arg::is_number)) {
    double numbers[3] = {};
    for (std::size_t i = 0; i < arguments.size(); ++i) numbers[i] = arguments[i].number();
    return op.scalar(numbers);
  }
  return name == "pow" ? pow(arguments[0], arguments[1]) : apply_elementwise(op, arguments);
}

}  // namespace

Arg Formula::value(std::span<const Var> variables) const {
  std::vector<Arg> values;  // without a source line, because a formula is not a line of the user's program
  for (const Node& node : nodes_) {
    if (node.op == "number") {
      values.emplace_back(node.number, Source{});
    } else if (node.op == "variable") {
      values.emplace_back(variables[static_cast<std::size_t>(node.arguments[0])], Source{});
    } else {
      std::vector<Arg> arguments;
      for (const int i : node.arguments) arguments.push_back(values[static_cast<std::size_t>(i)]);
      values.push_back(applied(node.op, arguments));
    }
  }
  return values.back();
}

Var Formula::of(std::span<const Var> variables) const {
  if (variables.size() != variables_.size()) {
    fail<UsageError>("[formula] {} values for {} variables ({})", variables.size(), variables_.size(),
                     fmt::join(variables_, ", "));
  }
  if (variables.empty()) {
    fail<UsageError>(
        "[formula] '{}' has no variables, whose shape its value would have. Hint: call it with x of shape (0)", text_);
  }
  return value(variables).var();
}

Var Formula::operator()(Var x) const {
  if (x.rank() != 1 || x.dim(0) != static_cast<std::int64_t>(variables_.size())) {
    fail<UsageError>("[formula] x is {} and there are {} variables ({})", x.shape(), variables_.size(),
                     fmt::join(variables_, ", "));
  }
  if (variables_.empty()) return value({}).number() + sum(x);  // the sum of no numbers: 0, in the graph of x
  std::vector<Var> each;
  for (std::int64_t i = 0; i < x.dim(0); ++i) each.push_back(reshape(slice(x, i, i + 1), {}));
  return of(each);
}

}  // namespace thalweg
