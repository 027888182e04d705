// Standardisation of images and other tensors, fitted on the training rows.

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numeric>

#include "core/error.hpp"
#include "core/workers.hpp"
#include "data/preprocessing.hpp"
#include "data/read_ahead.hpp"
#include "data/row_size.hpp"

namespace thalweg::data {

namespace {

struct Moments {
  double count = 0, mean = 0, variance = 0;
};

using Counts = std::array<std::int64_t, 256>;

/// Bytes are counted by value, so that the sums are exact.
Counts counts_of(const Tensor& input, std::span<const std::int64_t> rows, std::int64_t row_size) {
  Counts counts{};
  const auto values = input.values<std::uint8_t>();
  for (const std::int64_t row : rows) {
    for (const std::uint8_t value :
         values.subspan(static_cast<std::size_t>(row * row_size), static_cast<std::size_t>(row_size))) {
      ++counts[value];
    }
  }
  return counts;
}

/// The same for rows that are not in memory; each is read once.
Counts counts_of(const Dataset& data, std::span<const std::int64_t> rows, std::int64_t row_size) {
  Counts counts{};
  ReadAhead ahead(data, in_portions({rows.begin(), rows.end()}, 64), default_threads());
  for (std::size_t done = 0; done < rows.size();) {
    const Dataset part = ahead.next();
    std::vector<std::int64_t> all(static_cast<std::size_t>(part.rows()));
    std::iota(all.begin(), all.end(), 0);
    const Counts more = counts_of(part["input"], all, row_size);
    for (std::size_t value = 0; value < counts.size(); ++value) counts[value] += more[value];
    done += all.size();
  }
  return counts;
}

Moments moments_of(const Counts& counts) {
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
  double low = std::numeric_limits<double>::infinity(), high = -low;
  const double mean = sum_of([&](double x) {
                        low = std::min(low, x);
                        high = std::max(high, x);
                        return x;
                      }) /
                      n;
  if (low == high && std::isfinite(low)) return {n, low, 0};  // if the mean is rounded, a constant would seem to vary
  return {n, mean, sum_of([&](double x) { return (x - mean) * (x - mean); }) / n};
}

}  // namespace

TensorPreprocessing TensorPreprocessing::fit(const Dataset& data, std::span<const std::int64_t> training_rows,
                                             std::vector<std::string> classes) {
  const auto column = std::ranges::find(data.columns(), "input", &std::pair<std::string, Tensor>::first);
  if (column == data.columns().end()) fail<UsageError>("[preprocessing] the data has no column 'input'");
  const Tensor& input = column->second;  // has no rows if they have not been read yet
  const Shape row_shape(input.shape().sizes().subspan(1));
  const std::int64_t rows = data.rows(), row_size = row_shape.size();
  if (training_rows.empty() || row_size == 0)
    fail<DataError>("[preprocessing] nothing to fit to: {} rows of {}", rows, row_shape);
  if (row_size > most_in_row)
    fail<DataError>("[preprocessing] rows of {}. Wanted: at most {} numbers. Hint: make the pictures smaller.",
                    row_shape, most_in_row);
  for (const std::int64_t row : training_rows) {
    if (row < 0 || row >= rows) fail<UsageError>("[preprocessing] row {} of {} rows", row, rows);
  }
  const bool bytes = input.dtype() == u8;
  if (data.streams() && !bytes)
    fail<UsageError>("[preprocessing] rows of {} that are yet to be read; wanted u8", input.dtype());
  const Moments m = data.streams() ? moments_of(counts_of(data, training_rows, row_size))
                    : bytes        ? moments_of(counts_of(input, training_rows, row_size))
                                   : moments(input, training_rows, row_size);
  if (!std::isfinite(m.variance)) fail<DataError>("[preprocessing] the input holds numbers that are not finite");
  return {.input = row_shape,
          .dtype = input.dtype(),
          .affine = {.shift = m.mean, .scale = m.variance > 0 ? 1 / std::sqrt(m.variance) : 0},
          .task = data.has("target") && data["target"].dtype() == i32 ? Task::multiclass : Task::regression,
          .classes = std::move(classes)};
}

}  // namespace thalweg::data
