#include "nn/init.hpp"

#include <algorithm>
#include <cmath>

#include "core/error.hpp"
#include "core/random.hpp"
#include "options/rows.hpp"

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

namespace {
constexpr std::int64_t block_elements = std::int64_t{1} << 16;

/// Fills with draw(i), in blocks that workers share: each number is a function of its place alone.
template <class Draw>
void fill(Tensor& values, Workers& workers, const Draw& draw) {
  const auto fill_as = [&]<class T>(T* into) {
    workers.run((values.size() + block_elements - 1) / block_elements, [&](std::int64_t block) {
      const std::int64_t begin = block * block_elements, end = std::min(values.size(), begin + block_elements);
      for (std::int64_t i = begin; i < end; ++i) into[i] = static_cast<T>(draw(static_cast<std::uint64_t>(i)));
    });
  };
  if (values.dtype() == f32) {
    fill_as(reinterpret_cast<float*>(values.mutable_raw()));
  } else {
    fill_as(reinterpret_cast<double*>(values.mutable_raw()));
  }
}
}  // namespace

Tensor initial_values(const Initializer& init, const Shape& shape, DType dtype, std::uint64_t seed,
                      std::string_view path, Workers& workers) {
  using Kind = Initializer::Kind;
  if (init.kind == Kind::constant) return full(shape, init.value, dtype);
  if (!is_float(dtype)) fail<UsageError>("[init] initial values of {}; wanted f32 or f64", dtype);
  const RandomKey key = RandomKey{seed, 0}.fold("initial value").fold(path);
  const double spread = deviation(init, shape);
  // scaled: a uniform with that deviation is sqrt(3) times as wide to each side
  const double half = init.scale == Initializer::Scale::fixed ? spread : spread * std::sqrt(3.0);
  Tensor result(shape, dtype);
  switch (init.kind) {
    case Kind::constant: break;
    case Kind::uniform:
      fill(result, workers, [&](std::uint64_t i) { return (2 * random_unit(key, i) - 1) * half; });
      break;
    case Kind::normal: fill(result, workers, [&](std::uint64_t i) { return random_gauss(key, i) * spread; }); break;
    case Kind::truncated_normal:
      fill(result, workers, [&](std::uint64_t i) { return draw_truncated(key, i) * spread; });
      break;
  }
  return result;
}

Tensor Initializer::make(const Shape& shape, DType dtype, std::uint64_t seed, std::string_view path) const {
  Workers alone(1);
  return initial_values(*this, shape, dtype, seed, path, alone);
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
