// Tensor: data of one element type in a buffer, which copies share until one of them is written (copy on write).

#include "thalweg/tensor.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/block.hpp"
#include "core/checked.hpp"
#include "core/mirrored.hpp"
#include "core/random.hpp"

namespace thalweg {

namespace {
std::shared_ptr<std::byte[]> buffer(std::size_t bytes) { return {allocate(bytes, "tensor"), Deallocate{}}; }

/// Conversion to an integer truncates towards 0 and clamps to the range of T, and NaN gives 0, as in the graph.
template <class T, class From>
T converted(From value) {
  if constexpr (std::is_integral_v<T> && !std::is_same_v<T, From>) {
    using Limits = std::numeric_limits<T>;
    const auto wide = static_cast<double>(value);
    if (!(wide > static_cast<double>(Limits::min()))) return wide < 0 ? Limits::min() : T{};
    if (wide >= static_cast<double>(Limits::max())) return Limits::max();
  }
  return static_cast<T>(value);
}

template <class F>
decltype(auto) with_element(DType dtype, F&& f) {
  switch (dtype) {
    case f32: return f(float{});
    case f64: return f(double{});
    case i32: return f(std::int32_t{});
    case u8: return f(std::uint8_t{});
  }
  defect("dtype {}", static_cast<int>(dtype));
}
}  // namespace

Tensor::Tensor(const Shape& shape, DType dtype) : shape_(shape), size_(shape.size()), dtype_(dtype) {
  const auto bytes = checked_mul(size_, static_cast<std::int64_t>(size_of(dtype)), "tensor");
  buffer_ = buffer(static_cast<std::size_t>(bytes));
  std::memset(buffer_.get(), 0, static_cast<std::size_t>(bytes));
}

std::byte* Tensor::mutable_raw() {
  if (buffer_.use_count() > 1) {
    auto own = buffer(bytes());
    std::copy_n(raw(), bytes(), own.get());
    buffer_ = std::move(own);
    offset_ = 0;
    mirrored_ = false;
  } else if (mirrored_) {
    Mirrored::write_here(*this);
  }
  return buffer_.get() + offset_;
}

double Tensor::at(std::int64_t position) const {
  if (position < 0 || position >= size_) fail<UsageError>("[tensor] element {} of {} elements", position, size_);
  return with_element(
      dtype_, [&](auto zero) { return static_cast<double>(reinterpret_cast<const decltype(zero)*>(raw())[position]); });
}

void Tensor::set(std::int64_t position, double value) {
  if (position < 0 || position >= size_) fail<UsageError>("[tensor] element {} of {} elements", position, size_);
  with_element(dtype_, [&](auto zero) {
    using T = decltype(zero);
    reinterpret_cast<T*>(mutable_raw())[position] = converted<T>(value);
  });
}

double Tensor::item() const {
  if (size_ != 1) fail<UsageError>("[item] a tensor of shape {} is not one number", shape_);
  return at(0);
}

Tensor Tensor::reshape(const Shape& shape) const {
  if (shape.size() != size_)
    fail<UsageError>("[reshape] {} to {}: {} elements and {}", shape_, shape, size_, shape.size());
  Tensor result = *this;
  result.shape_ = shape;
  return result;
}

Tensor Tensor::rows(std::int64_t begin, std::int64_t end) const {
  if (shape_.rank() == 0 || begin < 0 || begin > end || end > shape_[0]) {
    fail<UsageError>("[rows] rows {} to {} of a tensor of shape {}", begin, end, shape_);
  }
  Tensor result = *this;
  const std::int64_t row = shape_[0] ? size_ / shape_[0] : 0;
  result.offset_ += static_cast<std::size_t>(begin * row) * size_of(dtype_);
  result.shape_.set(0, end - begin);
  result.size_ = (end - begin) * row;
  return result;
}

Tensor Tensor::to(DType dtype) const {
  if (dtype == dtype_) return *this;
  Tensor result(shape_, dtype);
  with_element(dtype_, [&](auto from_zero) {
    with_element(dtype, [&](auto to_zero) {
      const auto* from = reinterpret_cast<const decltype(from_zero)*>(raw());
      auto* to = reinterpret_cast<decltype(to_zero)*>(result.mutable_raw());
      for (std::int64_t i = 0; i < size_; ++i) to[i] = converted<decltype(to_zero)>(from[i]);
    });
  });
  return result;
}

std::string Tensor::str() const {
  constexpr std::int64_t shown = 8;
  std::string text = fmt::format("{} {} [", dtype_, shape_);
  for (std::int64_t i = 0; i < std::min(size_, shown); ++i) text += fmt::format("{}{:.6g}", i ? ", " : "", at(i));
  return text + (size_ > shown ? ", ...]" : "]");
}

void Tensor::expect(DType dtype) const {
  if (dtype != dtype_)
    fail<UsageError>("[tensor] values of {} were requested from a tensor of {}. Hint: .to({})", dtype, dtype_, dtype);
}

void Tensor::expect_count(std::size_t count) const {
  if (count != static_cast<std::size_t>(size_)) {
    fail<UsageError>("[tensor] {} values for the shape {}, which holds {}", count, shape_, size_);
  }
}

Tensor full(const Shape& shape, double value, DType dtype) {
  Tensor result(shape, dtype);
  with_element(dtype, [&](auto zero) {
    using T = decltype(zero);
    for (T& element : result.mutable_values<T>()) element = converted<T>(value);
  });
  return result;
}

Tensor zeros(const Shape& shape, DType dtype) { return Tensor(shape, dtype); }
Tensor ones(const Shape& shape, DType dtype) { return full(shape, 1, dtype); }

namespace {
template <class Draw>
Tensor drawn(const Shape& shape, DType dtype, Draw draw) {
  if (!is_float(dtype)) fail<UsageError>("[random] {} asked for. Hint: random tensors are f32 or f64.", dtype);
  Tensor result(shape, dtype);
  with_element(dtype, [&](auto zero) {
    using T = decltype(zero);
    std::uint64_t counter = 0;
    for (T& element : result.mutable_values<T>()) element = static_cast<T>(draw(counter++));
  });
  return result;
}
}  // namespace

Tensor random_uniform(const Shape& shape, double low, double high, std::uint64_t seed, DType dtype) {
  if (!(low <= high && std::isfinite(high - low)))
    fail<UsageError>("[random_uniform] from {} to {}. Wanted: low <= high, both finite", low, high);
  const RandomKey key = RandomKey{seed, 0}.fold("uniform");
  const double last = dtype == f32
                          ? static_cast<double>(std::nextafter(static_cast<float>(high), static_cast<float>(low)))
                          : std::nextafter(high, low);
  return drawn(shape, dtype, [&](std::uint64_t counter) {
    const double value = low + (high - low) * random_unit(key, counter);
    const double rounded = dtype == f32 ? static_cast<double>(static_cast<float>(value)) : value;
    return rounded < high ? value : last;  // rounding may have led up to `high`, which is not drawn
  });
}

Tensor random_normal(const Shape& shape, std::uint64_t seed, DType dtype) {
  return random_normal(shape, 0, 1, seed, dtype);
}

Tensor random_normal(const Shape& shape, double mean, double deviation, std::uint64_t seed, DType dtype) {
  if (!(deviation >= 0 && std::isfinite(mean + deviation)))
    fail<UsageError>("[random_normal] mean {}, deviation {}. Wanted: finite, deviation >= 0", mean, deviation);
  const RandomKey key = RandomKey{seed, 0}.fold("normal");
  return drawn(shape, dtype, [&](std::uint64_t counter) { return mean + deviation * random_gauss(key, counter); });
}

bool identical(const Tensor& a, const Tensor& b) {
  return a.dtype() == b.dtype() && a.shape() == b.shape() && std::memcmp(a.raw(), b.raw(), a.bytes()) == 0;
}

}  // namespace thalweg
