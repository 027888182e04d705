#include "kernels/packed_product.hpp"

#include <algorithm>
#include <cstring>

#define HWY_DISABLED_TARGETS (HWY_SSSE3 | HWY_AVX3_DL)
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/packed_product.cpp"
#include <hwy/cache_control.h>
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#ifndef THALWEG_PACKED_PRODUCT_BLOCKS
#define THALWEG_PACKED_PRODUCT_BLOCKS
namespace thalweg {
namespace {

/// This many terms of an element are added in registers, then to C: a panel of B then stays in the first-level cache.
constexpr std::int64_t depth_block = 256;
/// The largest tile of C of one task, which fits with its panels into a core's second-level cache.
constexpr std::int64_t tile_rows = 84, tile_columns = 256;
/// About so many tiles for each thread, where there are few.
constexpr std::int64_t tiles_a_thread = 4;
/// The number of elements that one task of packing copies.
constexpr std::int64_t packed_at_once = 16 * 1024;
constexpr std::int64_t line = 16;  // floats in a cache line

constexpr std::int64_t parts(std::int64_t count, std::int64_t size) { return (count + size - 1) / size; }
constexpr std::int64_t round_up(std::int64_t count, std::int64_t size) { return parts(count, size) * size; }

/// The extents that are packed at a time: some 2 MB of B, and as much of A as the second-level caches of all threads
/// hold.
struct Extents {
  std::int64_t rows, columns, depth;
};
Extents most_of(std::int64_t m, std::int64_t n, std::int64_t k) {
  constexpr std::int64_t most_rows = 24 * tile_rows, most_columns = 2048;
  return {std::min(m, most_rows), std::min(n, most_columns), std::min(k, depth_block)};
}

}  // namespace
}  // namespace thalweg
#endif

