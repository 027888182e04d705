#pragma once
// Micro-ops: the loops that compute tiles. out[i] = f(a[i], b[i], ...) over n elements; an operand may be a single
// number for all of them. They are written once with Highway, or with scalar functions of the C library, and compiled
// for several instruction sets; the best is chosen when the program starts.

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
  /// Whether it calls a scalar function for each element, which takes a multiple of the time of a vector.
  bool by_number = false;
  /// The instructions of an arithmetic op, from which its machine code is made. Null for exponentials and other
  /// functions of dozens of instructions.
  const VectorFormula& (*formula)() = nullptr;
  /// Indexed by the set of operands that are single numbers: bit i for operand i. They are never all operands, except
  /// for the only one. An op may have no loops for f64.
  std::array<Run, 16> f32{}, f64{};

  /// Up to four operands; an op with fewer uses the first ones.
  template <class T>
  [[nodiscard]] std::span<T> operands(std::array<T, 4>& places) const {
    return std::span(places).first(static_cast<std::size_t>(arity));
  }
  template <class T>
  [[nodiscard]] std::span<const T> operands(const std::array<T, 4>& places) const {
    return std::span(places).first(static_cast<std::size_t>(arity));
  }
  /// The loop for elements of type T in which the operands in `numbers`, bit i for operand i, are single numbers; null
  /// if there is no such loop.
  template <class T>
  [[nodiscard]] Run run(unsigned numbers = 0) const {
    return (sizeof(T) == 4 ? f32 : f64)[numbers];
  }
  [[nodiscard]] bool is_arithmetic() const { return formula != nullptr; }
};

[[nodiscard]] std::span<const MicroOp> micro_ops();
/// The micro-op with this name, or nullptr.
[[nodiscard]] const MicroOp* find_micro_op(std::string_view name);

/// Reductions keep this many running values on every instruction set, so that they round alike everywhere; the number
/// is large enough to hide the latency of an addition. A row of up to short_row elements keeps 16, because joining more
/// would cost more than it saves.
template <class T>
inline constexpr std::size_t reduce_lanes = 256 / sizeof(T);
template <class T>
inline constexpr std::int64_t short_row = 1024 / sizeof(T);

struct Reducer {
  std::string_view name;
  double identity = 0;
  /// lanes[i % reduce_lanes] = f(lanes[i % reduce_lanes], x[i]), for a long row
  void (*accumulate_f32)(float* lanes, const float* x, std::int64_t n);
  void (*accumulate_f64)(double* lanes, const double* x, std::int64_t n);
  /// joins the lanes in a fixed tree
  float (*fold_f32)(const float* lanes);
  double (*fold_f64)(const double* lanes);
  /// both for a whole row: the lanes start with the identity
  float (*row_f32)(float identity, const float* x, std::int64_t n);
  double (*row_f64)(double identity, const double* x, std::int64_t n);
  /// into[c] = f(into[c], x[c]) for each row of x, in order: rows of `width` values. Null for reductions other than
  /// sums.
  void (*join_rows_f32)(float* into, const float* x, std::int64_t rows, std::int64_t width);
  void (*join_rows_f64)(double* into, const double* x, std::int64_t rows, std::int64_t width);
  /// The micro-op that joins two values.
  std::string_view join;
  bool adds = false;  ///< sums: the values of blocks are added in f64 and rounded once

  // the same, chosen by the element type
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
