// Texts of ops along the last axis.

#include <fmt/format.h>

#include "cuda/texts/lanes.hpp"
#include "cuda/texts/text.hpp"

namespace thalweg::cuda::texts {

namespace {

/// Names for rows; several threads of a block work on each row.
Text rows_text(const KernelSite& site, const Lanes& lanes) {
  Text text(site);
  text.type(site.inputs[0].dtype);
  text.let("rows", lanes.rows).let("n", lanes.length).let("lanes", lanes.lanes).let("together", lanes.together());
  return text;
}

/// The largest element of a row and the sum of e^(x - largest), in one pass: when a larger element comes, the sum so
/// far is scaled down. At the end, lane 0 of each row has both.
constexpr std::string_view exponentials = R"(
  TW_SHARED T most[256], sum[256];
  TW_EACH(t, 256) {
    const tw_index row = (tw_index)blockIdx.x * together + t / lanes;
    const T least = -(T)tw_infinity();
    T m = least, s = 0;
    for (tw_index j = t % lanes; row < rows && j < n; j += 4 * lanes) {
      T x[4], larger = m;
      for (int k = 0; k < 4; ++k) x[k] = j + k * lanes < n ? get0(row * n + j + k * lanes) : least;
      for (int k = 0; k < 4; ++k) larger = tw_maximum(larger, x[k]);
      if (larger == least) continue;
      s *= tw_exp(m - larger);
      for (int k = 0; k < 4; ++k) s += tw_exp(x[k] - larger);
      m = larger;
    }
    most[t] = m;
    sum[t] = s;
  }
  for (int half = lanes / 2; half > 0; half /= 2) {
    TW_SYNC();
    TW_EACH(t, 256) {
      if (t % lanes < half) {
        const T a = most[t], b = most[t + half], m = tw_maximum(a, b);
        if (m != -(T)tw_infinity()) sum[t] = sum[t] * tw_exp(a - m) + sum[t + half] * tw_exp(b - m);
        most[t] = m;
      }
    }
  }
  TW_SYNC();
)";

std::optional<EmittedKernel> logsumexp(const KernelSite& site) {
  const Lanes lanes(site.inputs[0].shape);
  // of rows without a finite largest, all that there is to tell is that
  return rows_text(site, lanes)
      .kernel("", lanes.blocks(), std::string(exponentials) + R"(
  TW_EACH(t, together) {
    const tw_index row = (tw_index)blockIdx.x * together + t;
    if (row < rows) {
      const T m = most[t * lanes];
      put0(2 * row, m);
      put0(2 * row + 1, m - m == 0 ? tw_log(sum[t * lanes]) : (T)0);
    }
  }
)")
      .made();
}

std::optional<EmittedKernel> softmax(const KernelSite& site) {
  const Lanes lanes(site.inputs[0].shape);
  return rows_text(site, lanes)
      .kernel("", lanes.blocks(), std::string(exponentials) + R"(
  TW_EACH(t, 256) {
    const tw_index row = (tw_index)blockIdx.x * together + t / lanes;
    const T m = most[t / lanes * lanes], none = m - m, scale = none == 0 ? 1 / sum[t / lanes * lanes] : none;
    for (tw_index j = t % lanes; row < rows && j < n; j += 4 * lanes) {
      T x[4];
      TW_UNROLL for (int k = 0; k < 4; ++k) x[k] = j + k * lanes < n ? get0(row * n + j + k * lanes) : (T)0;
      TW_UNROLL for (int k = 0; k < 4; ++k) {
        if (j + k * lanes < n) put0(row * n + j + k * lanes, tw_exp(x[k] - m) * scale);
      }
    }
  }
)")
      .made();
}

std::optional<EmittedKernel> argmax(const KernelSite& site) {
  const Lanes lanes(site.inputs[0].shape);
  return rows_text(site, lanes)
      .head(R"(  // a NaN is the largest; of equals, the first
  const auto beats = [](T a, tw_index i, T b, tw_index k) {
    if (a > b || (a != a && b == b)) return true;
    if (b > a || (b != b && a == a)) return false;
    return i < k;
  };
)")
      .kernel("", lanes.blocks(), R"(
  TW_SHARED T best[256];
  TW_SHARED tw_index place[256];
  TW_EACH(t, 256) {
    const tw_index row = (tw_index)blockIdx.x * together + t / lanes;
    T b = -(T)tw_infinity();
    tw_index p = n;
    for (tw_index j = t % lanes; row < rows && j < n; j += lanes) {
      const T x = get0(row * n + j);
      if (beats(x, j, b, p)) b = x, p = j;
    }
    best[t] = b;
    place[t] = p;
  }
  for (int half = lanes / 2; half > 0; half /= 2) {
    TW_SYNC();
    TW_EACH(t, 256) {
      if (t % lanes < half && beats(best[t + half], place[t + half], best[t], place[t])) {
        best[t] = best[t + half];
        place[t] = place[t + half];
      }
    }
  }
  TW_SYNC();
  TW_EACH(t, together) {
    const tw_index row = (tw_index)blockIdx.x * together + t;
    if (row < rows) put0(row, (int)place[t * lanes]);
  }
)")
      .made();
}

/// One thread for each row, in the order of the CPU.
constexpr std::string_view short_sums = R"(
      double before = 0;
      for (tw_index j = 0; j < n; ++j) {
        const tw_index place = i * n + (from_end ? n - 1 - j : j);
        before += (double)get0(place);
        put0(place, (T)before);
      }
)";

