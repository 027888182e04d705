#include "engine/vectors.hpp"

#include <algorithm>
#include <array>

#include "engine/small_program.hpp"
#include "thalweg/ops.hpp"

namespace thalweg {

namespace {

enum VectorBase { out_base = first_user_base, numbers_base, first_input };

constexpr std::size_t most_inputs = 2, most_numbers = 2;
constexpr std::int64_t most_elements = std::int64_t{1} << 22;  // at once: in f32 each takes eight bytes of the arena

using Vars = std::span<const Var>;

/// The climb's units: |x| + floor.
Var unit(const Var& x, const Var& floor) { return abs(x) + floor; }

}  // namespace

/// A formula in f64, of vectors and numbers, in the order of operations of the functions for this host.
struct Vectors::Row {
  Formula formula;
  int inputs;
  bool is_sum;
  Var (*of)(Vars x, Vars n);
};

const Vectors::Row& Vectors::row_of(Formula formula) {
  static constexpr Row rows[] = {
      {Formula::scale, 1, false, [](Vars x, Vars n) { return n[0] * x[0]; }},
      {Formula::set, 1, false, [](Vars x, Vars n) { return 0.0 + n[0] * x[0]; }},
      {Formula::move, 2, false, [](Vars x, Vars n) { return x[0] + n[0] * x[1]; }},
      {Formula::multiply, 2, false, [](Vars x, Vars) { return x[0] * x[1]; }},
      {Formula::climb, 2, false,
       [](Vars x, Vars n) { return x[0] + n[0] * unit(x[0], n[1]) * unit(x[0], n[1]) * x[1]; }},
      {Formula::divide, 1, false, [](Vars x, Vars n) { return x[0] / n[0]; }},
      {Formula::add_quotient, 2, false, [](Vars x, Vars n) { return x[0] + x[1] / n[0]; }},
      {Formula::squares, 1, true, [](Vars x, Vars) { return square(x[0]); }},
      {Formula::adaptive, 2, true, [](Vars x, Vars n) { return square(unit(x[0], n[0]) * x[1]); }},
      {Formula::abs, 1, true, [](Vars x, Vars) { return thalweg::abs(x[0]); }},
  };
  return *std::ranges::find(rows, formula, &Row::formula);
}

// ---------------------------------------------------------------------------------------------------------------------
// The functions

void Vectors::copy(ConstElements from, Elements to) {
  if (far_ == nullptr) return thalweg::copy(from, to);
  far_->copy_there(to.data, from.data, static_cast<std::size_t>(from.size) * size_of(from.dtype));
}

void Vectors::scale(Elements x, double factor) {
  far_ ? run(Formula::scale, {x}, x, {factor}) : thalweg::scale(x, factor);
}

void Vectors::set(Elements out, double factor, ConstElements x) {
  if (far_) return run(Formula::set, {x}, out, {factor});
  fill(out, 0);
  thalweg::add(out, factor, x);
}

void Vectors::move(ConstElements x, double factor, ConstElements d, Elements out) {
  far_ ? run(Formula::move, {x, d}, out, {factor}) : thalweg::move(x, factor, d, out);
}

void Vectors::multiply(Elements x, ConstElements y) {
  far_ ? run(Formula::multiply, {x, y}, x, {}) : thalweg::multiply(x, y);
}

void Vectors::climb(const Asks& asks, Elements x, double factor, ConstElements gradient) {
  if (far_ == nullptr) return thalweg::climb(asks, x, factor, gradient);
  if (!asks.adaptive) return add(x, factor, gradient);
  run(Formula::climb, {x, gradient}, x, {factor, asks.floor});
}

double Vectors::climb_squares(const Asks& asks, ConstElements x, ConstElements gradient) {
  if (far_ == nullptr) return thalweg::climb_squares(asks, x, gradient);
  return asks.adaptive ? sum(Formula::adaptive, {x, gradient}, {asks.floor}) : sum(Formula::squares, {gradient}, {});
}

double Vectors::sum_abs(ConstElements x) { return far_ ? sum(Formula::abs, {x}, {}) : thalweg::sum_abs(x); }

TreeSum::Join Vectors::joining(std::int64_t size, DType dtype) {
  return [this, size, dtype](std::byte* into, const std::byte* from) {
    add({into, size, dtype}, 1, {from, size, dtype});
  };
}

void Vectors::divide(ConstElements x, double divisor, Elements out) { run(Formula::divide, {x}, out, {divisor}); }

void Vectors::add_quotient(ConstElements x, ConstElements d, double divisor, Elements out) {
  run(Formula::add_quotient, {x, d}, out, {divisor});
}

// ---------------------------------------------------------------------------------------------------------------------
// On a device

Program Vectors::plan(Formula formula, DType dtype, std::int64_t size) const {
  const Row& row = row_of(formula);
  SmallProgram program;
  std::array<Var, most_inputs> x;
  std::array<Var, most_numbers> n;
  for (int i = 0; i < row.inputs; ++i) at(x, i) = program.read_wide({first_input + i, 0}, dtype, {size});
  for (std::size_t i = 0; i < most_numbers; ++i)
    n[i] = program.read({numbers_base, static_cast<std::int64_t>(i * sizeof(double))}, f64);
  const Var result = row.of(x, n);
  program.write(row.is_sum ? thalweg::sum(result) : cast(result, dtype), {out_base, 0});
  return program.planned(*far_);
}

void Vectors::run_part(Formula formula, std::span<const ConstElements> inputs, std::byte* out) {
  const auto& [first, size, dtype] = inputs.front();
  const Key key{formula, dtype, size};
  auto known = programs_.find(key);
  if (known == programs_.end()) known = programs_.emplace(key, plan(formula, dtype, size)).first;
  std::vector<std::byte*> bases = {out, numbers_.data()};
  for (const ConstElements& input : inputs) bases.push_back(const_cast<std::byte*>(input.data));
  const Program& program = known->second;
  if (arena_.size() < program.arena_bytes()) arena_ = Block(program.arena_bytes(), far_);
  program.run(bases, arena_.data(), workers_);
}

void Vectors::send(std::initializer_list<double> numbers) {
  if (numbers_.size() == 0) numbers_ = Block(most_numbers * sizeof(double), far_);
  if (numbers.size() == 0) return;
  far_->write(numbers_.data(), reinterpret_cast<const std::byte*>(numbers.begin()), numbers.size() * sizeof(double));
}

void Vectors::run(Formula formula, std::initializer_list<ConstElements> inputs, Elements out,
                  std::initializer_list<double> numbers) {
  send(numbers);
  const auto element = static_cast<std::int64_t>(size_of(out.dtype));
  for (std::int64_t begin = 0; begin < out.size; begin += most_elements) {
    const std::int64_t size = std::min(most_elements, out.size - begin);
    std::vector<ConstElements> parts;
    for (const ConstElements& input : inputs) parts.emplace_back(input.data + begin * element, size, input.dtype);
    run_part(formula, parts, out.data + begin * element);
  }
}

double Vectors::sum(Formula formula, std::initializer_list<ConstElements> inputs,
                    std::initializer_list<double> numbers) {
  if (inputs.begin()->size == 0) return 0;
  send(numbers);
  if (sum_.size() == 0) sum_ = Block(sizeof(double), far_);
  run_part(formula, inputs, sum_.data());
  double result = 0;
  far_->fetch(reinterpret_cast<std::byte*>(&result), sum_.data(), sizeof(result));
  return result;
}

}  // namespace thalweg
