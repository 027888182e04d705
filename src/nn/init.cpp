#include <cmath>

#include "core/random.hpp"
#include "core/rows.hpp"
#include "thalweg/scope.hpp"

namespace thalweg {

namespace {

struct Fans {
  double in = 1, out = 1;
};

Fans fans_of(const Shape& shape) {
  if (shape.rank() == 0) return {};
  if (shape.rank() == 1) return {static_cast<double>(shape[0]), static_cast<double>(shape[0])};
  double field = 1;
  for (int axis = 0; axis < shape.rank() - 2; ++axis) field *= static_cast<double>(shape[axis]);
  return {field * static_cast<double>(shape[-2]), field * static_cast<double>(shape[-1])};
}

/// The standard deviation that an initializer asks for.
double deviation(const Initializer& init, const Shape& shape) {
  const Fans fans = fans_of(shape);
  switch (init.scale) {
    case Initializer::Scale::fixed: return init.value;
    case Initializer::Scale::fan_in: return init.value / std::sqrt(std::max(1.0, fans.in));
    case Initializer::Scale::fan_average: return init.value * std::sqrt(2 / std::max(1.0, fans.in + fans.out));
  }
  return init.value;
}

double draw_truncated(RandomKey key, std::uint64_t counter) {
  for (std::uint64_t attempt = 0;; ++attempt) {
    const double x = random_gauss(key.fold(attempt), counter);
    if (std::abs(x) <= 2) return x;
  }
}

}  // namespace

Tensor Initializer::make(const Shape& shape, DType dtype, std::uint64_t seed, std::string_view path) const {
  if (kind == Kind::constant) return full(shape, value, dtype);
  const RandomKey key = RandomKey{seed, 0}.fold("initial value").fold(path);
  const double spread = deviation(*this, shape);
  Tensor result(shape, dtype);
  for (std::int64_t i = 0; i < result.size(); ++i) {
    const auto counter = static_cast<std::uint64_t>(i);
    switch (kind) {
      case Kind::constant: break;
      case Kind::uniform: {
        // scaled: a uniform with that deviation is sqrt(3) times as wide to each side
        const double half = scale == Scale::fixed ? spread : spread * std::sqrt(3.0);
        result.set(i, (2 * random_unit(key, counter) - 1) * half);
        break;
      }
      case Kind::normal: result.set(i, random_gauss(key, counter) * spread); break;
      case Kind::truncated_normal: result.set(i, draw_truncated(key, counter) * spread); break;
    }
  }
  return result;
}

namespace init {

using K = Initializer::Kind;
using S = Initializer::Scale;

Initializer zeros() { return {}; }
Initializer constant(double value) { return {K::constant, value, S::fixed}; }
Initializer uniform(double half_width) { return {K::uniform, half_width, S::fixed}; }
Initializer normal(double deviation) { return {K::normal, deviation, S::fixed}; }
Initializer truncated_normal(double deviation) { return {K::truncated_normal, deviation, S::fixed}; }
Initializer xavier_uniform(double gain) { return {K::uniform, gain, S::fan_average}; }
Initializer xavier_normal(double gain) { return {K::normal, gain, S::fan_average}; }
Initializer he_uniform() { return {K::uniform, std::sqrt(2.0), S::fan_in}; }
Initializer he_normal() { return {K::normal, std::sqrt(2.0), S::fan_in}; }
Initializer lecun_uniform() { return {K::uniform, 1, S::fan_in}; }
Initializer lecun_normal() { return {K::normal, 1, S::fan_in}; }
Initializer naive_uniform() { return {K::uniform, 1 / std::sqrt(3.0), S::fan_in}; }

namespace {
struct Row {
  std::string_view name;
  Initializer initializer;
};
const std::vector<Row>& rows() {
  static const std::vector<Row> table = {
      {"zeros", zeros()},
      {"xavier_uniform", xavier_uniform()},
      {"xavier_normal", xavier_normal()},
      {"he_uniform", he_uniform()},
      {"he_normal", he_normal()},
      {"lecun_uniform", lecun_uniform()},
      {"lecun_normal", lecun_normal()},
      {"naive_uniform", naive_uniform()},
  };
  return table;
}
}  // namespace

Initializer named(const std::string& name) { return row_named(rows(), "initializer", name).initializer; }

const std::vector<std::string>& names() {
  static const std::vector<std::string> all = [] {
    std::vector<std::string> list;
    for (const Row& row : rows()) list.emplace_back(row.name);
    return list;
  }();
  return all;
}

}  // namespace init
}  // namespace thalweg
