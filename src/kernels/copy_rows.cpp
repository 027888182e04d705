#include "kernels/copy_rows.hpp"

#include <cstring>
#include <iterator>

#define HWY_DISABLED_TARGETS (HWY_SSSE3 | HWY_AVX3_DL)
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/copy_rows.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "tiles/tail-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace thalweg {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

/// Half a cache line at a time, because unaligned accesses of a whole line would touch two lines each.
using Half = hn::CappedTag<std::uint8_t, 32>;

/// Copies one row; the last vector ends with the row, and may overlap the one before.
HWY_INLINE void CopyVectors(const std::uint8_t* row, std::size_t row_bytes, std::size_t vectors, std::uint8_t* into) {
  const Half d;
  const std::size_t width = hn::Lanes(d);
  HWY_UNROLL(8)
  for (std::size_t v = 0; v + 1 < vectors; ++v) hn::StoreU(hn::LoadU(d, row + v * width), d, into + v * width);
  hn::StoreU(hn::LoadU(d, row + row_bytes - width), d, into + row_bytes - width);
}

/// Rows of a number of vectors that the compiler knows, or of any number if that is 0.
template <std::size_t known>
HWY_NOINLINE void CopyRowsOf(const std::uint8_t* table, std::size_t row_bytes, const std::int64_t* rows,
                             std::size_t count, std::uint8_t* into) {
  const std::size_t width = hn::Lanes(Half());
  const std::size_t vectors = known > 0 ? known : (row_bytes + width - 1) / width;
  for (std::size_t i = 0; i < count; ++i, into += row_bytes)
    CopyVectors(table + static_cast<std::size_t>(rows[i]) * row_bytes, row_bytes, vectors, into);
}

/// For rows of a few cache lines, for which a call of memcpy per row would take longer than the copy.
HWY_NOINLINE void CopyShortRows(const std::uint8_t* table, std::size_t row_bytes, const std::int64_t* rows,
                                std::size_t count, std::uint8_t* into) {
  constexpr decltype(&CopyRowsOf<0>) of[] = {CopyRowsOf<0>, CopyRowsOf<1>, CopyRowsOf<2>, CopyRowsOf<3>, CopyRowsOf<4>,
                                             CopyRowsOf<5>, CopyRowsOf<6>, CopyRowsOf<7>, CopyRowsOf<8>};
  const std::size_t width = hn::Lanes(Half()), vectors = (row_bytes + width - 1) / width;
  of[vectors < std::size(of) ? vectors : 0](table, row_bytes, rows, count, into);
}

HWY_NOINLINE void CopyRowInVectors(const float* row, std::size_t count, float* into) {
  const hn::CappedTag<float, 16> d;
  const std::size_t lanes = hn::Lanes(d);
  std::size_t i = 0;
  for (; i + lanes <= count; i += lanes) hn::Store(hn::LoadU(d, row + i), d, into + i);
  if (i < count) hn::Store(LoadTail(d, row + i, count - i), d, into + i);
}

}  // namespace HWY_NAMESPACE
}  // namespace thalweg
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace thalweg {
HWY_EXPORT(CopyShortRows);
HWY_EXPORT(CopyRowInVectors);

void copy_row_in_vectors(const std::byte* row, std::size_t row_bytes, std::byte* into) {
  HWY_DYNAMIC_DISPATCH(CopyRowInVectors)
  (reinterpret_cast<const float*>(row), row_bytes / sizeof(float), reinterpret_cast<float*>(into));
}

void copy_longer_rows(const std::byte* table, std::size_t row_bytes, std::span<const std::int64_t> rows,
                      std::byte* into) {
  constexpr std::size_t shortest = 32, longest = 1024;
  if (row_bytes >= shortest && row_bytes <= longest) {
    HWY_DYNAMIC_DISPATCH(CopyShortRows)
    (reinterpret_cast<const std::uint8_t*>(table), row_bytes, rows.data(), rows.size(),
     reinterpret_cast<std::uint8_t*>(into));
    return;
  }
  for (std::size_t i = 0; row_bytes > 0 && i < rows.size(); ++i)
    std::memcpy(into + i * row_bytes, table + static_cast<std::size_t>(rows[i]) * row_bytes, row_bytes);
}
}  // namespace thalweg
#endif
