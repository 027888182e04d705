// The leaves of a graph: inputs and constants.

#include "ops/table.hpp"

namespace thalweg {

std::span<const Op> leaf_ops() {
  static const std::vector<Op> rows = {
      {.name = "input", .formula = "a named input", .kind = OpKind::leaf, .arity = 0, .leaf = Leaf::input},
      {.name = "constant", .formula = "a tensor", .kind = OpKind::leaf, .arity = 0, .leaf = Leaf::constant},
      {.name = "number", .formula = "one number", .kind = OpKind::leaf, .arity = 0, .leaf = Leaf::number},
  };
  return rows;
}

}  // namespace thalweg
