#include "nn/init.hpp"

#include <Eigen/QR>
#include <algorithm>
#include <cmath>

#include "core/error.hpp"
#include "core/random.hpp"
#include "options/rows.hpp"
#include "thalweg/nn.hpp"

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

/// The standard deviation of an initializer.
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

constexpr std::int64_t block_elements = std::int64_t{1} << 16;

/// Fills with draw(i), in blocks that are shared among workers: each number depends only on its place.
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

/// The orthogonal factor Q of a matrix of normal numbers (Mezzadri 2007). Each column of Q has the sign that makes the
/// diagonal of R positive; otherwise some orthogonal matrices would be more likely than others.
void fill_orthogonal(Tensor& values, RandomKey key, double gain) {
  const Shape& shape = values.shape();
  if (shape.rank() < 2) fail<UsageError>("[init] orthogonal values of shape {}. Wanted: two axes or more", shape);
  const std::int64_t columns = shape[-1], rows = columns > 0 ? values.size() / columns : 0;
  const bool wide = columns > rows;
  Eigen::MatrixXd drawn(std::max(rows, columns), std::min(rows, columns));
  for (std::int64_t i = 0; i < drawn.size(); ++i) drawn.data()[i] = random_gauss(key, static_cast<std::uint64_t>(i));
  const Eigen::HouseholderQR<Eigen::MatrixXd> factors(drawn);
  Eigen::MatrixXd q = factors.householderQ() * Eigen::MatrixXd::Identity(drawn.rows(), drawn.cols());
  for (std::int64_t c = 0; c < q.cols(); ++c) q.col(c) *= factors.matrixQR()(c, c) < 0 ? -gain : gain;
  for (std::int64_t r = 0; r < rows; ++r) {
    for (std::int64_t c = 0; c < columns; ++c) values.set(r * columns + c, wide ? q(c, r) : q(r, c));
  }
}
}  // namespace

Tensor initial_values(const Initializer& init, const Shape& shape, DType dtype, std::uint64_t seed,
                      std::string_view path, Workers& workers) {
  using Kind = Initializer::Kind;
  if (!std::isfinite(init.value)) fail<UsageError>("[init] '{}' would begin with {}. Wanted: finite", path, init.value);
  if (init.kind == Kind::constant) return full(shape, init.value, dtype);
  if (!is_float(dtype)) fail<UsageError>("[init] initial values of {}. Wanted: f32 or f64", dtype);
  const RandomKey key = RandomKey{seed, 0}.fold("initial value").fold(path);
  const double spread = deviation(init, shape);
  // scaled: a uniform distribution with that deviation reaches sqrt(3) times as far to each side
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
    case Kind::orthogonal: fill_orthogonal(result, key, spread); break;
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
Initializer lecun_uniform(double gain) { return {K::uniform, gain, S::fan_in}; }
Initializer lecun_normal(double gain) { return {K::normal, gain, S::fan_in}; }
Initializer naive_uniform() { return {K::uniform, 1 / std::sqrt(3.0), S::fan_in}; }

Initializer orthogonal(double gain) { return {K::orthogonal, gain, S::fixed}; }

Initializer named(const std::string& name) { return row_named(initializers(), "initializer", name).initializer; }

}  // namespace init

const std::vector<InitializerRow>& initializers() {
  constexpr std::string_view glorot = "Glorot and Bengio 2010", he = "He et al. 2015", lecun = "LeCun et al. 1998";
  static const std::vector<InitializerRow> rows = {
      {"zeros", "0", "", init::zeros()},
      {"constant", "value", "", init::constant(1), "value"},
      {"uniform", "uniform in [-half_width, half_width)", "", init::uniform(), "half_width"},
      {"normal", "normal with variance deviation^2", "", init::normal(), "deviation"},
      {"truncated_normal", "as normal, but values beyond two deviations are drawn again", "", init::truncated_normal(),
       "deviation"},
      {"xavier_uniform", "uniform with variance gain^2 2 / (fan_in + fan_out)", glorot, init::xavier_uniform(), "gain"},
      {"xavier_normal", "normal with variance gain^2 2 / (fan_in + fan_out)", glorot, init::xavier_normal(), "gain"},
      {"he_uniform", "uniform with variance 2 / fan_in", he, init::he_uniform()},
      {"he_normal", "normal with variance 2 / fan_in", he, init::he_normal()},
      {"lecun_uniform", "uniform with variance gain^2 / fan_in", lecun, init::lecun_uniform(), "gain"},
      {"lecun_normal", "normal with variance gain^2 / fan_in", lecun, init::lecun_normal(), "gain"},
      {"naive_uniform", "uniform in [-1, 1) / sqrt(fan_in)", "the rule of thumb before 2010", init::naive_uniform()},
      {"orthogonal", "W^T W = gain^2 I", "Saxe, McClelland and Ganguli 2014", init::orthogonal(), "gain"},
  };
  return rows;
}

OptionValue OptionForm<Initializer>::write(const Initializer& initializer) {
  for (const InitializerRow& row : initializers()) {
    if (row.initializer == initializer) return {std::string(row.name)};
  }
  for (const InitializerRow& row : initializers()) {
    const bool alike = row.initializer.kind == initializer.kind && row.initializer.scale == initializer.scale;
    if (!alike || row.option.empty()) continue;
    return {OptionMap{{"kind", {std::string(row.name)}}, {std::string(row.option), {initializer.value}}}};
  }
  defect("no row of the table makes this initializer");
}

std::optional<Initializer> OptionForm<Initializer>::read(const OptionValue& value) {
  if (const auto* name = value.get_if<std::string>()) return init::named(*name);
  const auto* table = value.get_if<OptionMap>();
  const auto* kind = table && table->contains("kind") ? table->at("kind").get_if<std::string>() : nullptr;
  if (!kind) return std::nullopt;
  const InitializerRow& row = row_named(initializers(), "initializer", *kind);
  double number = row.initializer.value;
  Fields fields;
  if (!row.option.empty()) fields.push_back({row.option, &number, ""});
  OptionMap options = *table;
  options.erase("kind");
  read_fields(fields, options, row.name);
  return Initializer{row.initializer.kind, number, row.initializer.scale};
}

}  // namespace thalweg
