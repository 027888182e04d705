#include "insight/noise.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/error.hpp"
#include "core/random.hpp"
#include "optim/elements.hpp"

namespace thalweg {

namespace {

/// Sums over batches of one size; both estimates follow from them.
struct Batches {
  double size = 0, count = 0;
  double squares = 0;  // the sum of the squared norms of the batches' gradients
  double whole = 0;    // the squared norm of the sum of these gradients

  [[nodiscard]] double noise() const {
    const double mean = squares / count, together = whole / (count * count);
    return (mean - together) / (1 / size - 1 / (size * count));
  }
  [[nodiscard]] double signal() const {
    const double mean = squares / count, together = whole / (count * count);
    return (count * together - mean) / (count - 1);
  }
  [[nodiscard]] double scale() const { return noise() / signal(); }
};

[[noreturn]] void refuse(std::int64_t rows, std::int64_t batches, std::int64_t batch_size) {
  fail<UsageError>("[noise] {} rows make {} batches of {}. Wanted: at least 2", rows, batches, batch_size);
}

template <class T>
void add_to(std::vector<double>& sum, std::span<const T> gradient) {
  for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += static_cast<double>(gradient[i]);
}

}  // namespace

GradientNoise gradient_noise(Products& products, const State& at, const RowSelection& rows, std::int64_t batch_size) {
  const std::int64_t batches = batch_size > 0 ? rows.count() / batch_size : 0;
  if (batches < 2) refuse(rows.count(), batches, batch_size);
  std::vector<double> sum(static_cast<std::size_t>(at.layout->trained_size), 0);
  Batches all{.size = static_cast<double>(batch_size), .count = static_cast<double>(batches)};
  Tensor gradient;
  for (std::int64_t b = 0; b < batches; ++b) {
    const auto part = rows.rows.subspan(static_cast<std::size_t>(b * batch_size), static_cast<std::size_t>(batch_size));
    products.gradient(at, {rows.data, part}, gradient);
    all.squares += dot(gradient, gradient);
    gradient.dtype() == f32 ? add_to(sum, gradient.values<float>()) : add_to(sum, gradient.values<double>());
  }
  for (const double s : sum) all.whole += s * s;
  return {{all.scale(), std::numeric_limits<double>::infinity()}, all.signal(), all.noise(), batch_size, batches};
}

GradientNoise gradient_noise(Products& products, const State& at, const Dataset& rows, std::int64_t batch_size,
                             std::int64_t most_batches, std::uint64_t seed) {
  const std::int64_t batches = std::min(most_batches, batch_size > 0 ? rows.rows() / batch_size : 0);
  if (batches < 2) refuse(rows.rows(), batches, batch_size);
  const std::vector<std::int64_t> order = shuffled(RandomKey{seed}.fold("noise"), rows.rows());
  const auto size = static_cast<std::size_t>(at.layout->trained_size), each = static_cast<std::size_t>(batch_size);
  std::vector<double> sum(size, 0), norms, with_sum;
  std::vector<Tensor> gradients(static_cast<std::size_t>(batches));
  for (std::size_t b = 0; b < gradients.size(); ++b) {
    products.gradient(at, {rows, std::span(order).subspan(b * each, each)}, gradients[b]);
    for (std::size_t i = 0; i < size; ++i) sum[i] += gradients[b].at(static_cast<std::int64_t>(i));
  }
  Batches all{.size = static_cast<double>(batch_size), .count = static_cast<double>(batches)};
  for (const double s : sum) all.whole += s * s;
  for (const Tensor& gradient : gradients) {
    double square = 0, along = 0;
    for (std::size_t i = 0; i < size; ++i) {
      const double g = gradient.at(static_cast<std::int64_t>(i));
      square += g * g;
      along += g * sum[i];
    }
    norms.push_back(square);
    with_sum.push_back(along);
    all.squares += square;
  }
  GradientNoise found{
      {all.scale(), std::numeric_limits<double>::infinity()}, all.signal(), all.noise(), batch_size, batches};
  if (batches < 3) return found;
  double mean = 0, squares = 0;  // the jackknife: each batch left out in turn
  std::vector<double> without;
  for (std::size_t b = 0; b < norms.size(); ++b) {
    Batches rest = all;
    rest.count -= 1;
    rest.squares -= norms[b];
    rest.whole += norms[b] - 2 * with_sum[b];
    without.push_back(rest.scale());
    mean += without.back() / all.count;
  }
  for (const double scale : without) squares += (scale - mean) * (scale - mean);
  found.scale.error = std::sqrt((all.count - 1) / all.count * squares);
  return found;
}

}  // namespace thalweg
