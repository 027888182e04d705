#pragma once
// Arithmetic on vectors where they are: in the memory of a device, or in that of this host.

#include <initializer_list>
#include <map>
#include <span>
#include <tuple>

#include "engine/shards.hpp"
#include "optim/asks.hpp"
#include "plan/program.hpp"

namespace thalweg {

/// What optim/elements.hpp and optim/asks.hpp compute here, wherever the addresses of the elements are. Element by
/// element a device gives the same bits; its sums may differ in the last digits of f64, and wait for it.
class Vectors {
 public:
  /// Of vectors in a device's memory, or in this host's where that is null.
  Vectors(Device* far, Workers& workers) : far_(far), workers_(workers) {}

  void copy(ConstElements from, Elements to);
  void scale(Elements x, double factor);
  /// out = 0 + factor x
  void set(Elements out, double factor, ConstElements x);
  /// out = x + factor d
  void move(ConstElements x, double factor, ConstElements d, Elements out);
  /// y += factor x
  void add(Elements y, double factor, ConstElements x) { move(y, factor, x, y); }
  /// x *= y, element by element
  void multiply(Elements x, ConstElements y);
  void climb(const Asks& asks, Elements x, double factor, ConstElements gradient);
  [[nodiscard]] double climb_squares(const Asks& asks, ConstElements x, ConstElements gradient);
  [[nodiscard]] double sum_abs(ConstElements x);
  /// For a TreeSum of `size` numbers. These vectors must outlive it.
  [[nodiscard]] TreeSum::Join joining(std::int64_t size, DType dtype);

  /// Of a device's alone: out = x / divisor, and out = x + d / divisor.
  void divide(ConstElements x, double divisor, Elements out);
  void add_quotient(ConstElements x, ConstElements d, double divisor, Elements out);

 private:
  enum class Formula : std::uint8_t { scale, set, move, multiply, climb, divide, add_quotient, squares, adaptive, abs };
  struct Row;
  static const Row& row_of(Formula formula);

  using Key = std::tuple<Formula, DType, std::int64_t>;
  [[nodiscard]] Program plan(Formula formula, DType dtype, std::int64_t size) const;
  /// `out` may be one of the inputs.
  void run(Formula formula, std::initializer_list<ConstElements> inputs, Elements out,
           std::initializer_list<double> numbers);
  [[nodiscard]] double sum(Formula formula, std::initializer_list<ConstElements> inputs,
                           std::initializer_list<double> numbers);
  void run_part(Formula formula, std::span<const ConstElements> inputs, std::byte* out);
  void send(std::initializer_list<double> numbers);

  Device* far_;
  Workers& workers_;
  std::map<Key, Program> programs_;  // for vectors of one size
  Block numbers_, sum_, arena_;      // one arena for all programs: they run one after another
};

}  // namespace thalweg
