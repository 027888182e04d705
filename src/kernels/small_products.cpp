#include "kernels/small_products.hpp"

#include <algorithm>

#define HWY_DISABLED_TARGETS (HWY_SSSE3 | HWY_AVX3_DL)
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/small_products.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "tiles/tail-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace thalweg {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using D = hn::CappedTag<float, 16>;
using V = hn::Vec<D>;

/// Computes `rows` rows and `vectors` vectors of C at once, kept in registers over the whole of k.
template <int rows, int vectors>
HWY_INLINE void Block(const SmallProduct& p, std::int64_t i, std::int64_t j, std::int64_t width) {
  const D d;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  V sum[rows][vectors];
  HWY_UNROLL(8)
  for (int r = 0; r < rows; ++r) {
    HWY_UNROLL(8)
    for (int v = 0; v < vectors; ++v) sum[r][v] = hn::Zero(d);
  }
  const float* a = p.a + i * p.row_stride;
  const float* b = p.b + j;
  const auto rest = static_cast<std::size_t>(width - (vectors - 1) * lanes);
  const bool whole = width == vectors * lanes;
  if (p.add) {
    HWY_UNROLL(8)
    for (int r = 0; r < rows; ++r) {
      const float* c = p.c + (i + r) * p.n + j;
      HWY_UNROLL(8)
      for (int v = 0; v + 1 < vectors; ++v) sum[r][v] = hn::LoadU(d, c + v * lanes);
      const float* last = c + (vectors - 1) * lanes;
      sum[r][vectors - 1] = whole ? hn::LoadU(d, last) : LoadTail(d, last, rest);
    }
  }
  for (std::int64_t q = 0; q < p.k; ++q, a += p.column_stride, b += p.ldb) {
    V row[vectors];
    HWY_UNROLL(8)
    for (int v = 0; v + 1 < vectors; ++v) row[v] = hn::LoadU(d, b + v * lanes);
    row[vectors - 1] = whole ? hn::LoadU(d, b + (vectors - 1) * lanes) : LoadTail(d, b + (vectors - 1) * lanes, rest);
    HWY_UNROLL(8)
    for (int r = 0; r < rows; ++r) {
      const V x = hn::Set(d, a[r * p.row_stride]);
      HWY_UNROLL(8)
      for (int v = 0; v < vectors; ++v) sum[r][v] = hn::MulAdd(x, row[v], sum[r][v]);
    }
  }
  HWY_UNROLL(8)
  for (int r = 0; r < rows; ++r) {
    float* c = p.c + (i + r) * p.n + j;
    HWY_UNROLL(8)
    for (int v = 0; v + 1 < vectors; ++v) hn::StoreU(sum[r][v], d, c + v * lanes);
    if (whole) {
      hn::StoreU(sum[r][vectors - 1], d, c + (vectors - 1) * lanes);
    } else {
      hn::BlendedStore(sum[r][vectors - 1], hn::FirstN(d, rest), d, c + (vectors - 1) * lanes);
    }
  }
}

template <int vectors>
HWY_INLINE void Band(const SmallProduct& p, std::int64_t j, std::int64_t width) {
  std::int64_t i = 0;
  for (; i + 6 <= p.m; i += 6) Block<6, vectors>(p, i, j, width);
  for (; i + 2 <= p.m; i += 2) Block<2, vectors>(p, i, j, width);
  for (; i < p.m; ++i) Block<1, vectors>(p, i, j, width);
}

/// For one row: as many columns at once as possible, because each sum has to wait for its previous addition.
HWY_INLINE std::int64_t OneRow(const SmallProduct& p, std::int64_t lanes) {
  std::int64_t j = 0;
  for (; p.n - j > 3 * lanes; j += std::min(p.n - j, 4 * lanes)) Block<1, 4>(p, 0, j, std::min(p.n - j, 4 * lanes));
  if (p.n - j > 2 * lanes) {
    Block<1, 3>(p, 0, j, p.n - j);
    j = p.n;
  }
  return j;
}

