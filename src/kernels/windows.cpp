#include "kernels/windows.hpp"

#include <algorithm>
#include <array>

#define HWY_DISABLED_TARGETS (HWY_SSSE3 | HWY_AVX3_DL)
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/windows.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "tiles/tail-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace thalweg {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using Int = std::int64_t;
template <class T>
using D = hn::ScalableTag<T>;
template <class T>
using V = hn::Vec<D<T>>;

template <class T>
HWY_INLINE V<T> LoadSome(const T* p, std::size_t n) {
  return n == hn::Lanes(D<T>()) ? hn::LoadU(D<T>(), p) : LoadTail(D<T>(), p, n);
}
template <class T>
HWY_INLINE void StoreSome(V<T> v, T* p, std::size_t n) {
  const D<T> d;
  if (n == hn::Lanes(d)) {
    hn::StoreU(v, d, p);
  } else {
    hn::BlendedStore(v, hn::FirstN(d, n), d, p);
  }
}

/// body(channel, count) for one vector of channels after the other.
template <class T, class Body>
HWY_INLINE void EachVector(std::int64_t channels, const Body& body) {
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(D<T>()));
  for (std::int64_t c = 0; c < channels; c += lanes) body(c, static_cast<std::size_t>(std::min(lanes, channels - c)));
}

/// The part of a window that is inside the image.
struct Span {
  std::int64_t begin, end;
};
HWY_INLINE Span Inside(const WindowAxis& axis, std::int64_t i) {
  const std::int64_t begin = i * axis.step - axis.outside;
  return {std::max<std::int64_t>(begin, 0), std::min(begin + axis.window, axis.in)};
}

/// Calls body(result, rows, columns) with the flat position of a window's result and the extent of the window.
template <class Body>
HWY_INLINE void EachWindow(const WindowShape& s, const Body& body) {
  for (std::int64_t i = 0; i < s.height.out; ++i) {
    for (std::int64_t j = 0; j < s.width.out; ++j)
      body((i * s.width.out + j) * s.channels, Inside(s.height, i), Inside(s.width, j));
  }
}

/// Calls body(image) for the flat positions in a window, in row-major order.
template <class Body>
HWY_INLINE void EachPlace(const WindowShape& s, Span rows, Span columns, const Body& body) {
  for (std::int64_t row = rows.begin; row < rows.end; ++row) {
    for (std::int64_t column = columns.begin; column < columns.end; ++column)
      body((row * s.width.in + column) * s.channels);
  }
}

/// Whether each position of the image is in exactly one window.
HWY_INLINE bool IsTiled(const WindowAxis& axis) {
  return axis.step == axis.window && axis.outside == 0 && axis.out * axis.step == axis.in;
}
/// Clears the image and returns true if results of windows must be added to it. If each position is in exactly one
/// window, returns false: each sum has one term, which is written directly.
template <class T>
HWY_INLINE bool BeginSums(const WindowShape& s, T* image) {
  if (IsTiled(s.height) && IsTiled(s.width)) return false;
  std::fill_n(image, s.height.in * s.width.in * s.channels, T{0});
  return true;
}

template <class T>
HWY_INLINE auto Beats(V<T> x, V<T> best) {
  return hn::Or(hn::Gt(x, best), hn::IsNaN(x));  // NaN counts as the largest; hn::Ne is false for NaN on AVX-512
}

/// Windows of 2 x 2 that cover the image once, and whole vectors of channels: what most networks have.
template <class T>
HWY_INLINE bool IsOfFour(const WindowShape& s) {
  const bool is_two = s.height.window == 2 && s.width.window == 2;
  return is_two && IsTiled(s.height) && IsTiled(s.width) && s.channels % static_cast<Int>(hn::Lanes(D<T>())) == 0;
}

