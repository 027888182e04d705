// The text of scatter_add. The row numbers of the updates are sorted, equal ones in their order; then each row of the
// table adds its updates in their order, as the CPU does (beyond 8192 updates in other blocks where there are several
// rows). No two threads add to the same element, so the order is
// fixed.

#include <fmt/format.h>

#include "cuda/texts/lanes.hpp"
#include "cuda/texts/text.hpp"

namespace thalweg::cuda::texts {

namespace {

// If there are few numbers, each finds its place by comparison with all others; more are sorted digit by digit.
constexpr std::int64_t few = 1024;
constexpr std::int64_t digit_bits = 8, digits = 1 << digit_bits, tile = 512;

/// Invalid row numbers are reported in the error word, and sorted after all others.
constexpr std::string_view keys = R"(
      const int row = get1(i);
      const bool wrong = row < 0 || row >= rows;
      if (wrong) *error = wrong_index;
      key0[i] = wrong ? (int)rows : row;
      from0[i] = (int)i;
)";

/// The number of entries before each: smaller ones, and earlier equal ones.
constexpr std::string_view ranks = R"(
  TW_SHARED int others[256];
  TW_SHARED int rank[256];
  TW_EACH(t, 256) rank[t] = 0;
  for (tw_index first = 0; first < count; first += 256) {
    TW_SYNC();
    TW_EACH(t, 256) others[t] = first + t < count ? key0[first + t] : 0;
    TW_SYNC();
    TW_EACH(t, 256) {
      const tw_index i = (tw_index)blockIdx.x * 256 + t;
      const int mine = i < count ? key0[i] : 0;
      const int seen = (int)(count - first < 256 ? count - first : 256);
      int before = 0;
      for (int k = 0; k < seen; ++k) before += others[k] < mine || (others[k] == mine && first + k < i) ? 1 : 0;
      rank[t] += before;
    }
  }
  TW_EACH(t, 256) {
    const tw_index i = (tw_index)blockIdx.x * 256 + t;
    if (i < count) {
      key1[rank[t]] = key0[i];
      from1[rank[t]] = from0[i];
    }
  }
)";

// One digit of all numbers: {0} has the array that is read, {1} that which is written, {2} the digit's lowest bit.

/// Counts each digit in each tile. A thread counts one digit, and reads the whole tile for it.
constexpr std::string_view count_digits = R"(
  TW_SHARED int digit[tile];
  const tw_index first = (tw_index)blockIdx.x * tile;
  TW_EACH(t, tile) digit[t] = first + t < count ? (key{0}[first + t] >> {2}) & 255 : -1;
  TW_SYNC();
  TW_EACH(t, 256) {{
    int found = 0;
    for (int k = 0; k < tile; ++k) found += digit[k] == t ? 1 : 0;
    counts[t * tiles + blockIdx.x] = found;
  }}
)";

/// One block for each digit: the count before each tile, and the total count of the digit.
constexpr std::string_view sum_tiles = R"(
  TW_SHARED int sums[2][256];
  TW_SHARED int before[1];
  TW_EACH(t, 1) before[0] = 0;
  int* own = counts + blockIdx.x * tiles;
  for (tw_index first = 0; first < tiles; first += 256) {
    TW_EACH(t, 256) sums[0][t] = first + t < tiles ? own[first + t] : 0;
    int now = 0;
    for (int step = 1; step < 256; step *= 2) {
      TW_SYNC();
      TW_EACH(t, 256) sums[1 - now][t] = sums[now][t] + (t >= step ? sums[now][t - step] : 0);
      now = 1 - now;
    }
    TW_SYNC();
    TW_EACH(t, 256) {
      if (first + t < tiles) own[first + t] = before[0] + (t > 0 ? sums[now][t - 1] : 0);
    }
    TW_SYNC();
    TW_EACH(t, 1) before[0] += sums[now][255];
    TW_SYNC();
  }
  TW_EACH(t, 1) totals[blockIdx.x] = before[0];
)";

