#include "kernels/sampled_pairs.hpp"

#define HWY_DISABLED_TARGETS (HWY_SSSE3 | HWY_AVX3_DL)
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/sampled_pairs.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "tiles/exponentials-inl.hpp"
#include "tiles/tail-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace thalweg {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using PairTag = hn::CappedTag<float, 16>;

HWY_NOINLINE float SoftplusSumImpl(float* z, std::int64_t count) {
  const PairTag d;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  auto sum = hn::Zero(d);
  std::int64_t i = 0;
  for (; i + lanes <= count; i += lanes) {
    const auto x = hn::LoadU(d, z + i);
    sum = hn::Add(sum, Softplus::f(d, x));
    hn::StoreU(Sigmoid::f(d, x), d, z + i);
  }
  if (const auto rest = static_cast<std::size_t>(count - i); rest > 0) {
    const auto x = LoadTail(d, z + i, rest);
    const auto inside = hn::FirstN(d, rest);
    sum = hn::Add(sum, hn::IfThenElseZero(inside, Softplus::f(d, x)));
    hn::BlendedStore(Sigmoid::f(d, x), inside, d, z + i);
  }
  return hn::GetLane(hn::SumOfLanes(d, sum));
}

HWY_NOINLINE void AddToRowImpl(float* y, const float* x, std::int64_t count) {
  const PairTag d;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  std::int64_t i = 0;
  for (; i + lanes <= count; i += lanes) hn::StoreU(hn::Add(hn::LoadU(d, y + i), hn::LoadU(d, x + i)), d, y + i);
  for (; i < count; ++i) y[i] += x[i];
}

}  // namespace HWY_NAMESPACE
}  // namespace thalweg
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace thalweg {
HWY_EXPORT(SoftplusSumImpl);
HWY_EXPORT(AddToRowImpl);

float softplus_sum(float* z, std::int64_t count) { return HWY_DYNAMIC_DISPATCH(SoftplusSumImpl)(z, count); }
void add_to_row(float* y, const float* x, std::int64_t count) { HWY_DYNAMIC_DISPATCH(AddToRowImpl)(y, x, count); }
}  // namespace thalweg
#endif
