#pragma once
// Calls of ops that NVIDIA's libraries compute, as the planner makes them.

#include <fmt/format.h>

#include <string>
#include <vector>

#include "core/kernel.hpp"
#include "evaluate.hpp"
#include "ops/table.hpp"
#include "sample_inputs.hpp"

namespace thalweg::testing {

/// An op and all that its kernel is made for: shapes, attributes, stored types.
struct VendorCall {
  const Op* op = nullptr;
  std::vector<Signature> inputs;
  Signature output;
  std::vector<std::int64_t> ints;
  double tolerance = 1;
  std::vector<Stored> stored = {};
  Stored result = Stored::plain;
  double number = 0;

  [[nodiscard]] KernelSite site() const { return {inputs, output, ints, number, stored, result, op->name}; }
  [[nodiscard]] std::string str() const {
    const auto lies = [](Stored how) { return how == Stored::plain ? "" : how == Stored::bf16 ? " bf16" : " rounded"; };
    const auto input = [&](std::size_t k) {
      return inputs[k].shape.str() + lies(stored.empty() ? Stored::plain : stored[k]);
    };
    std::string all;
    for (std::size_t k = 0; k < inputs.size(); ++k) all += (k == 0 ? "" : ", ") + input(k);
    return fmt::format("{} {} of {} -> {}{}, ints {}", op->name, thalweg::name(output.dtype), all, output.shape.str(),
                       lies(result), fmt::join(ints, " "));
  }
};

inline VendorCall vendor_call(std::string_view op, const std::vector<Shape>& inputs, const Shape& output,
                              std::vector<std::int64_t> ints, DType dtype) {
  VendorCall call{.op = &op_named(op), .inputs = {}, .output = {output, dtype}, .ints = std::move(ints)};
  for (const Shape& shape : inputs) call.inputs.push_back({shape, dtype});
  return call;
}

/// The samples of a row of the op table.
inline std::vector<VendorCall> calls_of_samples(std::string_view op, DType dtype) {
  std::vector<VendorCall> calls;
  for (const Sample& sample : op_named(op).samples) {
    const Traced traced = [&sample](const std::vector<Var>& x) { return std::vector<Var>{sample.call(x)}; };
    const Trace trace(traced, inputs_of(sample, dtype));
    for (int i = 0; i < trace.graph.size(); ++i) {
      const Node& node = trace.graph.node(i);
      if (node.op->name != op) continue;
      calls.push_back({.op = node.op,
                       .inputs = {},
                       .output = node.signature,
                       .ints = node.attributes.ints,
                       .tolerance = sample.tolerance});
      for (const int input : node.inputs) calls.back().inputs.push_back(trace.graph.node(input).signature);
    }
  }
  return calls;
}

}  // namespace thalweg::testing
