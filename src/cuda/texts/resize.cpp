// Texts that resize images, and of the transpose, which finds the elements that come from each place of the image. Both
// add at most four terms, in the order of the CPU.

#include "cuda/texts/text.hpp"

namespace thalweg::cuda::texts {

namespace {

/// Names for the sizes of the image and of what it is resized to, and taps: where an element of a resized axis comes
/// from, two places and their weights.
Text resizing_text(const KernelSite& site, const Shape& image, const Shape& result) {
  Text text(site);
  text.let("image_height", along(image, 1)).let("image_width", along(image, 2)).let("channels", along(image, 3));
  text.let("result_height", along(result, 1)).let("result_width", along(result, 2));
  text.let("nearest", site.ints[2] == 0 ? 1 : 0).let("corners", site.ints[2] == 2 ? 1 : 0);  // else linear
  return text.head(R"(
  struct Taps {
    tw_index place[2];
    double weight[2];
  };
  const auto taps_of = [](tw_index i, tw_index from, tw_index to) {
    const double ratio = (double)from / (double)to, last = (double)(from - 1);
    if (nearest) {
      const tw_index found = (tw_index)((double)i * ratio), place = found < from - 1 ? found : from - 1;
      return Taps{{place, place}, {1, 0}};
    }
    double at = ((double)i + 0.5) * ratio - 0.5;
    if (corners) {
      at = to > 1 ? (double)i * last / (double)(to - 1) : 0;
    } else {
      at = at < 0 ? 0 : at > last ? last : at;
    }
    const tw_index found = (tw_index)at, place = found < from - 1 ? found : from - 1;
    const double rest = at - (double)place;
    return Taps{{place, place + 1 < from - 1 ? place + 1 : from - 1}, {1 - rest, rest}};
  };
)");
}

std::optional<EmittedKernel> resize(const KernelSite& site) {
  return resizing_text(site, site.inputs[0].shape, site.output.shape)
      .each("", elements(site.output.shape), R"(
      const tw_index c = i % channels, column = i / channels % result_width;
      const tw_index row = i / (channels * result_width) % result_height, b = i / (channels * result_width * result_height);
      const Taps rows = taps_of(row, image_height, result_height);
      const Taps columns = taps_of(column, image_width, result_width);
      T sum = 0;
      for (int corner = 0; corner < 4; ++corner) {
        const double weight = rows.weight[corner / 2] * columns.weight[corner % 2];
        const tw_index from = (b * image_height + rows.place[corner / 2]) * image_width + columns.place[corner % 2];
        if (weight != 0) sum += (T)weight * get0(from * channels + c);
      }
      put0(i, sum);
)")
      .made();
}

/// The elements that may come from a place: those whose taps can reach it, and two more on either side, so that
/// rounding cannot leave one out.
constexpr std::string_view reach = R"(
  struct Span { tw_index begin, end; };
  const auto reaching = [](tw_index place, tw_index from, tw_index to) {
    if (from <= 1) return Span{0, to};
    const double scale = corners ? (double)(to - 1) / (double)(from - 1) : (double)to / (double)from;
    const tw_index low = (tw_index)(((double)place - 1.5) * scale) - 3;
    const tw_index high = (tw_index)(((double)place + 2.5) * scale) + 4;
    return Span{low > 0 ? low : 0, high < to ? high : to};
  };
)";

std::optional<EmittedKernel> resize_transposed(const KernelSite& site) {
  return resizing_text(site, site.output.shape, site.inputs[0].shape)
      .head(reach)
      .each("", elements(site.output.shape), R"(
      const tw_index c = i % channels, column = i / channels % image_width;
      const tw_index row = i / (channels * image_width) % image_height, b = i / (channels * image_width * image_height);
      const Span above = reaching(row, image_height, result_height), left = reaching(column, image_width, result_width);
      T sum = 0;
      for (tw_index k = above.begin; k < above.end; ++k) {
        const Taps rows = taps_of(k, image_height, result_height);
        if (rows.place[0] != row && rows.place[1] != row) continue;
        for (tw_index l = left.begin; l < left.end; ++l) {
          const Taps columns = taps_of(l, image_width, result_width);
          const T x = get0(((b * result_height + k) * result_width + l) * channels + c);
          for (int corner = 0; corner < 4; ++corner) {
            const double weight = rows.weight[corner / 2] * columns.weight[corner % 2];
            const bool comes = rows.place[corner / 2] == row && columns.place[corner % 2] == column;
            if (comes && weight != 0) sum += (T)weight * x;
          }
        }
      }
      put0(i, sum);
)")
      .made();
}

}  // namespace

std::span<const TextRow> resize_texts() {
  static constexpr TextRow rows[] = {{"resize", resize}, {"resize_transposed", resize_transposed}};
  return rows;
}

}  // namespace thalweg::cuda::texts