HWY_BEFORE_NAMESPACE();
namespace thalweg {
namespace HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;

using Int = std::int64_t;
using D = hn::CappedTag<float, 16>;
using V = hn::Vec<D>;

/// The height of a panel of A, and the width of a panel of B in vectors: a block of C of this size fills the registers.
constexpr Int lanes = hn::MaxLanes(D());
constexpr int rows_of_a = lanes == 16 ? 14 : 6;
constexpr Int columns_of_b = 2 * lanes;
static_assert(tile_rows % rows_of_a == 0 && tile_columns % columns_of_b == 0);

/// Computes a block of C from one panel of each factor, over `depth` terms.
HWY_NOINLINE void Block(const float* a, const float* b, Int depth, float* c, Int stride, bool add) {
  const D d;
  V sum[rows_of_a][2];
  HWY_UNROLL(16)
  for (int r = 0; r < rows_of_a; ++r) {
    sum[r][0] = sum[r][1] = hn::Zero(d);
    hwy::Prefetch(c + r * stride);
    hwy::Prefetch(c + r * stride + columns_of_b - 1);
  }
  HWY_UNROLL(2)
  for (Int q = 0; q < depth; ++q, a += rows_of_a, b += columns_of_b) {
    const V left = hn::Load(d, b), right = hn::Load(d, b + lanes);
    HWY_UNROLL(16)
    for (int r = 0; r < rows_of_a; ++r) {
      const V x = hn::Set(d, a[r]);
      sum[r][0] = hn::MulAdd(x, left, sum[r][0]);
      sum[r][1] = hn::MulAdd(x, right, sum[r][1]);
    }
  }
  HWY_UNROLL(16)
  for (int r = 0; r < rows_of_a; ++r) {
    float* row = c + r * stride;
    if (add) {
      sum[r][0] = hn::Add(sum[r][0], hn::LoadU(d, row));
      sum[r][1] = hn::Add(sum[r][1], hn::LoadU(d, row + lanes));
    }
    hn::StoreU(sum[r][0], d, row);
    hn::StoreU(sum[r][1], d, row + lanes);
  }
}

/// The same at the edge of C, where the block is only partly inside.
HWY_NOINLINE void EdgeBlock(const float* a, const float* b, Int depth, float* c, Int stride, bool add, Int rows,
                            Int columns) {
  HWY_ALIGN float whole[rows_of_a * columns_of_b];
  Block(a, b, depth, whole, columns_of_b, false);
  for (Int r = 0; r < rows; ++r) {
    for (Int j = 0; j < columns; ++j) {
      float& y = c[r * stride + j];
      y = add ? whole[r * columns_of_b + j] + y : whole[r * columns_of_b + j];
    }
  }
}

/// The rows of a factor (for B: its columns) and the terms along them.
struct Source {
  const float* at;
  Int row, depth;  // strides
};

/// Copies four terms of four rows, transposed: to[t * width + r] = from[r * row + t].
template <Int width>
HWY_INLINE void TransposeFour(const float* from, Int row, float* to) {
#if HWY_TARGET == HWY_SCALAR
  for (Int r = 0; r < 4; ++r) {
    for (Int t = 0; t < 4; ++t) to[t * width + r] = from[r * row + t];
  }
#else
  const hn::FixedTag<float, 4> d;
  const auto first = hn::LoadU(d, from), second = hn::LoadU(d, from + row);
  const auto third = hn::LoadU(d, from + 2 * row), fourth = hn::LoadU(d, from + 3 * row);
  const auto low_pair = hn::InterleaveLower(d, first, second), high_pair = hn::InterleaveUpper(d, first, second);
  const auto low_rest = hn::InterleaveLower(d, third, fourth), high_rest = hn::InterleaveUpper(d, third, fourth);
  hn::StoreU(hn::ConcatLowerLower(d, low_rest, low_pair), d, to);
  hn::StoreU(hn::ConcatUpperUpper(d, low_rest, low_pair), d, to + width);
  hn::StoreU(hn::ConcatLowerLower(d, high_rest, high_pair), d, to + 2 * width);
  hn::StoreU(hn::ConcatUpperUpper(d, high_rest, high_pair), d, to + 3 * width);
#endif
}

/// Packs one panel of `width` rows, with zeros for missing ones: term after term, the rows of each side by side.
template <Int width>
HWY_NOINLINE void PackPanel(const Source& from, Int rows, Int depth, float* to) {
  if (rows < width) std::fill_n(to, width * depth, 0.0F);
  Int q = 0;
  for (; from.depth == 1 && rows >= 4 && q + line <= depth; q += line) {  // a whole cache line of each row
    for (Int r = 0; r < rows; r += 4) {
      const Int row = std::min(r, rows - 4);  // the last four may overlap those before
      const float* terms = from.at + row * from.row + q;
      for (Int i = 0; i < 4; ++i) hwy::Prefetch(terms + i * from.row + 2 * line);
      HWY_UNROLL(4)
      for (Int t = 0; t < line; t += 4) TransposeFour<width>(terms + t, from.row, to + (q + t) * width + row);
    }
  }
  for (; q < depth; ++q) {
    for (Int r = 0; r < rows; ++r) to[q * width + r] = from.at[r * from.row + q * from.depth];
  }
}

/// Packs whole panels side by side whose rows are contiguous in each term, so that a term is read as one run.
template <Int width>
HWY_NOINLINE void PackWholePanels(const Source& from, Int rows, Int depth, float* to) {
  constexpr Int ahead = 8;  // terms
  for (Int q = 0; q < depth; ++q) {
    const float* term = from.at + q * from.depth;
    for (Int r = 0; r < rows; r += line) hwy::Prefetch(term + ahead * from.depth + r);
    for (Int r = 0; r < rows; r += width) std::memcpy(to + r * depth + q * width, term + r, width * sizeof(float));
  }
}

/// Packs the panels of one factor, as tasks.
template <Int width>
struct Panels {
  Source from;
  Int rows, depth;
  float* to;

  [[nodiscard]] Int at_once() const { return std::max<Int>(1, packed_at_once / (width * depth)); }
  [[nodiscard]] Int tasks() const { return parts(parts(rows, width), at_once()); }
  void Pack(Int task) const {
    Int first = task * at_once() * width;
    const Int end = std::min(rows, first + at_once() * width);
    if (from.row == 1) {
      const Int whole = (end - first) / width * width;
      PackWholePanels<width>({from.at + first, 1, from.depth}, whole, depth, to + first * depth);
      first += whole;
    }
    for (Int r = first; r < end; r += width) {
      PackPanel<width>({from.at + r * from.row, from.row, from.depth}, std::min(width, rows - r), depth,
                       to + r * depth);
    }
  }
};

/// Computes tiles of C from packed panels.
struct Tiles {
  const float *a, *b;
  Int rows, columns, depth;  // extents of what is packed
  Int height;                // of a tile
  float* c;
  Int stride;
  bool add;