/// Each thread moves the numbers with its digit, in their order, to their places.
constexpr std::string_view move_digits = R"(
  TW_SHARED int sums[2][256];
  TW_SHARED int digit[tile];
  const tw_index first = (tw_index)blockIdx.x * tile;
  TW_EACH(t, tile) digit[t] = first + t < count ? (key{0}[first + t] >> {2}) & 255 : -1;
  TW_EACH(t, 256) sums[0][t] = totals[t];
  int now = 0;
  for (int step = 1; step < 256; step *= 2) {{
    TW_SYNC();
    TW_EACH(t, 256) sums[1 - now][t] = sums[now][t] + (t >= step ? sums[now][t - step] : 0);
    now = 1 - now;
  }}
  TW_SYNC();
  TW_EACH(t, 256) {{
    tw_index to = (t > 0 ? sums[now][t - 1] : 0) + counts[t * tiles + blockIdx.x];
    for (int k = 0; k < tile; ++k) {{
      if (digit[k] != t) continue;
      key{1}[to] = key{0}[first + k];
      from{1}[to] = from{0}[first + k];
      ++to;
    }}
  }}
)";

/// Finds by bisection where the updates of row i begin; for `rows` it is the end of the last row's updates.
constexpr std::string_view starts = R"(
      tw_index low = 0, high = count;
      while (low < high) {{
        const tw_index middle = (low + high) / 2;
        if (key{0}[middle] < i) {{
          low = middle + 1;
        }} else {{
          high = middle;
        }}
      }}
      start[i] = (int)low;
)";

/// Reads several updates of a row before it adds them one after another; otherwise each would wait for its memory. Sums
/// of 8192 updates are added to the row's sum, which would lose the digits of single updates where it has grown large.
constexpr std::string_view sums = R"(
  TW_EACH(t, 256) {{
    const tw_index row = (tw_index)blockIdx.x * together + t / lanes;
    const int begin = row < rows ? start[row] : 0, end = row < rows ? start[row + 1] : 0;
    for (tw_index column = t % lanes; row < rows && column < width; column += lanes) {{
      T total = 0, sum = 0, next[16];
      int k = begin;
      for (; k + 16 <= end; k += 16) {{
        TW_UNROLL for (int e = 0; e < 16; ++e) next[e] = get0(from{0}[k + e] * width + column);
        TW_UNROLL for (int e = 0; e < 16; ++e) sum += next[e];
        if ((k + 16 - begin) % 8192 == 0) {{
          total += sum;
          sum = 0;
        }}
      }}
      for (; k < end; ++k) sum += get0(from{0}[k] * width + column);
      put0(row * width + column, total + sum);
    }}
  }}
)";

/// Sorts the numbers; returns which of the two arrays has the result.
int sort(Text& text, std::int64_t rows, std::int64_t count) {
  text.each("", count, keys);
  if (count <= few) {
    text.kernel("_ranks", parts_of(count, block_threads), ranks);
    return 1;
  }
  const std::int64_t tiles = parts_of(count, tile);
  text.let("tile", tile).let("tiles", tiles);
  text.array("counts", "int", digits * tiles).array("totals", "int", digits);
  int now = 0;
  for (std::int64_t bit = 0; rows >> bit > 0; bit += digit_bits, now = 1 - now) {
    text.kernel(fmt::format("_count{}", bit), tiles, fmt::format(count_digits, now, 1 - now, bit));
    text.kernel(fmt::format("_tiles{}", bit), digits, sum_tiles);
    text.kernel(fmt::format("_move{}", bit), tiles, fmt::format(move_digits, now, 1 - now, bit));
  }
  return now;
}

std::optional<EmittedKernel> scatter_add(const KernelSite& site) {
  constexpr std::int64_t most = (std::int64_t{1} << 31) - 2;  // places and rows are kept in 32 bits
  const std::int64_t rows = along(site.output.shape, 0), count = elements(site.inputs[1].shape);
  const std::int64_t width = rows > 0 ? elements(site.output.shape) / rows : 0;
  if (rows > most || count > most) return {};
  Text text(site);
  text.let("rows", rows).let("count", count).let("width", width);
  text.let("wrong_index", static_cast<std::int64_t>(Wrong::index));
  for (const std::string_view name : {"key0", "key1", "from0", "from1"}) text.array(name, "int", count);
  text.array("start", "int", rows + 1);
  const int sorted = count > 0 ? sort(text, rows, count) : 0;
  text.each("_starts", rows + 1, fmt::format(starts, sorted));
  const Lanes lanes(rows, width);
  text.let("lanes", lanes.lanes).let("together", lanes.together());
  text.kernel("_sums", width > 0 ? lanes.blocks() : 0, fmt::format(sums, sorted));
  return text.made();
}

}  // namespace

std::span<const TextRow> scatter_texts() {
  static constexpr TextRow rows[] = {{"scatter_add", scatter_add}};
  return rows;
}

}  // namespace thalweg::cuda::texts
