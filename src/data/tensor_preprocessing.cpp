#include <array>
#include <cmath>

#include "core/error.hpp"
#include "data/preprocessing.hpp"

namespace thalweg::data {

namespace {

struct Moments {
  double count = 0, mean = 0, variance = 0;
};

/// Bytes are counted by value, so that the sums are exact.
Moments moments_of_bytes(const Tensor& input, std::span<const std::int64_t> rows, std::int64_t row_size) {
  std::array<std::int64_t, 256> counts{};
  const auto values = input.values<std::uint8_t>();
  for (const std::int64_t row : rows) {
    for (const std::uint8_t value :
         values.subspan(static_cast<std::size_t>(row * row_size), static_cast<std::size_t>(row_size))) {
      ++counts[value];
    }
  }
  std::int64_t count = 0, sum = 0, squares = 0;
  for (std::int64_t value = 0; value < 256; ++value) {
    const std::int64_t times = counts[static_cast<std::size_t>(value)];
    count += times;
    sum += times * value;
    squares += times * value * value;
  }
  const double n = static_cast<double>(count), mean = static_cast<double>(sum) / n;
  return {n, mean, static_cast<double>(squares) / n - mean * mean};
}

Moments moments(const Tensor& input, std::span<const std::int64_t> rows, std::int64_t row_size) {
  const auto sum_of = [&](auto f) {
    double sum = 0;
    for (const std::int64_t row : rows) {
      for (std::int64_t i = row * row_size; i < (row + 1) * row_size; ++i) sum += f(input.at(i));
    }
    return sum;
  };
  const double n = static_cast<double>(rows.size()) * static_cast<double>(row_size);
  const double mean = sum_of([](double x) { return x; }) / n;
  return {n, mean, sum_of([&](double x) { return (x - mean) * (x - mean); }) / n};
}

}  // namespace

TensorPreprocessing TensorPreprocessing::fit(const Dataset& data, std::span<const std::int64_t> training_rows,
                                             std::vector<std::string> classes) {
  const Tensor& input = data["input"];
  const std::int64_t rows = data.rows();
  const std::int64_t row_size = rows ? input.size() / rows : 0;
  if (training_rows.empty() || row_size == 0)
    fail<DataError>("[preprocessing] nothing to fit to: input {}", input.shape());
  for (const std::int64_t row : training_rows) {
    if (row < 0 || row >= rows) fail<UsageError>("[preprocessing] row {} of {} rows", row, rows);
  }
  const Moments m =
      input.dtype() == u8 ? moments_of_bytes(input, training_rows, row_size) : moments(input, training_rows, row_size);
  if (!std::isfinite(m.variance)) fail<DataError>("[preprocessing] the input holds numbers that are not finite");
  return {.input = Shape(input.shape().sizes().subspan(1)),
          .dtype = input.dtype(),
          .affine = {.shift = m.mean, .scale = m.variance > 0 ? 1 / std::sqrt(m.variance) : 0},
          .task = data.has("target") && data["target"].dtype() == i32 ? Task::multiclass : Task::regression,
          .classes = std::move(classes)};
}

}  // namespace thalweg::data