  [[nodiscard]] Int across() const { return parts(columns, tile_columns); }
  [[nodiscard]] Int tasks() const { return parts(rows, height) * across(); }
  void Compute(Int task) const {
    const Int top = task / across() * height, left = task % across() * tile_columns;
    const Int bottom = std::min(rows, top + height), right = std::min(columns, left + tile_columns);
    for (Int j = left; j < right; j += columns_of_b) {
      for (Int i = top; i < bottom; i += rows_of_a) {
        float* block = c + i * stride + j;
        if (i + rows_of_a <= bottom && j + columns_of_b <= right) {
          Block(a + i * depth, b + j * depth, depth, block, stride, add);
        } else {
          EdgeBlock(a + i * depth, b + j * depth, depth, block, stride, add, std::min<Int>(rows_of_a, bottom - i),
                    std::min(columns_of_b, right - j));
        }
      }
    }
  }
};

/// The height of tiles, so low that all threads have about as much to do: with few tiles one thread would compute one
/// more than the others while those wait.
Int TileHeight(Int rows, Int columns, int threads) {
  if (threads == 1) return tile_rows;
  const Int down = parts(tiles_a_thread * threads, parts(columns, tile_columns));
  return std::min<Int>(tile_rows, round_up(parts(rows, down), rows_of_a));
}

HWY_NOINLINE void PackedProductImpl(const PackedProduct& p, float* panels, Workers& workers) {
  Extents at_once = most_of(p.m, p.n, p.k);
  float* const of_a = panels + round_up(round_up(at_once.columns, columns_of_b) * at_once.depth, line);
  at_once.rows = std::min<Int>(at_once.rows, 2 * tile_rows * workers.threads());
  for (Int q = 0; q < p.k; q += at_once.depth) {
    const Int depth = std::min(at_once.depth, p.k - q);
    for (Int j = 0; j < p.n; j += at_once.columns) {
      const Int columns = std::min(at_once.columns, p.n - j);
      const Source from_b = {p.b + q * p.b_depth + j * p.b_column, p.b_column, p.b_depth};
      const Panels<columns_of_b> b = {from_b, columns, depth, panels};
      for (Int i = 0; i < p.m; i += at_once.rows) {
        const Int rows = std::min(at_once.rows, p.m - i), first = i == 0 ? b.tasks() : 0;
        const Panels<rows_of_a> a = {{p.a + i * p.a_row + q * p.a_depth, p.a_row, p.a_depth}, rows, depth, of_a};
        const Int above = a.tasks() / 2;  // the threads that pack the upper and the lower rows of A also multiply them
        workers.run(a.tasks() + first, [&](Int task) HWY_ATTR {
          if (task < above) return a.Pack(task);
          task < above + first ? b.Pack(task - above) : a.Pack(task - first);
        });
        const Int height = TileHeight(rows, columns, workers.threads());
        const Tiles tiles = {of_a, panels, rows, columns, depth, height, p.c + i * p.n + j, p.n, q > 0};
        workers.run(tiles.tasks(), [&](Int task) HWY_ATTR { tiles.Compute(task); });
      }
    }
  }
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace thalweg
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace thalweg {
HWY_EXPORT(PackedProductImpl);

bool packing_pays(const PackedProduct& p) {
  constexpr std::int64_t in_few_places = 2048 / sizeof(float);
  const bool is_crossed = p.b_depth % in_few_places == 0 || p.a_depth % in_few_places == 0;
  if (is_crossed) return p.m >= 48 && p.n >= 64 && p.k >= 16;
  return p.m >= 256 && p.n >= 256 && p.m * p.n * p.k >= 16 * 1024 * 1024;
}

std::size_t panel_bytes(std::int64_t m, std::int64_t n, std::int64_t k) {
  constexpr std::int64_t widest = 14 + 32;  // how far the last panels of both factors may extend beyond them
  const Extents most = most_of(m, n, k);
  return static_cast<std::size_t>((most.rows + most.columns + widest) * most.depth + line) * sizeof(float);
}

void packed_product(const PackedProduct& product, float* panels, Workers& workers) {
  HWY_DYNAMIC_DISPATCH(PackedProductImpl)(product, panels, workers);
}
}  // namespace thalweg
#endif
