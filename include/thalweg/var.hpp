#pragma once
// Var: a place in a graph that is being traced. Differentiable functions are ordinary functions from Vars to Vars.

#include <concepts>
#include <cstdint>
#include <span>
#include <vector>

#include "thalweg/tensor.hpp"

namespace thalweg {

class Graph;
struct Constant;

/// A line of the user's program.
struct Source {
  const char* file = "";
  int line = 0;
  static Source here(const char* file = __builtin_FILE(), int line = __builtin_LINE()) { return {file, line}; }
};

/// A value that a graph computes: dense, row-major, with a known shape and dtype. Cheap to copy; valid while the trace
/// that made it lasts.
class Var {
 public:
  Var() = default;
  Var(Graph& graph, int index);
  /// A tensor as a constant of the function that is being traced. Throws UsageError where no function is being traced.
  Var(const Constant& value, Source source = Source::here());

  [[nodiscard]] const Shape& shape() const;
  [[nodiscard]] DType dtype() const;
  [[nodiscard]] int rank() const { return shape().rank(); }
  [[nodiscard]] std::int64_t size() const { return shape().size(); }
  /// Size along an axis; negative axes count from the end.
  [[nodiscard]] std::int64_t dim(int axis) const { return shape()[axis]; }

  [[nodiscard]] bool defined() const { return graph_ != nullptr; }
  [[nodiscard]] Graph& graph() const { return *graph_; }
  [[nodiscard]] int index() const { return index_; }
  [[nodiscard]] std::uint32_t trace() const { return trace_; }  ///< the number of the trace that made it
  friend bool operator==(const Var&, const Var&) = default;

 private:
  Graph* graph_ = nullptr;
  int index_ = -1;
  std::uint32_t trace_ = 0;
};

/// A tensor that enters a graph as a constant: `x * tw::constant(weights)`.
struct Constant {
  Tensor value;
};
[[nodiscard]] inline Constant constant(Tensor value) { return {std::move(value)}; }

/// An argument of an op: a Var, a plain number or an explicit constant. It remembers the line where it was passed, so
/// that an error can name the line of the mistake.
class Arg {
 public:
  Arg(Var var, Source source = Source::here()) : kind_(Kind::var), var_(var), source_(source) {}
  template <class T>
  requires std::integral<T> || std::floating_point<T> Arg(T number, Source source = Source::here())
      : kind_(Kind::number), number_(static_cast<double>(number)), source_(source) {}
  Arg(Constant value, Source source = Source::here())
      : kind_(Kind::tensor), tensor_{std::move(value.value)}, source_(source) {}

  [[nodiscard]] bool is_var() const { return kind_ == Kind::var; }
  [[nodiscard]] const Var& var() const { return var_; }
  [[nodiscard]] bool is_number() const { return kind_ == Kind::number; }
  [[nodiscard]] double number() const { return number_; }
  [[nodiscard]] const Tensor& tensor() const { return tensor_.front(); }
  [[nodiscard]] Source source() const { return source_; }

 private:
  enum class Kind { var, number, tensor };
  Kind kind_;
  Var var_;  // empty if the argument is not a Var, or is an empty one
  double number_ = 0;
  std::vector<Tensor> tensor_;  // one or none
  Source source_;
};

}  // namespace thalweg
