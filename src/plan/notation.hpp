#pragma once
// Writes the arithmetic of a graph as in a textbook, with symbols or with numbers in their place.

#include <map>
#include <string>

#include "graph/graph.hpp"

namespace thalweg {

class Notation {
 public:
  explicit Notation(Graph& graph) : graph_(graph) {}

  /// Names a value: other values are written with this symbol.
  void name(Var var, std::string symbol, Tensor value);
  /// A scalar that is written as a number.
  void number(Var var, double value);

  /// Computes the parts that are not elementwise (sums, norms), which texts with numbers show by their value. All
  /// inputs of `vars` must have been named.
  void evaluate(const std::vector<Var>& vars);

  /// "beta1*m + (1 - beta1)*g"; empty where it would be too long to read.
  [[nodiscard]] std::string symbols(Var var) const;
  /// "0.9*0 + (1 - 0.9)*2", at one element.
  [[nodiscard]] std::string numbers(Var var, std::int64_t element) const;

 private:
  struct Named {
    std::string symbol;
    Tensor value;
    bool literal = false;
  };
  friend class NotationWriter;

  [[nodiscard]] bool too_long(Var var) const;

  Graph& graph_;
  std::map<int, Named> named_;
  std::map<int, Tensor> computed_;
};

}  // namespace thalweg
