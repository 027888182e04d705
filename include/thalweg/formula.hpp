#pragma once
// A formula as a user types it, "x^2 + 10*y^2", as a differentiable function.

#include <string>
#include <string_view>
#include <vector>

#include "thalweg/var.hpp"

namespace thalweg {

/// Numbers (2, .5, 1e-3), pi and e, + - * / ^, parentheses, and the elementwise ops of the op table by name (sin, exp,
/// sqrt, tanh, ...) with ln, and min and max of two or more. ^ has the highest precedence, also over a minus, and is
/// evaluated from the right: 2^3^2 = 2^9, -x^2 = -(x^2). Every other name is a variable.
class Formula {
 public:
  /// Throws UsageError, with the position of the mistake, for a text that is not a formula.
  explicit Formula(std::string_view text);

  /// The variables in the order of their places in x: alphabetical, with numbers at the end of names ordered by value
  /// (a, b, x, x2, x10, y).
  [[nodiscard]] const std::vector<std::string>& variables() const { return variables_; }
  /// The value, a scalar, at x (variables). A formula without variables is a constant, at x of shape (0).
  [[nodiscard]] Var operator()(Var x) const;
  /// The same with one Var for each variable: scalars, or vectors that broadcast; the value has their shape. Throws
  /// UsageError for a formula without variables, whose value would have no shape.
  [[nodiscard]] Var of(std::span<const Var> variables) const;
  [[nodiscard]] const std::string& text() const { return text_; }

 private:
  friend class FormulaParser;

  /// A number, a variable, or a function of earlier nodes. The last node is the formula.
  struct Node {
    std::string op;  ///< the name in the op table; or "number" or "variable", which have no arguments
    double number = 0;
    std::vector<int> arguments = {};  ///< for a variable, its place
  };

  [[nodiscard]] Arg value(std::span<const Var> variables) const;

  std::string text_;
  std::vector<Node> nodes_;
  std::vector<std::string> variables_;
};

}  // namespace thalweg
