#pragma once
// Micro-ops: the loops that tiles are computed with. out[i] = f(a[i], b[i], ...) over n elements; an operand may be one
// number for all of them. Written once over Highway, or over the C library's functions of a number, and compiled for
// several instruction sets; the best is chosen when the program starts.

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "tiles/instructions.hpp"

namespace thalweg {

struct MicroOp {
  using Run = void (*)(void* out, const void* const* operands, std::int64_t n);
  std::string_view name;
  int arity = 0;
  /// Whether it calls a function of a number for each element: vectors of them take as many times as long.
  bool by_number = false;
  /// The instructions of an op that is arithmetic, from which its machine code is made. None for exponentials and other
  /// functions, which take dozens.
  const VectorFormula& (*formula)() = nullptr;
  /// By the set of operands that are one number: bit i for operand i. Never all of them, unless there is but one. An op
  /// may have none for f64.
  std::array<Run, 16> f32{}, f64{};

  /// The operands among four places, of which an op fills the first.
  template <class T>
  [[nodiscard]] std::span<T> operands(std::array<T, 4>& places) const {
    return std::span(places).first(static_cast<std::size_t>(arity));
  }
  template <class T>
  [[nodiscard]] std::span<const T> operands(const std::array<T, 4>& places) const {
    return std::span(places).first(static_cast<std::size_t>(arity));
  }
  /// The loop for elements of type T in which `numbers`, bit i for operand i, are one number each; none if there is
  /// none.
  template <class T>
  [[nodiscard]] Run run(unsigned numbers = 0) const {
    return (sizeof(T) == 4 ? f32 : f64)[numbers];
  }
  [[nodiscard]] bool is_arithmetic() const { return formula != nullptr; }
};

[[nodiscard]] std::span<const MicroOp> micro_ops();
/// The micro-op with this name, or nullptr.
[[nodiscard]] const MicroOp* find_micro_op(std::string_view name);

/// Reductions keep this many running values, whatever the instruction set, so that they round alike everywhere: as many
/// as hide how long an addition takes. A row of up to short_row elements, whose end would cost more than it saves,
/// keeps 16.
template <class T>
inline constexpr std::size_t reduce_lanes = 256 / sizeof(T);
template <class T>
inline constexpr std::int64_t short_row = 1024 / sizeof(T);

struct Reducer {
  std::string_view name;
  double identity = 0;
  /// lanes[i % reduce_lanes] = f(lanes[i % reduce_lanes], x[i]), for a row that is not short
  void (*accumulate_f32)(float* lanes, const float* x, std::int64_t n);
  void (*accumulate_f64)(double* lanes, const double* x, std::int64_t n);
  /// the lanes by a fixed tree
  float (*fold_f32)(const float* lanes);
  double (*fold_f64)(const double* lanes);
  /// both for a row that is all there: the lanes begin as the identity
  float (*row_f32)(float identity, const float* x, std::int64_t n);
  double (*row_f64)(double identity, const double* x, std::int64_t n);
  /// into[c] = f(into[c], x[c]) for each row of x, in order: rows of `width` values. Of what adds alone, else none.
  void (*join_rows_f32)(float* into, const float* x, std::int64_t rows, std::int64_t width);
  void (*join_rows_f64)(double* into, const double* x, std::int64_t rows, std::int64_t width);
  /// The micro-op that joins two values.
  std::string_view join;
  bool adds = false;  ///< the values of blocks are carried in f64 and rounded once

  // the same by the type of the elements
  template <class T>
  void accumulate(T* lanes, const T* x, std::int64_t n) const {
    if constexpr (sizeof(T) == 4) {
      accumulate_f32(lanes, x, n);
    } else {
      accumulate_f64(lanes, x, n);
    }
  }
  template <class T>
  [[nodiscard]] T fold(const T* lanes) const {
    if constexpr (sizeof(T) == 4) {
      return fold_f32(lanes);
    } else {
      return fold_f64(lanes);
    }
  }
  template <class T>
  [[nodiscard]] T row(const T* x, std::int64_t n) const {
    if constexpr (sizeof(T) == 4) {
      return row_f32(static_cast<float>(identity), x, n);
    } else {
      return row_f64(identity, x, n);
    }
  }
  template <class T>
  void join_rows(T* into, const T* x, std::int64_t rows, std::int64_t width) const {
    if constexpr (sizeof(T) == 4) {
      join_rows_f32(into, x, rows, width);
    } else {
      join_rows_f64(into, x, rows, width);
    }
  }
};

[[nodiscard]] const Reducer* find_reducer(std::string_view name);

/// The instruction set in use, as Highway names it.
[[nodiscard]] std::string_view instruction_set();

}  // namespace thalweg
