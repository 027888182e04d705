#include "kernels/winograd.hpp"

#include <algorithm>
#include <atomic>
#include <bit>

#define HWY_DISABLED_TARGETS (HWY_SSSE3 | HWY_AVX3_DL)
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/winograd.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "kernels/for_float.hpp"

#ifndef THALWEG_WINOGRAD_PASS
#define THALWEG_WINOGRAD_PASS
namespace thalweg {
namespace {

using Int = std::int64_t;

constexpr Int tile = 4, window = 6, points = window * window;
constexpr Int line = 16;  // floats in a cache line
constexpr Int most_lanes = 16;

/// Tiles that are transformed at a time. What they become, and the products of a panel, fit into a core's second-level
/// cache. For the derivative by the filter they are more, because each time the sums over tiles are read and written.
constexpr Int tiles_at_once = 28, tiles_of_sums = 42;
/// Channels whose filters are transformed by one task, and tiles that are transformed by one.
constexpr Int channels_a_task = 32, tiles_a_task = 8;

constexpr Int parts(Int count, Int size) { return (count + size - 1) / size; }

/// A convolution of images `from` with a filter of 3 x 3 into images `to`.
struct Pass {
  struct Images {
    Int height, width, channels;
    [[nodiscard]] Int size() const { return height * width * channels; }
  };
  Int batch;
  Images from, to;
  Int above, left;  // zeros before the first row and column of `from`

  [[nodiscard]] Int across() const { return parts(to.width, tile); }
  [[nodiscard]] Int in_sample() const { return parts(to.height, tile) * across(); }
  [[nodiscard]] Int tiles() const { return batch * in_sample(); }
  [[nodiscard]] Int filter_floats() const { return points * from.channels * to.channels; }

  struct Place {
    Int sample, row, column;  // of the first result of a tile
  };
  [[nodiscard]] Place place_of(Int number) const {
    const Int inside = number % in_sample();
    return {number / in_sample(), inside / across() * tile, inside % across() * tile};
  }
};

/// The pass that computes y from x or, turned around, x from y.
Pass pass_of(ConvolutionResult result, const ConvolutionShape& s) {
  const Pass::Images x = {s.height.in, s.width.in, s.in}, y = {s.height.out, s.width.out, s.out};
  if (result == ConvolutionResult::image) return {s.batch, y, x, 2 - s.height.before, 2 - s.width.before};
  return {s.batch, x, y, s.height.before, s.width.before};
}

/// The floats from one point to the next: a line more than needed, because distances of a multiple of 4 KB would map
/// the 36 points of a tile to one place of a cache.
constexpr Int apart(Int channels, Int tiles) { return channels * tiles + line; }

}  // namespace
}  // namespace thalweg
#endif

