#include "kernels/augment.hpp"

#include <algorithm>
#include <array>
#include <vector>

namespace thalweg {

Augmented::Augmented(std::int64_t height_, std::int64_t width_, std::span<const std::int64_t> ints, const double* draws)
    : height(height_), width(width_), flip(ints[may_flip] != 0 && draws[0] < 0.5), size(ints[cut_size]) {
  const auto below = [](double draw, std::int64_t n) {
    return static_cast<std::int64_t>(draw * static_cast<double>(n));
  };
  down = below(draws[1], 2 * ints[most_shift] + 1) - ints[most_shift];
  right = below(draws[2], 2 * ints[most_shift] + 1) - ints[most_shift];
  cut_top = below(draws[3], height) - size / 2;
  cut_left = below(draws[4], width) - size / 2;
}

std::int64_t Augmented::source(std::int64_t i, std::int64_t j) const {
  const bool cut = i >= cut_top && i < cut_top + size && j >= cut_left && j < cut_left + size;
  const std::int64_t row = i + down, column = j + right;
  if (cut || row < 0 || row >= height || column < 0 || column >= width) return -1;
  return row * width + (flip ? width - 1 - column : column);
}

namespace {

template <class T>
Kernel make(const KernelSite& site, bool transposed) {
  const Shape& shape = site.output.shape;
  const std::int64_t pixels = shape[1] * shape[2], channels = shape[3];
  return {[=, ints = std::vector<std::int64_t>(site.ints.begin(), site.ints.end())](const KernelCall& call) {
            call.workers.run(shape[0], [&](std::int64_t sample) {
              std::array<double, augment_draws> draws;
              std::copy_n(call.in<T>(1) + sample * augment_draws, augment_draws, draws.begin());
              const Augmented from(shape[1], shape[2], ints, draws.data());
              const T* x = call.in<T>(0) + sample * pixels * channels;
              T* y = call.out<T>() + sample * pixels * channels;
              std::fill_n(y, pixels * channels, T{0});
              for (std::int64_t place = 0; place < pixels; ++place) {
                const std::int64_t source = from.source(place / shape[2], place % shape[2]);
                if (source < 0) continue;
                std::copy_n(x + (transposed ? place : source) * channels, channels,
                            y + (transposed ? source : place) * channels);
              }
            });
          },
          0};
}

Kernel make_of(const KernelSite& site, bool transposed) {
  return site.output.dtype == f32 ? make<float>(site, transposed) : make<double>(site, transposed);
}

}  // namespace

Kernel make_augment(const KernelSite& site) { return make_of(site, false); }
Kernel make_augment_transposed(const KernelSite& site) { return make_of(site, true); }

}  // namespace thalweg
