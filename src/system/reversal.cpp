#include "system/reversal.hpp"

namespace thalweg {

namespace {

/// 0, stride, 2 stride, ...
Var places(std::int64_t count, std::int64_t stride = 1) {
  Tensor values({count}, i32);
  for (std::int64_t i = 0; i < count; ++i) values.set(i, static_cast<double>(i * stride));
  return constant(std::move(values));
}

}  // namespace

Reversal::Reversal(const Var& count, std::int64_t steps, DType dtype) : gathers_(steps > longest) {
  const std::int64_t batch = count.dim(0);
  const Var place = places(steps), end = expand_dims(count, 1);  // (steps), (batch, 1)
  const Var from = where(place < end, end - 1 - place, place);   // (batch, steps)
  from_ = gathers_ ? reshape(expand_dims(places(batch, steps), 1) + from, {batch * steps})
                   : cast(equal(expand_dims(from, -1), place), dtype);  // (batch, steps, steps)
}

Var Reversal::operator()(const Var& x) const {
  if (!gathers_) return matmul(from_, x);
  return reshape(gather(reshape(x, {x.dim(0) * x.dim(1), x.dim(2)}), from_), x.shape());
}

}  // namespace thalweg
