#pragma once
// The instructions of a micro-op, recorded by calling its formula once with symbols. The same formula thus serves both
// for the vector loop and for the machine code.

#include <array>
#include <bit>
#include <cstdint>
#include <span>
#include <vector>

#include "core/index.hpp"

namespace thalweg {

enum class Operation : std::uint8_t {
  constant,
  copy,
  add,
  sub,
  mul,
  div,
  sqrt,
  floor,
  ceil,
  round,
  bits_and,
  bits_or,
  bits_xor,
  select,         ///< compare(in[0], in[1]) ? in[2] : in[3]
  select_or_zero  ///< compare(in[0], in[1]) ? in[2] : 0
};

/// Comparisons with x86's numbers. Only `unordered` and the opposites (bit 2 set) are true if a side is NaN.
enum class Comparison : std::uint8_t { equal = 0x00, unordered = 0x03, less = 0x11, less_equal = 0x12 };

constexpr Comparison opposite(Comparison how) { return Comparison(static_cast<std::uint8_t>(how) ^ 0x04U); }

/// How many values an operation reads.
constexpr std::size_t operands_of(Operation operation) {
  using enum Operation;
  switch (operation) {
    case constant: return 0;
    case copy:
    case sqrt:
    case floor:
    case ceil:
    case round: return 1;
    case add:
    case sub:
    case mul:
    case div:
    case bits_and:
    case bits_or:
    case bits_xor: return 2;
    case select_or_zero: return 3;
    case select: return 4;
  }
  return 0;
}

/// The bits of a constant in f32 and in f64.
struct ConstantBits {
  std::uint32_t narrow;
  std::uint64_t wide;
  friend bool operator==(const ConstantBits&, const ConstantBits&) = default;
};

struct VectorInstruction {
  Operation operation;
  std::array<int, 4> in = {};  ///< the numbers of its operands
  Comparison comparison = Comparison::equal;
  ConstantBits constant = {};

  [[nodiscard]] std::span<int> operands() { return std::span(in).first(operands_of(operation)); }
  [[nodiscard]] std::span<const int> operands() const { return std::span(in).first(operands_of(operation)); }
};

/// A formula as instructions. Its values are numbered: first the operands, then the results of the instructions.
struct VectorFormula {
  int operands = 0;
  std::vector<VectorInstruction> instructions;
  int result = 0;
};

/// Takes the place of a vector while a formula is recorded.
struct Symbol {
  VectorFormula* formula;
  int value;
};

/// Takes the place of Highway's tag, the type of the elements and the number of lanes.
struct Symbols {
  VectorFormula* formula;
};

/// Takes the place of a mask. It is computed where it is used.
struct Condition {
  Comparison how;
  Symbol a, b;
};

/// Highway's functions for symbols, as far as formulas of micro-ops use them.
namespace symbolic {

inline Symbol record(VectorFormula* formula, const VectorInstruction& instruction) {
  formula->instructions.push_back(instruction);
  return {formula, formula->operands + count(formula->instructions) - 1};
}
inline Symbol record(Operation operation, Symbol a) { return record(a.formula, {operation, {a.value}}); }
inline Symbol record(Operation operation, Symbol a, Symbol b) {
  return record(a.formula, {operation, {a.value, b.value}});
}
inline Symbol bits(Symbols d, std::uint32_t narrow, std::uint64_t wide) {
  return record(d.formula, {Operation::constant, {}, {}, {narrow, wide}});
}

inline Symbol Set(Symbols d, double x) {
  return bits(d, std::bit_cast<std::uint32_t>(static_cast<float>(x)), std::bit_cast<std::uint64_t>(x));
}
inline Symbol Zero(Symbols d) { return Set(d, 0); }
inline Symbol Neg(Symbol a) { return record(Operation::bits_xor, a, Set({a.formula}, -0.0)); }
inline Symbol Abs(Symbol a) {
  constexpr std::uint32_t all_but_sign = 0x7fffffff;
  constexpr std::uint64_t all_but_sign_of_f64 = 0x7fffffffffffffff;
  return record(Operation::bits_and, a, bits({a.formula}, all_but_sign, all_but_sign_of_f64));
}
/// `magnitude`, which is not negative, with the sign of a.
inline Symbol CopySignToAbs(Symbol magnitude, Symbol a) {
  return record(Operation::bits_or, magnitude, record(Operation::bits_and, a, Set({a.formula}, -0.0)));
}
inline Symbol Sqrt(Symbol a) { return record(Operation::sqrt, a); }
inline Symbol Floor(Symbol a) { return record(Operation::floor, a); }
inline Symbol Ceil(Symbol a) { return record(Operation::ceil, a); }
inline Symbol Round(Symbol a) { return record(Operation::round, a); }
inline Symbol Add(Symbol a, Symbol b) { return record(Operation::add, a, b); }
inline Symbol Sub(Symbol a, Symbol b) { return record(Operation::sub, a, b); }
inline Symbol Mul(Symbol a, Symbol b) { return record(Operation::mul, a, b); }
inline Symbol Div(Symbol a, Symbol b) { return record(Operation::div, a, b); }

inline Condition Eq(Symbol a, Symbol b) { return {Comparison::equal, a, b}; }
inline Condition Lt(Symbol a, Symbol b) { return {Comparison::less, a, b}; }
inline Condition Le(Symbol a, Symbol b) { return {Comparison::less_equal, a, b}; }
inline Condition Gt(Symbol a, Symbol b) { return Lt(b, a); }
inline Condition IsNaN(Symbol a) { return {Comparison::unordered, a, a}; }
inline Condition Not(Condition c) { return {opposite(c.how), c.a, c.b}; }

inline Symbol IfThenElse(Condition c, Symbol yes, Symbol no) {
  return record(yes.formula, {Operation::select, {c.a.value, c.b.value, yes.value, no.value}, c.how});
}
inline Symbol IfThenElseZero(Condition c, Symbol yes) {
  return record(yes.formula, {Operation::select_or_zero, {c.a.value, c.b.value, yes.value}, c.how});
}
inline Symbol IfThenZeroElse(Condition c, Symbol no) { return IfThenElseZero(Not(c), no); }

}  // namespace symbolic
}  // namespace thalweg
