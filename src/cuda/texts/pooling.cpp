// Texts of pooling: maxima and sums over windows of an image, and their transposes, which find the windows of each
// place of the image. Sums add in the order of the CPU.

#include "cuda/texts/text.hpp"

namespace thalweg::cuda::texts {

namespace {

// The integers of the op, in its order.
enum Int : std::size_t { window_height, window_width, step_height, step_width, outside_height, outside_width };

/// Names for the sizes of image and result, and common parts of the transposes and the maxima.
Text windows_text(const KernelSite& site, const Shape& image, const Shape& result) {
  Text text(site);
  const auto& a = site.ints;
  text.let("image_height", along(image, 1)).let("image_width", along(image, 2)).let("channels", along(image, 3));
  text.let("result_height", along(result, 1)).let("result_width", along(result, 2));
  text.let("window_height", a[window_height]).let("window_width", a[window_width]);
  text.let("step_height", a[step_height]).let("step_width", a[step_width]);
  text.let("outside_height", a[outside_height]).let("outside_width", a[outside_width]);
  return text.head(R"(
  struct Span { tw_index begin, end; };
  const auto inside = [](tw_index i, tw_index step, tw_index outside, tw_index window, tw_index size) {
    const tw_index begin = i * step - outside, end = begin + window;
    return Span{begin > 0 ? begin : 0, end < size ? end : size};
  };
  // the part of window (i, j) that is in the image
  [[maybe_unused]] const auto rows_of = [inside](tw_index i) {
    return inside(i, step_height, outside_height, window_height, image_height);
  };
  [[maybe_unused]] const auto columns_of = [inside](tw_index j) {
    return inside(j, step_width, outside_width, window_width, image_width);
  };
  const auto seeing = [](tw_index place, tw_index step, tw_index outside, tw_index window, tw_index count) {
    const tw_index last = place + outside, first = last - window + 1;
    const tw_index begin = first > 0 ? (first + step - 1) / step : 0, end = last / step + 1;
    return Span{begin, end < count ? end : count};
  };
  // the windows that see a place of the image
  [[maybe_unused]] const auto windows_above = [seeing](tw_index row) {
    return seeing(row, step_height, outside_height, window_height, result_height);
  };
  [[maybe_unused]] const auto windows_left = [seeing](tw_index column) {
    return seeing(column, step_width, outside_width, window_width, result_width);
  };
)");
}

/// The place of the largest element in a window: the first of equal ones; with NaNs, the last NaN.
constexpr std::string_view largest = R"(
  const auto largest_in = [=](tw_index b, tw_index c, Span rows, Span columns) {
    const auto place = [=](tw_index row, tw_index column) {
      return ((b * image_height + row) * image_width + column) * channels + c;
    };
    tw_index best = place(rows.begin, columns.begin);
    T most = get0(best);
    for (tw_index row = rows.begin; row < rows.end; ++row) {
      for (tw_index column = columns.begin; column < columns.end; ++column) {
        const T x = get0(place(row, column));
        if (x > most || x != x) most = x, best = place(row, column);
      }
    }
    return best;
  };
)";

constexpr std::string_view place_in_result = R"(
      const tw_index c = i % channels, column = i / channels % result_width;
      const tw_index row = i / (channels * result_width) % result_height, b = i / (channels * result_width * result_height);
)";
constexpr std::string_view place_in_image = R"(
      const tw_index c = i % channels, column = i / channels % image_width;
      const tw_index row = i / (channels * image_width) % image_height, b = i / (channels * image_width * image_height);
      const Span above = windows_above(row), left = windows_left(column);
)";

std::optional<EmittedKernel> max_pool(const KernelSite& site) {
  return windows_text(site, site.inputs[0].shape, site.output.shape)
      .head(largest)
      .each("", elements(site.output.shape),
            std::string(place_in_result) + "      put0(i, get1(largest_in(b, c, rows_of(row), columns_of(column))));\n")
      .made();
}

std::optional<EmittedKernel> max_unpool(const KernelSite& site) {
  return windows_text(site, site.output.shape, site.inputs[1].shape)
      .head(largest)
      .each("", elements(site.output.shape), std::string(place_in_image) + R"(
      T sum = 0;
      for (tw_index k = above.begin; k < above.end; ++k) {
        for (tw_index l = left.begin; l < left.end; ++l) {
          if (largest_in(b, c, rows_of(k), columns_of(l)) == i)
            sum += get1(((b * result_height + k) * result_width + l) * channels + c);
        }
      }
      put0(i, sum);
)")
      .made();
}

std::optional<EmittedKernel> sum_pool(const KernelSite& site) {
  return windows_text(site, site.inputs[0].shape, site.output.shape)
      .each("", elements(site.output.shape), std::string(place_in_result) + R"(
      const Span rows = rows_of(row), columns = columns_of(column);
      T sum = 0;
      for (tw_index k = rows.begin; k < rows.end; ++k) {
        for (tw_index l = columns.begin; l < columns.end; ++l)
          sum += get0(((b * image_height + k) * image_width + l) * channels + c);
      }
      put0(i, sum);
)")
      .made();
}

std::optional<EmittedKernel> sum_unpool(const KernelSite& site) {
  return windows_text(site, site.output.shape, site.inputs[0].shape)
      .each("", elements(site.output.shape), std::string(place_in_image) + R"(
      T sum = 0;
      for (tw_index k = above.begin; k < above.end; ++k) {
        for (tw_index l = left.begin; l < left.end; ++l)
          sum += get0(((b * result_height + k) * result_width + l) * channels + c);
      }
      put0(i, sum);
)")
      .made();
}

}  // namespace

std::span<const TextRow> pooling_texts() {
  static constexpr TextRow rows[] = {
      {"max_pool", max_pool}, {"max_unpool", max_unpool}, {"sum_pool", sum_pool}, {"sum_unpool", sum_unpool}};
  return rows;
}

}  // namespace thalweg::cuda::texts