HWY_NOINLINE void SmallProductImpl(const SmallProduct& p) {
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(D()));
  std::int64_t j = p.m == 1 ? OneRow(p, lanes) : 0;
  for (; j + 2 * lanes <= p.n; j += 2 * lanes) Band<2>(p, j, 2 * lanes);
  for (; j < p.n; j += lanes) Band<1>(p, j, p.n - j < lanes ? p.n - j : lanes);
}

#if HWY_TARGET != HWY_SCALAR
template <class Tag, class Vector>
HWY_INLINE hn::Vec<hn::CappedTag<float, 4>> FoldToFour([[maybe_unused]] Tag d, Vector v) {
  if constexpr (hn::MaxLanes(Tag()) > 4) {
    const hn::Half<Tag> half;
    return FoldToFour(half, hn::Add(hn::LowerHalf(half, v), hn::UpperHalf(half, v)));
  } else {
    return v;
  }
}
#endif

/// The sums of the lanes of four vectors: halves are added to halves, for all four at once as soon as they are short.
HWY_INLINE void StoreSums(V s0, V s1, V s2, V s3, float* y) {
#if HWY_TARGET == HWY_SCALAR
  y[0] = hn::GetLane(s0);
  y[1] = hn::GetLane(s1);
  y[2] = hn::GetLane(s2);
  y[3] = hn::GetLane(s3);
#else
  const hn::CappedTag<float, 4> d;
  const auto a = FoldToFour(D(), s0), b = FoldToFour(D(), s1), c = FoldToFour(D(), s2), e = FoldToFour(D(), s3);
  const auto ab = hn::Add(hn::ConcatLowerLower(d, b, a), hn::ConcatUpperUpper(d, b, a));
  const auto ce = hn::Add(hn::ConcatLowerLower(d, e, c), hn::ConcatUpperUpper(d, e, c));
  hn::StoreU(hn::Add(hn::ConcatEven(d, ce, ab), hn::ConcatOdd(d, ce, ab)), d, y);
#endif
}

HWY_NOINLINE void RowDotsImpl(const float* a, std::int64_t lda, const float* x, float* y, std::int64_t m,
                              std::int64_t k) {
  const D d;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  const std::int64_t whole = k - k % lanes;
  const auto rest = static_cast<std::size_t>(k - whole);
  std::int64_t i = 0;
  for (; i + 4 <= m; i += 4) {
    const float* r = a + i * lda;
    V s0 = hn::Zero(d), s1 = s0, s2 = s0, s3 = s0;
    for (std::int64_t q = 0; q < whole; q += lanes) {
      const V vx = hn::LoadU(d, x + q);
      s0 = hn::MulAdd(hn::LoadU(d, r + q), vx, s0);
      s1 = hn::MulAdd(hn::LoadU(d, r + lda + q), vx, s1);
      s2 = hn::MulAdd(hn::LoadU(d, r + 2 * lda + q), vx, s2);
      s3 = hn::MulAdd(hn::LoadU(d, r + 3 * lda + q), vx, s3);
    }
    if (whole < k) {
      const V vx = LoadTail(d, x + whole, rest);
      s0 = hn::MulAdd(LoadTail(d, r + whole, rest), vx, s0);
      s1 = hn::MulAdd(LoadTail(d, r + lda + whole, rest), vx, s1);
      s2 = hn::MulAdd(LoadTail(d, r + 2 * lda + whole, rest), vx, s2);
      s3 = hn::MulAdd(LoadTail(d, r + 3 * lda + whole, rest), vx, s3);
    }
    StoreSums(s0, s1, s2, s3, y + i);
  }
  for (; i < m; ++i) {
    V s = hn::Zero(d);
    for (std::int64_t q = 0; q < whole; q += lanes)
      s = hn::MulAdd(hn::LoadU(d, a + i * lda + q), hn::LoadU(d, x + q), s);
    if (whole < k) {
      s = hn::MulAdd(LoadTail(d, a + i * lda + whole, rest), LoadTail(d, x + whole, rest), s);
    }
    y[i] = hn::GetLane(hn::SumOfLanes(d, s));
  }
}

