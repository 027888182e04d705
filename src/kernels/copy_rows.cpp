#include "kernels/copy_rows.hpp"

#include <cstring>

#define HWY_DISABLED_TARGETS (HWY_SSSE3 | HWY_AVX3_DL)
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/copy_rows.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace thalweg {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

/// For rows of a few cache lines, for which a call of memcpy per row would take longer than the copy. Copies half a
/// cache line at a time, because unaligned accesses of a whole line would touch two lines each.
HWY_NOINLINE void CopyShortRows(const std::uint8_t* table, std::size_t row_bytes, const std::int64_t* rows,
                                std::size_t count, std::uint8_t* into) {
  const hn::CappedTag<std::uint8_t, 32> d;
  const std::size_t width = hn::Lanes(d);
  for (std::size_t i = 0; i < count; ++i, into += row_bytes) {
    const std::uint8_t* row = table + static_cast<std::size_t>(rows[i]) * row_bytes;
    for (std::size_t k = 0; k + width <= row_bytes; k += width) hn::StoreU(hn::LoadU(d, row + k), d, into + k);
    hn::StoreU(hn::LoadU(d, row + row_bytes - width), d, into + row_bytes - width);
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace thalweg
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace thalweg {
HWY_EXPORT(CopyShortRows);

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