HWY_BEFORE_NAMESPACE();
namespace thalweg {
namespace HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;

using D = hn::CappedTag<float, most_lanes>;
using V = hn::Vec<D>;

constexpr Int lanes = hn::MaxLanes(D());
/// A block of products has this many tiles, and two vectors of the result's channels: it fills the registers.
constexpr Int rows = lanes == 16 ? 14 : 6;
constexpr Int panel = 2 * lanes;
/// The same of the sums over tiles, where the rows are channels of `from`.
constexpr Int rows_of_sums = std::min<Int>(lanes, lanes == 16 ? 8 : 4);

/// The points a and b; the sum and the product of their squares; the divisors of 0, +-a and +-b.
constexpr float a = 0.75F, b = 1.5F, a2 = a * a, b2 = b * b, a3 = a * a2, b3 = b * b2;
constexpr float at_zero = 1 / (a2 * b2), at_a = 1 / (2 * a2 * (a2 - b2)), at_b = 1 / (2 * b2 * (b2 - a2));

HWY_INLINE V Number(float x) { return hn::Set(D(), x); }

/// One axis of B^T d.
struct OfWindow {
  static constexpr int from = 6, to = 6;
  static HWY_INLINE void Apply(const V* d, V* v) {
    const V sum = Number(a2 + b2), product = Number(a2 * b2);
    v[0] = hn::MulAdd(product, d[0], hn::NegMulAdd(sum, d[2], d[4]));
    v[5] = hn::MulAdd(product, d[1], hn::NegMulAdd(sum, d[3], d[5]));
    const V even_a = hn::NegMulAdd(Number(b2), d[2], d[4]), odd_a = hn::NegMulAdd(Number(b2), d[1], d[3]);
    v[1] = hn::MulAdd(Number(a), odd_a, even_a);
    v[2] = hn::NegMulAdd(Number(a), odd_a, even_a);
    const V even_b = hn::NegMulAdd(Number(a2), d[2], d[4]), odd_b = hn::NegMulAdd(Number(a2), d[1], d[3]);
    v[3] = hn::MulAdd(Number(b), odd_b, even_b);
    v[4] = hn::NegMulAdd(Number(b), odd_b, even_b);
  }
};

/// One axis of A^T m.
struct ToTile {
  static constexpr int from = 6, to = 4;
  static HWY_INLINE void Apply(const V* m, V* y) {
    const V sum_a = hn::Add(m[1], m[2]), sum_b = hn::Add(m[3], m[4]);
    const V difference_a = hn::Sub(m[1], m[2]), difference_b = hn::Sub(m[3], m[4]);
    y[0] = hn::Add(m[0], hn::Add(sum_a, sum_b));
    y[1] = hn::MulAdd(Number(a), difference_a, hn::Mul(Number(b), difference_b));
    y[2] = hn::MulAdd(Number(a2), sum_a, hn::Mul(Number(b2), sum_b));
    y[3] = hn::MulAdd(Number(a3), difference_a, hn::MulAdd(Number(b3), difference_b, m[5]));
  }
};

/// One axis of A y.
struct OfTile {
  static constexpr int from = 4, to = 6;
  static HWY_INLINE void Apply(const V* y, V* w) {
    w[0] = y[0];
    w[5] = y[3];
    const V even_a = hn::MulAdd(Number(a2), y[2], y[0]), odd_a = hn::MulAdd(Number(a2), y[3], y[1]);
    w[1] = hn::MulAdd(Number(a), odd_a, even_a);
    w[2] = hn::NegMulAdd(Number(a), odd_a, even_a);
    const V even_b = hn::MulAdd(Number(b2), y[2], y[0]), odd_b = hn::MulAdd(Number(b2), y[3], y[1]);
    w[3] = hn::MulAdd(Number(b), odd_b, even_b);
    w[4] = hn::NegMulAdd(Number(b), odd_b, even_b);
  }
};

/// One axis of G f.
struct OfFilter {
  static constexpr int from = 3, to = 6;
  static HWY_INLINE void Apply(const V* f, V* u) {
    u[0] = hn::Mul(Number(at_zero), f[0]);
    u[5] = f[2];
    const V even_a = hn::Mul(Number(at_a), hn::MulAdd(Number(a2), f[2], f[0]));
    u[1] = hn::MulAdd(Number(at_a * a), f[1], even_a);
    u[2] = hn::NegMulAdd(Number(at_a * a), f[1], even_a);
    const V even_b = hn::Mul(Number(at_b), hn::MulAdd(Number(b2), f[2], f[0]));
    u[3] = hn::MulAdd(Number(at_b * b), f[1], even_b);
    u[4] = hn::NegMulAdd(Number(at_b * b), f[1], even_b);
  }
};

/// One axis of G^T u.
struct ToFilter {
  static constexpr int from = 6, to = 3;
  static HWY_INLINE void Apply(const V* u, V* f) {
    const V sum_a = hn::Mul(Number(at_a), hn::Add(u[1], u[2])), sum_b = hn::Mul(Number(at_b), hn::Add(u[3], u[4]));
    const V difference_a = hn::Sub(u[1], u[2]), difference_b = hn::Sub(u[3], u[4]);
    f[0] = hn::MulAdd(Number(at_zero), u[0], hn::Add(sum_a, sum_b));
    f[1] = hn::MulAdd(Number(at_a * a), difference_a, hn::Mul(Number(at_b * b), difference_b));
    f[2] = hn::MulAdd(Number(a2), sum_a, hn::MulAdd(Number(b2), sum_b, u[5]));
  }
};

/// Transforms both axes: load(j, column) gives a column, store(i, row) takes a row.
template <class Transform, class Load, class Store>
HWY_INLINE void InBothAxes(const Load& load, const Store& store) {
  V half[Transform::to][Transform::from];
  HWY_UNROLL(6)
  for (int j = 0; j < Transform::from; ++j) {
    V column[Transform::from], made[Transform::to];
    load(j, column);
    Transform::Apply(column, made);
    HWY_UNROLL(6)
    for (int i = 0; i < Transform::to; ++i) half[i][j] = made[i];
  }
  HWY_UNROLL(6)
  for (int i = 0; i < Transform::to; ++i) {
    V row[Transform::to];
    Transform::Apply(half[i], row);
    store(i, row);
  }
}

/// A window of an image with zeros around it. Rows outside lie in a vector of zeros.
struct Window {
  const float* row[window];
  Int column[window], channel[window];  // the floats to the next one; none outside
  int first, last;                      // the columns inside
};

HWY_INLINE Window WindowAt(const float* image, const Pass::Images& s, Int top, Int left, Int size) {
  alignas(64) static constexpr float zeros[most_lanes] = {};
  Window w;
  for (Int i = 0; i < size; ++i) {
    const bool inside = top + i >= 0 && top + i < s.height;
    w.row[i] = inside ? image + ((top + i) * s.width + left) * s.channels : zeros;
    w.column[i] = inside ? s.channels : 0;
    w.channel[i] = inside ? lanes : 0;
  }
  w.first = static_cast<int>(std::max<Int>(0, -left));
  w.last = static_cast<int>(std::min(size, s.width - left));
  return w;
}

/// Transforms the next `lanes` channels of a window; the results go to points `distance` apart.
template <class Transform>
HWY_NOINLINE void NextChannels(Window& w, float* to, Int distance) {
  const D d;
  InBothAxes<Transform>(
      [&](int j, V* column) HWY_ATTR {
        const bool inside = j >= w.first && j < w.last;
        HWY_UNROLL(6)
        for (int i = 0; i < Transform::from; ++i)
          column[i] = inside ? hn::LoadU(d, w.row[i] + j * w.column[i]) : hn::Zero(d);
      },
      [&](int i, const V* row) HWY_ATTR {
        HWY_UNROLL(6)
        for (int j = 0; j < window; ++j) hn::Store(row[j], d, to + (i * window + j) * distance);
      });
  for (int i = 0; i < Transform::from; ++i) w.row[i] += w.channel[i];
}

/// Writes the part of a tile that is inside the image, of `lanes` channels.
HWY_NOINLINE void WriteTile(const float* products, const Pass::Images& s, float* to, Int height, Int width) {
  const D d;
  InBothAxes<ToTile>(
      [&](int j, V* column) HWY_ATTR {
        HWY_UNROLL(6)
        for (int i = 0; i < window; ++i) column[i] = hn::Load(d, products + (i * window + j) * rows * panel);
      },
      [&](int i, const V* row) HWY_ATTR {
        if (i >= height) return;
        HWY_UNROLL(4)
        for (int j = 0; j < tile; ++j) {
          if (j < width) hn::StoreU(row[j], d, to + (i * s.width + j) * s.channels);
        }
      });
}

/// The width of the panel that begins at a channel: the last one may be a single vector.
HWY_INLINE Int WidthAt(Int first, Int channels) { return std::min(panel, channels - first); }

/// The products of `rows` tiles with a panel of channels: `from` has `blocks` blocks of `lanes` channels.
template <int vectors>
HWY_NOINLINE void Block(const float* from, const float* filter, Int blocks, float* to) {
  const D d;
  V sum[rows][vectors];
  HWY_UNROLL(16)
  for (int r = 0; r < rows; ++r) {
    for (int v = 0; v < vectors; ++v) sum[r][v] = hn::Zero(d);
  }
  for (Int block = 0; block < blocks; ++block, from += rows * lanes) {
    for (int q = 0; q < lanes; ++q, filter += vectors * lanes) {
      V row[vectors];
      for (int v = 0; v < vectors; ++v) row[v] = hn::Load(d, filter + v * lanes);
      HWY_UNROLL(16)
      for (int r = 0; r < rows; ++r) {
        const V x = hn::Set(d, from[r * lanes + q]);
        for (int v = 0; v < vectors; ++v) sum[r][v] = hn::MulAdd(x, row[v], sum[r][v]);
      }
    }
  }
  HWY_UNROLL(16)
  for (int r = 0; r < rows; ++r) {
    for (int v = 0; v < vectors; ++v) hn::Store(sum[r][v], d, to + r * panel + v * lanes);
  }
}

/// Transforms the filters of some channels of `from`. The result is (panel, point, channel of from, channel of the
/// panel).
void FiltersImpl(const Pass& p, bool turned, const float* f, float* made, Int first, Int last) {
  const D d;
  const Int in = p.from.channels, out = p.to.channels;
  HWY_ALIGN float some[9 * most_lanes];
  for (Int o = 0; o < out; o += lanes) {
    for (Int c = first; c < last; ++c) {
      if (turned) {  // f is (place, channel of to, channel of from)
        for (Int place = 0; place < 9; ++place) {
          for (Int k = 0; k < lanes; ++k) some[(8 - place) * lanes + k] = f[(place * out + o + k) * in + c];
        }
      }
      const float* const here = turned ? some : f + c * out + o;
      const Int place = turned ? lanes : in * out;
      const Int begin = o - o % panel, width = WidthAt(begin, out);
      float* const to = made + begin * points * in + c * width + o % panel;
      InBothAxes<OfFilter>(
          [&](int j, V* column) HWY_ATTR {
            for (int i = 0; i < 3; ++i) column[i] = hn::LoadU(d, here + (i * 3 + j) * place);
          },
          [&](int i, const V* row) HWY_ATTR {
            for (int j = 0; j < window; ++j) hn::Store(row[j], d, to + (i * window + j) * in * width);
          });
    }
  }
}

/// The floats of scratch memory for TilesImpl.
Int TilesScratchImpl(const Pass& p) {
  return points * parts(tiles_at_once, rows) * (apart(p.from.channels, rows) + rows * panel);
}

/// Computes the results of some tiles from their windows and the transformed filter.
void TilesImpl(const Pass& p, const float* x, const float* filter, float* y, float* scratch, Int first, Int last) {
  const Int in = p.from.channels, distance = apart(in, rows);  // of points, within the windows of `rows` tiles
  float* const products = scratch + points * parts(tiles_at_once, rows) * distance;
  for (Int begin = first; begin < last; begin += tiles_at_once) {
    const Int end = std::min(last, begin + tiles_at_once);
    for (Int t = begin; t < end; ++t) {
      const Pass::Place at = p.place_of(t);
      Window w = WindowAt(x + at.sample * p.from.size(), p.from, at.row - p.above, at.column - p.left, window);
      float* const to = scratch + (t - begin) / rows * points * distance + (t - begin) % rows * lanes;
      for (Int c = 0; c < in; c += lanes) NextChannels<OfWindow>(w, to + c * rows, distance);
    }
    for (Int o = 0; o < p.to.channels; o += panel) {
      const Int width = WidthAt(o, p.to.channels);
      const auto block = width == panel ? Block<2> : Block<1>;
      const float* const of_panel = filter + o * points * in;
      for (Int point = 0; point < points; ++point) {
        for (Int group = 0; group < parts(end - begin, rows); ++group) {
          block(scratch + (group * points + point) * distance, of_panel + point * in * width, in / lanes,
                products + (group * points + point) * rows * panel);
        }
      }
      for (Int t = begin; t < end; ++t) {
        const Pass::Place at = p.place_of(t);
        const float* const from = products + (t - begin) / rows * points * rows * panel + (t - begin) % rows * panel;
        float* const to = y + at.sample * p.to.size() + (at.row * p.to.width + at.column) * p.to.channels + o;
        for (Int half = 0; half < width; half += lanes)
          WriteTile(from + half, p.to, to + half, p.to.height - at.row, p.to.width - at.column);
      }
    }
  }
}

/// Transforms the windows of some tiles of x and the tiles of y, which are `count` at a time from `begin` on:
/// (point, block of lanes, tile, lane) and (point, panel, tile, channel of the panel).
void WindowsAndTilesImpl(const Pass& p, const float* x, const float* y, float* windows, float* tiles, Int begin,
                         Int count, Int first, Int last) {
  for (Int t = first; t < last; ++t) {
    const Pass::Place at = p.place_of(begin + t);
    Window w = WindowAt(x + at.sample * p.from.size(), p.from, at.row - p.above, at.column - p.left, window);
    for (Int c = 0; c < p.from.channels; c += lanes)
      NextChannels<OfWindow>(w, windows + c * count + t * lanes, apart(p.from.channels, count));
    w = WindowAt(y + at.sample * p.to.size(), p.to, at.row, at.column, tile);
    for (Int o = 0; o < p.to.channels; o += lanes) {
      const Int of_panel = o - o % panel;
      NextChannels<OfTile>(w, tiles + of_panel * count + t * WidthAt(of_panel, p.to.channels) + o % panel,
                           apart(p.to.channels, count));
    }
  }
}

/// The sums over `count` tiles for `rows_of_sums` channels of x and a panel of those of y.
template <int vectors>
HWY_NOINLINE void BlockOfSums(const float* windows, const float* tiles, Int count, float* sums, bool add) {
  const D d;
  V sum[rows_of_sums][vectors];
  HWY_UNROLL(8)
  for (int r = 0; r < rows_of_sums; ++r) {
    for (int v = 0; v < vectors; ++v) sum[r][v] = hn::Zero(d);
  }
  HWY_UNROLL(2)
  for (Int t = 0; t < count; ++t, windows += lanes, tiles += vectors * lanes) {
    V row[vectors];
    for (int v = 0; v < vectors; ++v) row[v] = hn::Load(d, tiles + v * lanes);
    HWY_UNROLL(8)
    for (int r = 0; r < rows_of_sums; ++r) {
      const V x = hn::Set(d, windows[r]);
      for (int v = 0; v < vectors; ++v) sum[r][v] = hn::MulAdd(x, row[v], sum[r][v]);
    }
  }
  HWY_UNROLL(8)
  for (int r = 0; r < rows_of_sums; ++r) {
    for (int v = 0; v < vectors; ++v, sums += lanes)
      hn::Store(add ? hn::Add(sum[r][v], hn::Load(d, sums)) : sum[r][v], d, sums);
  }
}

/// Adds the products of `count` tiles to the sums of a point: (panel, channel of x, channel of the panel).
void SumsImpl(const Pass& p, const float* windows, const float* tiles, Int count, float* sums, bool add) {
  for (Int o = 0; o < p.to.channels; o += panel) {
    const Int width = WidthAt(o, p.to.channels);
    const auto block = width == panel ? BlockOfSums<2> : BlockOfSums<1>;
    for (Int c = 0; c < p.from.channels; c += rows_of_sums) {
      block(windows + c / lanes * lanes * count + c % lanes, tiles + o * count, count,
            sums + o * p.from.channels + c * width, add);
    }
  }
}

/// The filter's derivative from the sums, for some channels of x.
void DerivativeImpl(const Pass& p, const float* sums, float* f, Int first, Int last) {
  const D d;
  const Int in = p.from.channels, out = p.to.channels;
  for (Int o = 0; o < out; o += lanes) {
    for (Int c = first; c < last; ++c) {
      const Int begin = o - o % panel;
      const float* const from = sums + begin * in + c * WidthAt(begin, out) + o % panel;
      InBothAxes<ToFilter>(
          [&](int j, V* column) HWY_ATTR {
            for (int i = 0; i < window; ++i) column[i] = hn::Load(d, from + (i * window + j) * in * out);
          },
          [&](int i, const V* row) HWY_ATTR {
            for (int j = 0; j < 3; ++j) hn::StoreU(row[j], d, f + ((i * 3 + j) * in + c) * out + o);
          });
    }
  }
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace thalweg
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace thalweg {

namespace {

HWY_EXPORT(FiltersImpl);
HWY_EXPORT(TilesScratchImpl);
HWY_EXPORT(TilesImpl);
HWY_EXPORT(WindowsAndTilesImpl);
HWY_EXPORT(SumsImpl);
HWY_EXPORT(DerivativeImpl);

/// Calls body(first, last) for consecutive ranges of at most `size`, as tasks.
template <class Body>
void in_ranges(Int count, Int size, Workers& workers, const Body& body) {
  workers.run(parts(count, size), [&](Int task) { body(task * size, std::min(count, (task + 1) * size)); });
}

/// The derivative by the filter. All threads transform a number of tiles, then each adds up some points: so there is
/// one sum for each point, and the order of its terms is that of the tiles.
Kernel filter_kernel(const Pass& p) {
  const Int of_windows = points * apart(p.from.channels, tiles_of_sums),
            of_tiles = points * apart(p.to.channels, tiles_of_sums);
  return {[=](const KernelCall& call) {
            const auto *x = call.in<float>(0), *y = call.in<float>(1);
            auto* const windows = reinterpret_cast<float*>(call.scratch);
            float *const tiles = windows + of_windows, *const sums = tiles + of_tiles;
            for (Int begin = 0; begin < p.tiles(); begin += tiles_of_sums) {
              const Int count = std::min(tiles_of_sums, p.tiles() - begin);
              in_ranges(count, tiles_a_task, call.workers, [&](Int first, Int last) {
                HWY_DYNAMIC_DISPATCH(WindowsAndTilesImpl)(p, x, y, windows, tiles, begin, count, first, last);
              });
              in_ranges(points, 3, call.workers, [&](Int first, Int last) {
                for (Int point = first; point < last; ++point) {
                  HWY_DYNAMIC_DISPATCH(SumsImpl)
                  (p, windows + point * apart(p.from.channels, count), tiles + point * apart(p.to.channels, count),
                   count, sums + point * p.from.channels * p.to.channels, begin > 0);
                }
              });
            }
            in_ranges(p.from.channels, channels_a_task, call.workers, [&](Int first, Int last) {
              HWY_DYNAMIC_DISPATCH(DerivativeImpl)(p, sums, call.out<float>(), first, last);
            });
          },
          bytes_of<float>(of_windows + of_tiles + p.filter_floats())};
}

/// Parts of scratch memory for tasks that run at the same time, at most 32. A task takes the first free one: so a
/// thread that runs all of them finds the same memory in its cache.
class Places {
 public:
  int take() {
    std::uint32_t taken = taken_.load(std::memory_order_relaxed);
    while (!taken_.compare_exchange_weak(taken, taken | (taken + 1), std::memory_order_acquire)) {
    }
    return std::countr_one(taken);
  }
  void give_back(int place) { taken_.fetch_and(~(std::uint32_t{1} << place), std::memory_order_release); }

 private:
  std::atomic<std::uint32_t> taken_ = 0;
};

/// y or the derivative by x. Each task has windows and products of its own.
Kernel image_kernel(bool turned, const Pass& p) {
  constexpr Int least_work = 4 * 1024 * 1024, most_tasks = 8;  // multiplications
  const Int tasks = std::clamp<Int>(p.tiles() * p.filter_floats() / least_work, 1, most_tasks);
  const Int size = parts(parts(p.tiles(), tasks), tiles_at_once) * tiles_at_once;
  const Int own = HWY_DYNAMIC_DISPATCH(TilesScratchImpl)(p);
  return {[=](const KernelCall& call) {
            auto* const filter = reinterpret_cast<float*>(call.scratch);
            float* const rest = filter + p.filter_floats();
            in_ranges(p.from.channels, channels_a_task, call.workers, [&](Int first, Int last) {
              HWY_DYNAMIC_DISPATCH(FiltersImpl)(p, turned, call.in<float>(1), filter, first, last);
            });
            Places places;
            in_ranges(p.tiles(), size, call.workers, [&](Int first, Int last) {
              const int place = places.take();
              HWY_DYNAMIC_DISPATCH(TilesImpl)
              (p, call.in<float>(0), filter, call.out<float>(), rest + place * own, first, last);
              places.give_back(place);
            });
          },
          bytes_of<float>(p.filter_floats() + parts(p.tiles(), size) * own)};
}

}  // namespace

bool winograd_pays(ConvolutionResult result, const ConvolutionShape& s) {
  constexpr Int channels = 16, most_channels = 256, least_tiles = 32;
  const auto fits = [](const ConvolutionShape::Axis& along) {
    return along.kernel == 3 && along.stride == 1 && along.dilation == 1 && along.before <= 2;
  };
  if (!fits(s.height) || !fits(s.width) || s.groups != 1 || s.in % channels != 0 || s.out % channels != 0) return false;
  const Pass p = pass_of(result, s);
  const bool is_covered = 2 * p.to.height * p.to.width >= tile * tile * p.in_sample();
  return is_covered && p.tiles() >= least_tiles && std::max(s.in, s.out) <= most_channels;
}

Kernel winograd_kernel(ConvolutionResult result, const ConvolutionShape& shape) {
  const Pass p = pass_of(result, shape);
  return result == ConvolutionResult::filter ? filter_kernel(p) : image_kernel(result == ConvolutionResult::image, p);
}

}  // namespace thalweg
#endif