/// Multiplies `rows` rows of A with `columns` rows of B at once.
template <int rows, int columns>
HWY_INLINE void RowBlock(const float* a, const float* b, std::int64_t stride, float* c, std::int64_t n,
                         std::int64_t k) {
  const D d;
  constexpr int count = rows * columns;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  V sum[count];
  HWY_UNROLL(16)
  for (int s = 0; s < count; ++s) sum[s] = hn::Zero(d);
  const auto add = [&](const auto& load) HWY_ATTR {
    V of_b[columns];
    HWY_UNROLL(8)
    for (int j = 0; j < columns; ++j) of_b[j] = load(b + j * stride);
    HWY_UNROLL(8)
    for (int i = 0; i < rows; ++i) {
      const V of_a = load(a + i * stride);
      HWY_UNROLL(8)
      for (int j = 0; j < columns; ++j) sum[i * columns + j] = hn::MulAdd(of_a, of_b[j], sum[i * columns + j]);
    }
  };
  std::int64_t q = 0;
  for (; q + lanes <= k; q += lanes) add([&](const float* row) HWY_ATTR { return hn::LoadU(d, row + q); });
  const auto rest = static_cast<std::size_t>(k - q);
  if (rest > 0) add([&](const float* row) HWY_ATTR { return LoadTail(d, row + q, rest); });
  float sums[(count + 3) / 4 * 4];
  HWY_UNROLL(4)
  for (int s = 0; s < count; s += 4) {
    const V zero = hn::Zero(d);
    StoreSums(sum[s], s + 1 < count ? sum[s + 1 < count ? s + 1 : 0] : zero,
              s + 2 < count ? sum[s + 2 < count ? s + 2 : 0] : zero,
              s + 3 < count ? sum[s + 3 < count ? s + 3 : 0] : zero, sums + s);
  }
  for (int i = 0; i < rows; ++i) {
    for (int j = 0; j < columns; ++j) c[i * n + j] = sums[i * columns + j];
  }
}

template <int rows>
HWY_INLINE void RowBand(const float* a, const float* b, std::int64_t stride, float* c, std::int64_t n, std::int64_t k) {
  std::int64_t j = 0;
  for (; j + 3 <= n; j += 3) RowBlock<rows, 3>(a, b + j * stride, stride, c + j, n, k);
  for (; j < n; ++j) RowBlock<rows, 1>(a, b + j * stride, stride, c + j, n, k);
}

HWY_NOINLINE void RowProductsImpl(const float* a, const float* b, std::int64_t stride, float* c, std::int64_t m,
                                  std::int64_t n, std::int64_t k) {
  std::int64_t i = 0;
  for (; i + 4 <= m; i += 4) RowBand<4>(a + i * stride, b, stride, c + i * n, n, k);
  for (; i + 2 <= m; i += 2) RowBand<2>(a + i * stride, b, stride, c + i * n, n, k);
  for (; i < m; ++i) RowBand<1>(a + i * stride, b, stride, c + i * n, n, k);
}

SmallProductFunction ChosenSmallProduct() { return SmallProductImpl; }
RowDotsFunction ChosenRowDots() { return RowDotsImpl; }

}  // namespace HWY_NAMESPACE
}  // namespace thalweg
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace thalweg {
HWY_EXPORT(SmallProductImpl);
HWY_EXPORT(RowDotsImpl);
HWY_EXPORT(RowProductsImpl);
HWY_EXPORT(ChosenSmallProduct);
HWY_EXPORT(ChosenRowDots);

SmallProductFunction small_product_function() { return HWY_DYNAMIC_DISPATCH(ChosenSmallProduct)(); }
RowDotsFunction row_dots_function() { return HWY_DYNAMIC_DISPATCH(ChosenRowDots)(); }

void small_product(const SmallProduct& product) { HWY_DYNAMIC_DISPATCH(SmallProductImpl)(product); }

void row_dots(const float* a, std::int64_t lda, const float* x, float* y, std::int64_t m, std::int64_t k) {
  HWY_DYNAMIC_DISPATCH(RowDotsImpl)(a, lda, x, y, m, k);
}

void row_products(const float* a, const float* b, std::int64_t stride, float* c, std::int64_t m, std::int64_t n,
                  std::int64_t k) {
  HWY_DYNAMIC_DISPATCH(RowProductsImpl)(a, b, stride, c, m, n, k);
}
}  // namespace thalweg
#endif