/// One block for each row, 1024 elements at a time: each thread sums four, and the threads together compute the sums
/// before them.
constexpr std::string_view long_sums = R"(
  TW_SHARED double sums[2][256];
  TW_SHARED double before[1];
  const tw_index row = blockIdx.x;
  const auto place = [row](tw_index j) { return row * n + (from_end ? n - 1 - j : j); };
  TW_EACH(t, 1) before[0] = 0;
  for (tw_index first = 0; first < n; first += 1024) {
    TW_EACH(t, 256) {
      double own = 0;
      for (int k = 0; k < 4; ++k) {
        const tw_index j = first + 4 * t + k;
        if (j < n) own += (double)get0(place(j));
      }
      sums[0][t] = own;
    }
    int now = 0;
    for (int step = 1; step < 256; step *= 2) {
      TW_SYNC();
      TW_EACH(t, 256) sums[1 - now][t] = sums[now][t] + (t >= step ? sums[now][t - step] : 0);
      now = 1 - now;
    }
    TW_SYNC();
    TW_EACH(t, 256) {
      double sum = before[0] + (t > 0 ? sums[now][t - 1] : 0);
      for (int k = 0; k < 4; ++k) {
        const tw_index j = first + 4 * t + k;
        if (j < n) sum += (double)get0(place(j)), put0(place(j), (T)sum);
      }
    }
    TW_SYNC();
    TW_EACH(t, 1) before[0] += sums[now][255];
    TW_SYNC();
  }
)";

std::optional<EmittedKernel> cumsum(const KernelSite& site) {
  constexpr std::int64_t short_row = 64;
  const Lanes lanes(site.inputs[0].shape);
  Text text(site);
  text.let("n", lanes.length).let("from_end", site.ints[0] != 0 ? 1 : 0);
  if (lanes.length <= short_row) {
    text.each("", lanes.rows, short_sums);
  } else {
    text.kernel("", lanes.rows, long_sums);
  }
  return text.made();
}

}  // namespace

std::span<const TextRow> row_texts() {
  static constexpr TextRow rows[] = {
      {"logsumexp", logsumexp}, {"softmax", softmax}, {"argmax", argmax}, {"cumsum", cumsum}};
  return rows;
}

}  // namespace thalweg::cuda::texts