/// body(result, places) for each vector of each of these windows: flat positions.
template <class T, class Body>
HWY_INLINE void EachOfFour(const WindowShape& s, const Body& body) {
  const auto lanes = static_cast<Int>(hn::Lanes(D<T>()));
  const Int row = s.width.in * s.channels, columns = s.width.out * s.channels;
  for (Int i = 0; i < s.height.out; ++i) {
    for (Int j = 0; j < s.width.out; ++j) {
      const Int result = i * columns + j * s.channels, first = 2 * i * row + 2 * j * s.channels;
      for (Int c = 0; c < s.channels; c += lanes) {
        const Int place = first + c;
        body(result + c, std::array{place, place + s.channels, place + row, place + row + s.channels});
      }
    }
  }
}

/// The vectors at four places, and where each of the last three is better than all before it.
template <class T>
struct BestOfFour {
  using Mask = hn::Mask<D<T>>;
  Mask second, third, fourth;
  HWY_INLINE BestOfFour(const T* x, const std::array<Int, 4>& at) {
    const D<T> d;
    V<T> best = hn::LoadU(d, x + at[0]);
    const V<T> b = hn::LoadU(d, x + at[1]), c = hn::LoadU(d, x + at[2]), e = hn::LoadU(d, x + at[3]);
    second = Beats<T>(b, best);
    best = hn::IfThenElse(second, b, best);
    third = Beats<T>(c, best);
    best = hn::IfThenElse(third, c, best);
    fourth = Beats<T>(e, best);
  }
};

template <class T>
void MaxPoolOfFour(const WindowShape& s, const T* x, const T* u, T* y) {
  const D<T> d;
  EachOfFour<T>(s, [&](Int result, const std::array<Int, 4>& at) HWY_ATTR {
    const BestOfFour<T> best(x, at);
    V<T> chosen = hn::IfThenElse(best.second, hn::LoadU(d, u + at[1]), hn::LoadU(d, u + at[0]));
    chosen = hn::IfThenElse(best.third, hn::LoadU(d, u + at[2]), chosen);
    hn::StoreU(hn::IfThenElse(best.fourth, hn::LoadU(d, u + at[3]), chosen), d, y + result);
  });
}

template <class T>
void MaxUnpoolOfFour(const WindowShape& s, const T* x, const T* g, T* image) {
  const D<T> d;
  EachOfFour<T>(s, [&](Int result, const std::array<Int, 4>& at) HWY_ATTR {
    const BestOfFour<T> best(x, at);
    const V<T> gradient = hn::Add(hn::Zero(d), hn::LoadU(d, g + result));
    const auto after = hn::Or(best.third, best.fourth);
    hn::StoreU(hn::IfThenZeroElse(hn::Or(best.second, after), gradient), d, image + at[0]);
    hn::StoreU(hn::IfThenElseZero(hn::AndNot(after, best.second), gradient), d, image + at[1]);
    hn::StoreU(hn::IfThenElseZero(hn::AndNot(best.fourth, best.third), gradient), d, image + at[2]);
    hn::StoreU(hn::IfThenElseZero(best.fourth, gradient), d, image + at[3]);
  });
}

template <class T>
void MaxPool(const WindowShape& s, const T* x, const T* u, T* y) {
  if (IsOfFour<T>(s)) return MaxPoolOfFour(s, x, u, y);
  EachWindow(s, [&](std::int64_t result, Span rows, Span columns) {
    const std::int64_t first = (rows.begin * s.width.in + columns.begin) * s.channels;
    EachVector<T>(s.channels, [&](std::int64_t c, std::size_t n) HWY_ATTR {
      V<T> best = LoadSome(x + first + c, n), chosen = LoadSome(u + first + c, n);
      EachPlace(s, rows, columns, [&](std::int64_t at) HWY_ATTR {
        const V<T> other = LoadSome(x + at + c, n);
        const auto better = Beats<T>(other, best);
        best = hn::IfThenElse(better, other, best);
        chosen = hn::IfThenElse(better, LoadSome(u + at + c, n), chosen);
      });
      StoreSome(chosen, y + result + c, n);
    });
  });
}

