#pragma once
// A reference for the planner: evaluates a graph node by node with plain loops in f64, without plan, views or tiles.

#include <algorithm>
#include <cmath>
#include <vector>

#include "graph/graph.hpp"

namespace thalweg {

class Interpreter {
 public:
  Interpreter(const Graph& graph, const std::vector<Tensor>& inputs) : graph_(graph) {
    std::size_t input = 0;
    for (int i = 0; i < graph.size(); ++i) {
      const Node& node = graph.node(i);
      if (node.op->name == "input") {
        values_.push_back(inputs[input++].to(f64));
      } else if (node.op->name == "constant") {
        values_.push_back(node.attributes.tensor.front().to(f64));
      } else if (node.op->name == "number") {
        values_.push_back(full({}, node.attributes.number, f64));
      } else {
        values_.push_back(value_of(node));
      }
    }
  }

  [[nodiscard]] const Tensor& value(Var var) const { return values_[static_cast<std::size_t>(var.index())]; }

 private:
  using Index = std::vector<std::int64_t>;

  static Index index_of(const Shape& shape, std::int64_t flat) {
    Index index(static_cast<std::size_t>(shape.rank()));
    for (int axis = shape.rank() - 1; axis >= 0; --axis) {
      index[static_cast<std::size_t>(axis)] = flat % shape[axis];
      flat /= shape[axis];
    }
    return index;
  }
  static std::int64_t flat_of(const Shape& shape, const Index& index) {
    std::int64_t flat = 0;
    for (int axis = 0; axis < shape.rank(); ++axis) flat = flat * shape[axis] + index[static_cast<std::size_t>(axis)];
    return flat;
  }

  [[nodiscard]] const Tensor& in(const Node& node, std::size_t i = 0) const {
    return values_[static_cast<std::size_t>(node.inputs[i])];
  }

  [[nodiscard]] Tensor value_of(const Node& node) const {
    if (node.op->kind == OpKind::elementwise) return elementwise(node);
    if (node.op->kind == OpKind::view) return moved(node);
    if (node.op->kind == OpKind::reduce) return reduced(node);
    Tensor y(node.signature.shape, f64);
    const std::string_view op = node.op->name;
    if (op == "concat" || op == "pad") {
      copied(node, y);
    } else if (op == "matmul") {
      multiplied(node, y);
    } else if (op == "gather" || op == "scatter_add") {
      by_rows(node, y);
    } else {
      along_rows(node, y);
    }
    return y;
  }

  [[nodiscard]] Tensor elementwise(const Node& node) const {
    if (!node.op->scalar) return in(node);  // a cast
    Tensor y(node.signature.shape, f64);
    for (std::int64_t i = 0; i < y.size(); ++i) {
      double x[4] = {};
      for (std::size_t k = 0; k < node.inputs.size(); ++k) x[k] = in(node, k).at(i);
      y.set(i, node.op->scalar(x));
    }
    return y;
  }

  [[nodiscard]] Tensor moved(const Node& node) const {
    const std::string_view op = node.op->name;
    const auto& a = node.attributes.ints;
    const Tensor& x = in(node);
    if (op == "reshape" || op == "stop_gradient" || op == "custom_derivative") return x.reshape(node.signature.shape);
    Tensor y(node.signature.shape, f64);
    for (std::int64_t flat = 0; flat < y.size(); ++flat) {
      const Index to = index_of(y.shape(), flat);
      Index from(static_cast<std::size_t>(x.shape().rank()));
      for (std::size_t axis = 0; axis < from.size(); ++axis) {
        if (op == "transpose") {
          from[static_cast<std::size_t>(a[axis])] = to[axis];
        } else if (op == "slice") {
          from[axis] = static_cast<std::int64_t>(axis) == a[0] ? a[1] + to[axis] * a[3] : to[axis];
        } else {
          const std::size_t shift = to.size() - from.size();
          from[axis] = x.shape()[static_cast<int>(axis)] == 1 ? 0 : to[axis + shift];
        }
      }
      y.set(flat, x.at(flat_of(x.shape(), from)));
    }
    return y;
  }

