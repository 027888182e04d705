#pragma once
// The two-moons data: two interleaved half circles, classes 0 and 1. A small net learns them in a fraction of a second,
// a linear model cannot.

#include <algorithm>
#include <cmath>

#include "thalweg/thalweg.hpp"

namespace thalweg {

inline Dataset two_moons(std::int64_t rows) {
  const Tensor noise = random_normal({rows, 2}, 5);
  std::vector<float> x;
  std::vector<std::int32_t> y;
  for (std::int64_t i = 0; i < rows; ++i) {
    const double angle = 3.14159265 * static_cast<double>(i / 2) / (static_cast<double>(rows) / 2);
    const bool lower = i % 2;
    x.push_back(static_cast<float>((lower ? 1 - std::cos(angle) : std::cos(angle)) + 0.1 * noise.at(2 * i)));
    x.push_back(static_cast<float>((lower ? 0.5 - std::sin(angle) : std::sin(angle)) + 0.1 * noise.at(2 * i + 1)));
    y.push_back(lower);
  }
  return Dataset::from(std::span<const float>(x), {rows, 2}, std::span<const std::int32_t>(y));
}

/// The same rows as a streamed data set, which reads each row when it is needed.
inline Dataset streamed(const Dataset& data) {
  const Tensor input = data["input"];
  const std::size_t row_bytes = input.bytes() / static_cast<std::size_t>(data.rows());
  Dataset result;
  result.set("input",
             {Shape(input.shape().sizes().subspan(1)), input.dtype(),
              [=](std::int64_t row, std::span<std::byte> into) {
                std::copy_n(input.raw() + static_cast<std::size_t>(row) * row_bytes, row_bytes, into.data());
              }},
             data.rows());
  result.set("target", data["target"]);
  return result;
}

}  // namespace thalweg
