#include "system/scatter.hpp"

#include <algorithm>
#include <cmath>

namespace thalweg {

namespace {

constexpr std::int64_t width = 480, height = 320, lines = 5;

class Plane {
 public:
  Plane(double left, double right, double low, double high)
      : left_(left), right_(right), low_(low), high_(high), pixels_({1, height, width, 3}) {
    std::ranges::fill(pixels_.mutable_values<float>(), 1.F);
    constexpr std::array<double, 3> pale = {0.88, 0.88, 0.88};
    for (std::int64_t k = 0; k < lines; ++k) {
      for (std::int64_t x = 0; x < width; ++x) put(x, k * (height - 1) / (lines - 1), pale, 1);
      for (std::int64_t y = 0; y < height; ++y) put(k * (width - 1) / (lines - 1), y, pale, 1);
    }
  }
  void dot(double x, double y, const std::array<double, 3>& colour) {
    const auto [column, row] = place(x, y);
    constexpr std::int64_t reach = 2;
    for (std::int64_t i = -reach; i <= reach; ++i) {
      for (std::int64_t j = -reach; j <= reach; ++j) {
        if (i * i + j * j <= reach * reach) put(column + i, row + j, colour, 0.55);
      }
    }
  }
  void cross(double x, double y, const std::array<double, 3>& colour) {
    const auto [column, row] = place(x, y);
    constexpr std::int64_t reach = 12, thick = 1;
    for (std::int64_t i = -reach; i <= reach; ++i) {
      for (std::int64_t j = -thick; j <= thick; ++j) {
        put(column + i, row + j, colour, 1);
        put(column + j, row + i, colour, 1);
      }
    }
  }
  [[nodiscard]] const Tensor& pixels() const { return pixels_; }

 private:
  [[nodiscard]] std::pair<std::int64_t, std::int64_t> place(double x, double y) const {
    const double across = (x - left_) / (right_ - left_), up = (y - low_) / (high_ - low_);
    return {std::llround(across * (width - 1)), std::llround((1 - up) * (height - 1))};
  }
  void put(std::int64_t x, std::int64_t y, const std::array<double, 3>& colour, double part) {
    if (x < 0 || x >= width || y < 0 || y >= height) return;
    for (std::int64_t c = 0; c < 3; ++c) {
      const std::int64_t at = (y * width + x) * 3 + c;
      pixels_.set(at, (1 - part) * pixels_.at(at) + part * colour.at(static_cast<std::size_t>(c)));
    }
  }

  double left_, right_, low_, high_;
  Tensor pixels_;
};

}  // namespace

Scatter scatter(std::span<const ScatterSeries> series) {
  std::vector<ScatterSeries> all(series.begin(), series.end());
  double left = 0, right = 0, low = 0, high = 0;
  for (ScatterSeries& own : all) {
    std::erase_if(own.points, [](const auto& p) { return !std::isfinite(p.first) || !std::isfinite(p.second); });
    for (const auto& [x, y] : own.points) {
      left = std::min(left, x);
      right = std::max(right, x);
      low = std::min(low, y);
      high = std::max(high, y);
    }
  }
  Scatter made{.picture = {},
               .left = std::floor(left),
               .right = std::max(std::ceil(right), std::floor(left) + 1),
               .low = std::floor(low),
               .high = std::max(std::ceil(high), std::floor(low) + 1)};
  Plane plane(made.left, made.right, made.low, made.high);
  for (const ScatterSeries& own : all) {
    for (const auto& [x, y] : own.points) plane.dot(x, y, own.colour);
  }
  for (const ScatterSeries& own : all) {
    double x = 0, y = 0;
    for (const auto& [a, b] : own.points) {
      x += a;
      y += b;
    }
    const auto count = static_cast<double>(own.points.size());
    if (count > 0) plane.cross(x / count, y / count, own.colour);
  }
  made.picture = Medium::pictures(plane.pixels(), 1);
  return made;
}

}  // namespace thalweg