  [[nodiscard]] Tensor reduced(const Node& node) const {
    const Tensor& x = in(node);
    const std::int64_t length = x.shape()[1], inner = x.shape()[2];
    Tensor y(node.signature.shape, f64);
    for (std::int64_t i = 0; i < y.size(); ++i) {
      const auto element = [&](std::int64_t k) { return x.at((i / inner * length + k) * inner + i % inner); };
      double joined = node.op->name == "sum" ? 0 : element(0);
      for (std::int64_t k = 0; k < length; ++k) {
        if (node.op->name == "sum") joined += element(k);
        if (node.op->name == "max") joined = std::max(joined, element(k));
        if (node.op->name == "min") joined = std::min(joined, element(k));
      }
      y.set(i, joined);
    }
    return y;
  }

  void copied(const Node& node, Tensor& y) const {
    const auto& a = node.attributes.ints;
    std::int64_t shift = 0;
    for (std::size_t part = 0; part < node.inputs.size(); ++part) {
      const Tensor& x = in(node, part);
      for (std::int64_t flat = 0; flat < x.size(); ++flat) {
        Index to = index_of(x.shape(), flat);
        if (node.op->name == "concat") to[static_cast<std::size_t>(a[0])] += shift;
        for (std::size_t axis = 0; node.op->name == "pad" && axis < to.size(); ++axis) {
          to[axis] = a[3 * axis] + to[axis] * a[3 * axis + 2];
        }
        y.set(flat_of(y.shape(), to), x.at(flat));
      }
      if (node.op->name == "concat") shift += x.shape()[static_cast<int>(a[0])];
    }
  }

  void multiplied(const Node& node, Tensor& y) const {
    const Tensor &a = in(node, 0), &b = in(node, 1);
    const bool ta = node.attributes.ints[0] != 0, tb = node.attributes.ints[1] != 0;
    const std::int64_t m = y.shape()[-2], n = y.shape()[-1], k = ta ? a.shape()[-2] : a.shape()[-1];
    for (std::int64_t flat = 0; flat < y.size(); ++flat) {
      const std::int64_t q = flat / (m * n), i = flat / n % m, j = flat % n;
      double total = 0;
      for (std::int64_t p = 0; p < k; ++p) {
        total += a.at(q * m * k + (ta ? p * m + i : i * k + p)) * b.at(q * k * n + (tb ? j * k + p : p * n + j));
      }
      y.set(flat, total);
    }
  }

  void by_rows(const Node& node, Tensor& y) const {
    const Tensor &x = in(node, 0), &indices = in(node, 1);
    const bool gathers = node.op->name == "gather";
    const std::int64_t width = indices.size() ? (gathers ? y : x).size() / indices.size() : 0;
    for (std::int64_t i = 0; i < indices.size() * width; ++i) {
      const std::int64_t place = static_cast<std::int64_t>(indices.at(i / width)) * width + i % width;
      if (gathers) {
        y.set(i, x.at(place));
      } else {
        y.set(place, y.at(place) + x.at(i));
      }
    }
  }

  void along_rows(const Node& node, Tensor& y) const {
    const std::string_view op = node.op->name;
    const Tensor& x = in(node);
    if (op == "to_i32") {
      for (std::int64_t i = 0; i < y.size(); ++i) y.set(i, std::trunc(x.at(i)));
      return;
    }
    const std::int64_t n = x.shape()[-1];
    for (std::int64_t row = 0; n > 0 && row < x.size() / n; ++row) {
      const auto element = [&](std::int64_t i) { return x.at(row * n + i); };
      std::int64_t best = 0;
      for (std::int64_t i = 1; i < n; ++i) best = element(i) > element(best) ? i : best;
      double total = 0, running = 0;
      for (std::int64_t i = 0; i < n; ++i) total += std::exp(element(i) - element(best));
      for (std::int64_t k = 0; k < n; ++k) {
        const std::int64_t i = op == "cumsum" && node.attributes.ints[0] ? n - 1 - k : k;
        running += element(i);
        if (op == "cumsum") y.set(row * n + i, running);
        if (op == "softmax") y.set(row * n + i, std::exp(element(i) - element(best)) / total);
      }
      if (op == "logsumexp") y.set(2 * row, element(best)), y.set(2 * row + 1, std::log(total));
      if (op == "argmax") y.set(row, static_cast<double>(best));
      if (op == "pick") y.set(row, element(static_cast<std::int64_t>(in(node, 1).at(row))));
    }
  }

  const Graph& graph_;
  std::vector<Tensor> values_;
};

}  // namespace thalweg