template <class T>
void MaxUnpool(const WindowShape& s, const T* x, const T* g, T* image) {
  if (IsOfFour<T>(s)) return MaxUnpoolOfFour(s, x, g, image);
  const D<T> d;
  const bool adds = BeginSums(s, image);
  EachWindow(s, [&](std::int64_t result, Span rows, Span columns) {
    const std::int64_t first = (rows.begin * s.width.in + columns.begin) * s.channels;
    EachVector<T>(s.channels, [&](std::int64_t c, std::size_t n) HWY_ATTR {
      V<T> best = LoadSome(x + first + c, n), winner = hn::Zero(d), number = hn::Zero(d);
      EachPlace(s, rows, columns, [&](std::int64_t at) HWY_ATTR {
        const V<T> other = LoadSome(x + at + c, n);
        const auto better = Beats<T>(other, best);
        best = hn::IfThenElse(better, other, best);
        winner = hn::IfThenElse(better, number, winner);
        number = hn::Add(number, hn::Set(d, T{1}));
      });
      const V<T> gradient = LoadSome(g + result + c, n);
      number = hn::Zero(d);
      EachPlace(s, rows, columns, [&](std::int64_t at) HWY_ATTR {
        const V<T> share = hn::IfThenElseZero(hn::Eq(number, winner), gradient);
        StoreSome(hn::Add(adds ? LoadSome(image + at + c, n) : hn::Zero(d), share), image + at + c, n);
        number = hn::Add(number, hn::Set(d, T{1}));
      });
    });
  });
}

template <class T>
void SumPool(const WindowShape& s, const T* x, T* y) {
  EachWindow(s, [&](std::int64_t result, Span rows, Span columns) {
    EachVector<T>(s.channels, [&](std::int64_t c, std::size_t n) HWY_ATTR {
      V<T> sum = hn::Zero(D<T>());
      EachPlace(s, rows, columns, [&](std::int64_t at) HWY_ATTR { sum = hn::Add(sum, LoadSome(x + at + c, n)); });
      StoreSome(sum, y + result + c, n);
    });
  });
}

template <class T>
void SumUnpool(const WindowShape& s, const T* g, T* image) {
  const D<T> d;
  const bool adds = BeginSums(s, image);
  EachWindow(s, [&](std::int64_t result, Span rows, Span columns) {
    EachVector<T>(s.channels, [&](std::int64_t c, std::size_t n) HWY_ATTR {
      const V<T> gradient = LoadSome(g + result + c, n);
      EachPlace(s, rows, columns, [&](std::int64_t at) HWY_ATTR {
        StoreSome(hn::Add(adds ? LoadSome(image + at + c, n) : hn::Zero(d), gradient), image + at + c, n);
      });
    });
  });
}

template <class T>
void AddTaps(const Tap* taps, std::int64_t count, bool transposed, const T* from, T* to, std::int64_t channels) {
  for (std::int64_t t = 0; t < count; ++t) {
    const T* source = from + (transposed ? taps[t].result : taps[t].image) * channels;
    T* target = to + (transposed ? taps[t].image : taps[t].result) * channels;
    const V<T> weight = hn::Set(D<T>(), static_cast<T>(taps[t].weight));
    EachVector<T>(channels, [&](std::int64_t c, std::size_t n) HWY_ATTR {
      const V<T> term = hn::Mul(weight, LoadSome(source + c, n));
      StoreSome(hn::Add(LoadSome(target + c, n), term), target + c, n);
    });
  }
}

template <class T>
const WindowLoops<T>* Loops() {
  static constexpr WindowLoops<T> loops{MaxPool<T>, MaxUnpool<T>, SumPool<T>, SumUnpool<T>, AddTaps<T>};
  return &loops;
}
const WindowLoops<float>* LoopsF32() { return Loops<float>(); }
const WindowLoops<double>* LoopsF64() { return Loops<double>(); }

}  // namespace HWY_NAMESPACE
}  // namespace thalweg
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace thalweg {
namespace {
HWY_EXPORT(LoopsF32);
HWY_EXPORT(LoopsF64);
}  // namespace

template <>
const WindowLoops<float>& window_loops<float>() {
  return *HWY_DYNAMIC_DISPATCH(LoopsF32)();
}
template <>
const WindowLoops<double>& window_loops<double>() {
  return *HWY_DYNAMIC_DISPATCH(LoopsF64)();
}
}  // namespace thalweg
#endif
