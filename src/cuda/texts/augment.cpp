// Texts that flip, shift and cut out images, and of the transpose: no two elements come from the same place, so the
// transpose looks up its element too.

#include "cuda/texts/text.hpp"

namespace thalweg::cuda::texts {

namespace {

Text augment_text(const KernelSite& site) {
  const Shape& shape = site.output.shape;
  Text text(site);
  text.let("height", along(shape, 1)).let("width", along(shape, 2)).let("channels", along(shape, 3));
  text.let("may_flip", site.ints[0] != 0 ? 1 : 0).let("most_shift", site.ints[1]).let("cut_size", site.ints[2]);
  return text.head(R"(
  const auto below = [](double draw, tw_index n) { return (tw_index)(draw * (double)n); };
)");
}

constexpr std::string_view image = R"(
      const tw_index c = i % channels, column = i / channels % width;
      const tw_index row = i / (channels * width) % height, b = i / (channels * width * height);
      double draws[5];
      for (int k = 0; k < 5; ++k) draws[k] = (double)get1(b * 5 + k);
      const bool flip = may_flip && draws[0] < 0.5;
      const tw_index down = below(draws[1], 2 * most_shift + 1) - most_shift;
      const tw_index right = below(draws[2], 2 * most_shift + 1) - most_shift;
      const tw_index top = below(draws[3], height) - cut_size / 2, left = below(draws[4], width) - cut_size / 2;
      const auto is_cut = [=](tw_index r, tw_index s) {
        return r >= top && r < top + cut_size && s >= left && s < left + cut_size;
      };
      const auto is_outside = [](tw_index r, tw_index s) { return r < 0 || r >= height || s < 0 || s >= width; };
)";

std::optional<EmittedKernel> augment(const KernelSite& site) {
  return augment_text(site)
      .each("", elements(site.output.shape), std::string(image) + R"(
      const tw_index r = row + down, s = column + right;
      const bool zero = is_cut(row, column) || is_outside(r, s);
      const tw_index from = (b * height + r) * width + (flip ? width - 1 - s : s);
      put0(i, zero ? (T)0 : get0(from * channels + c));
)")
      .made();
}

std::optional<EmittedKernel> augment_transposed(const KernelSite& site) {
  return augment_text(site)
      .each("", elements(site.output.shape), std::string(image) + R"(
      const tw_index r = row - down, s = (flip ? width - 1 - column : column) - right;
      const bool zero = is_outside(r, s) || is_cut(r, s);
      put0(i, zero ? (T)0 : get0(((b * height + r) * width + s) * channels + c));
)")
      .made();
}

}  // namespace

std::span<const TextRow> augment_texts() {
  static constexpr TextRow rows[] = {{"augment", augment}, {"augment_transposed", augment_transposed}};
  return rows;
}

}  // namespace thalweg::cuda::texts
