#include "kernels/matmul.hpp"

#define EIGEN_DONT_PARALLELIZE
#include <Eigen/Core>
#include <algorithm>

#include "core/error.hpp"
#include "kernels/for_float.hpp"
#include "kernels/onednn.hpp"
#include "kernels/packed_product.hpp"
#include "kernels/small_products.hpp"

namespace thalweg {

namespace {

struct ProductShape {
  bool transpose_a, transpose_b;
  std::int64_t batch, m, n, k;
  [[nodiscard]] std::int64_t lda() const { return transpose_a ? m : k; }
  [[nodiscard]] std::int64_t ldb() const { return transpose_b ? k : n; }
};

ProductShape shape_of(const KernelSite& site) {
  const Shape &a = site.inputs[0].shape, &out = site.output.shape;
  const bool ta = site.ints[0] != 0, tb = site.ints[1] != 0;
  return {ta, tb, out.rank() == 3 ? out[0] : 1, out[-2], out[-1], ta ? a[-2] : a[-1]};
}

void product_f64(const ProductShape& p, const double* a, const double* b, double* c) {
  using Matrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  const Eigen::Map<const Matrix> left(a, p.transpose_a ? p.k : p.m, p.transpose_a ? p.m : p.k);
  const Eigen::Map<const Matrix> right(b, p.transpose_b ? p.n : p.k, p.transpose_b ? p.k : p.n);
  Eigen::Map<Matrix> out(c, p.m, p.n);
  if (p.transpose_a && p.transpose_b) {
    out.noalias() = left.transpose() * right.transpose();
  } else if (p.transpose_a) {
    out.noalias() = left.transpose() * right;
  } else if (p.transpose_b) {
    out.noalias() = left * right.transpose();
  } else {
    out.noalias() = left * right;
  }
}

void transpose_into(float* to, const float* from, std::int64_t rows, std::int64_t columns) {
  for (std::int64_t i = 0; i < rows; ++i) {
    for (std::int64_t j = 0; j < columns; ++j) to[j * rows + i] = from[i * columns + j];
  }
}

/// A running sum of more terms than this in f32 would drift.
constexpr std::int64_t longest_sum = 4096;

/// Computes y (m), sums of k terms each, in blocks of terms. part(i, q, rows, terms, sums) sums some terms from q on,
/// for rows from i on.
template <class Part>
void sum_in_blocks(float* y, std::int64_t m, std::int64_t k, Part part) {
  constexpr std::int64_t stripe = 64;
  for (std::int64_t i = 0; i < m; i += stripe) {
    const std::int64_t rows = std::min(stripe, m - i);
    float sums[stripe];
    double totals[stripe] = {};
    for (std::int64_t q = 0; q < k; q += longest_sum) {
      part(i, q, rows, std::min(longest_sum, k - q), sums);
      for (std::int64_t r = 0; r < rows; ++r) totals[r] += static_cast<double>(sums[r]);
    }
    for (std::int64_t r = 0; r < rows; ++r) y[i + r] = static_cast<float>(totals[r]);
  }
}

/// y = A x, A (m, k)
void rows_times(const float* a, const float* x, float* y, std::int64_t m, std::int64_t k) {
  if (k <= longest_sum) return row_dots(a, k, x, y, m, k);
  sum_in_blocks(y, m, k, [&](std::int64_t i, std::int64_t q, std::int64_t rows, std::int64_t terms, float* sums) {
    row_dots(a + i * k + q, k, x + q, sums, rows, terms);
  });
}

/// y = x^T A, A (k, m): one row times a matrix
void columns_times(const float* a, const float* x, float* y, std::int64_t m, std::int64_t k) {
  if (k <= longest_sum) return small_product({x, k, 1, a, m, y, 1, m, k});
  sum_in_blocks(y, m, k, [&](std::int64_t i, std::int64_t q, std::int64_t columns, std::int64_t terms, float* sums) {
    small_product({x + q, k, 1, a + q * m + i, m, sums, 1, columns, terms});
  });
}

/// `packed` has room for the transpose of b if it is needed.
void small_f32(const ProductShape& p, const float* a, const float* b, float* c, float* packed) {
  if (p.n == 1 && !p.transpose_a) return rows_times(a, b, c, p.m, p.k);
  if (p.m == 1 && p.transpose_b) return rows_times(b, a, c, p.n, p.k);
  if (p.n == 1) return columns_times(a, b, c, p.m, p.k);
  if (p.transpose_b) {
    transpose_into(packed, b, p.n, p.k);
    b = packed;
  }
  small_product({a, p.transpose_a ? 1 : p.k, p.transpose_a ? p.m : 1, b, p.n, c, p.m, p.n, p.k});
}

/// The same with all that does not change decided before the call.
std::function<void()> bound_f32(const ProductShape& p, const float* a, const float* b, float* c, float* packed) {
  const auto dots = [run = row_dots_function(), k = p.k](const float* rows, const float* x, float* y, std::int64_t m) {
    return [run, k, rows, x, y, m] { run(rows, k, x, y, m, k); };
  };
  const bool whole = p.k <= longest_sum;
  if (whole && p.n == 1 && !p.transpose_a) return dots(a, b, c, p.m);
  if (whole && p.m == 1 && p.transpose_b) return dots(b, a, c, p.n);
  if (whole && p.n == 1) {
    const SmallProduct product{b, p.k, 1, a, p.m, c, 1, p.m, p.k};
    return [run = small_product_function(), product] { run(product); };
  }
  return [p, a, b, c, packed] { small_f32(p, a, b, c, packed); };
}

/// Below this many multiplications a library call costs more than it saves.
constexpr std::int64_t small_product_limit = 32 * 1024;
/// A product of at least this many multiplications is split, at boundaries that depend only on its shape.
constexpr std::int64_t split_product = 16 * 1024 * 1024;

void large_f32(const ProductShape& p, const float* a, const float* b, float* c, Workers& workers) {
  const std::int64_t work = p.m * p.n * p.k;
  std::int64_t parts = std::min<std::int64_t>(8, work / (split_product / 2));
  const bool by_rows = p.m >= p.n;
  const std::int64_t length = by_rows ? p.m : p.n;
  parts = std::max<std::int64_t>(1, std::min(work >= split_product ? parts : 1, length / 48));
  const std::int64_t part_length = ((length + parts - 1) / parts + 15) / 16 * 16;
  workers.run((length + part_length - 1) / part_length, [&](std::int64_t part) {
    const std::int64_t begin = part * part_length, size = std::min(part_length, length - begin);
    if (by_rows) {
      onednn_product(p.transpose_a, p.transpose_b, size, p.n, p.k, a + (p.transpose_a ? begin : begin * p.k), p.lda(),
                     b, p.ldb(), c + begin * p.n, p.n);
    } else {
      onednn_product(p.transpose_a, p.transpose_b, p.m, size, p.k, a, p.lda(),
                     b + (p.transpose_b ? begin * p.k : begin), p.ldb(), c + begin, p.n);
    }
  });
}

/// Whether A has few rows and the rows of a large B are multiplied with them: the gradient of a dense layer's inputs in
/// a small shard. oneDNN first copies such a B in another order, which takes up to twice the time of the product.
bool has_few_rows(const ProductShape& p) {
  constexpr std::int64_t fewest = 12, most = 64, large = 128 * 1024;
  return p.batch == 1 && !p.transpose_a && p.transpose_b && p.m >= fewest && p.m <= most && p.n * p.k >= large;
}

/// Computes C^T = B A^T in stretches of B's rows, which are read once, where they lie. `packed` has room for A^T.
void few_rows_f32(const ProductShape& p, const KernelCall& call) {
  constexpr std::int64_t stretch = 48, most_rows = 64, task_work = 1024 * 1024;
  const float *a = call.in<float>(0), *b = call.in<float>(1);
  auto *c = call.out<float>(), *packed = reinterpret_cast<float*>(call.scratch);
  transpose_into(packed, a, p.m, p.k);
  const std::int64_t a_task = std::max<std::int64_t>(1, task_work / (stretch * p.m * p.k)) * stretch;
  call.workers.run((p.n + a_task - 1) / a_task, [&](std::int64_t task) {
    alignas(64) float made[stretch * most_rows];
    for (std::int64_t j = task * a_task; j < std::min(p.n, (task + 1) * a_task); j += stretch) {
      const std::int64_t rows = std::min(stretch, p.n - j);
      small_product({b + j * p.k, p.k, 1, packed, p.m, made, rows, p.m, p.k});
      for (std::int64_t i = 0; i < p.m; ++i) {
        for (std::int64_t r = 0; r < rows; ++r) c[i * p.n + j + r] = made[r * p.m + i];
      }
    }
  });
}

/// One product of a batch, as a packed product.
PackedProduct packed(const ProductShape& p, const float* a, const float* b, float* c) {
  return {.m = p.m,
          .n = p.n,
          .k = p.k,
          .a = a,
          .a_row = p.transpose_a ? 1 : p.k,
          .a_depth = p.transpose_a ? p.m : 1,
          .b = b,
          .b_depth = p.transpose_b ? 1 : p.n,
          .b_column = p.transpose_b ? p.k : 1,
          .c = c};
}

/// Computes the products one after another, each on all threads.
void packed_f32(const ProductShape& p, const KernelCall& call) {
  for (std::int64_t i = 0; i < p.batch; ++i) {
    const float *a = call.in<float>(0) + i * p.m * p.k, *b = call.in<float>(1) + i * p.k * p.n;
    packed_product(packed(p, a, b, call.out<float>() + i * p.m * p.n), reinterpret_cast<float*>(call.scratch),
                   call.workers);
  }
}

bool is_small(const ProductShape& p) {
  return p.m * p.n * p.k <= small_product_limit || p.n == 1 || (p.m == 1 && p.transpose_b);
}

void product_f32(const ProductShape& p, const KernelCall& call) {
  const std::int64_t work = p.m * p.n * p.k;
  const bool small = is_small(p);
  const std::int64_t per_part = std::max<std::int64_t>(1, split_product / std::max<std::int64_t>(1, work));
  const std::int64_t parts = (p.batch + per_part - 1) / per_part;
  call.workers.run(parts, [&](std::int64_t part) {
    for (std::int64_t i = part * per_part; i < std::min(p.batch, (part + 1) * per_part); ++i) {
      const float *a = call.in<float>(0) + i * p.m * p.k, *b = call.in<float>(1) + i * p.k * p.n;
      float* c = call.out<float>() + i * p.m * p.n;
      if (small) {
        small_f32(p, a, b, c, reinterpret_cast<float*>(call.scratch) + part * p.k * p.n);
      } else {
        large_f32(p, a, b, c, call.workers);
      }
    }
  });
}

}  // namespace

Kernel make_matmul(const KernelSite& site) {
  const ProductShape p = shape_of(site);
  if (p.batch * p.m * p.n == 0) return {[](const KernelCall&) {}, 0};
  if (site.output.dtype == f64) {
    return {[p](const KernelCall& call) {
              for (std::int64_t i = 0; i < p.batch; ++i) {
                product_f64(p, call.in<double>(0) + i * p.m * p.k, call.in<double>(1) + i * p.k * p.n,
                            call.out<double>() + i * p.m * p.n);
              }
            },
            0};
  }
  const std::int64_t work = std::max<std::int64_t>(1, p.m * p.n * p.k);
  if (packing_pays(packed(p, nullptr, nullptr, nullptr)) && (p.batch == 1 || work >= split_product / 2))
    return {[p](const KernelCall& call) { packed_f32(p, call); }, panel_bytes(p.m, p.n, p.k)};
  if (has_few_rows(p)) return {[p](const KernelCall& call) { few_rows_f32(p, call); }, bytes_of<float>(p.m * p.k)};
  std::size_t scratch = 0;
  if (p.transpose_b && work <= small_product_limit) {
    const std::int64_t per_part = std::max<std::int64_t>(1, split_product / work);
    scratch = bytes_of<float>((p.batch + per_part - 1) / per_part * p.k * p.n);
  }
  if (p.batch == 1 && is_small(p)) {  // nothing but the call, because every overhead counts in a small step
    const auto run = [p](const KernelCall& call) {
      small_f32(p, call.in<float>(0), call.in<float>(1), call.out<float>(), reinterpret_cast<float*>(call.scratch));
    };
    const auto bind = [p](const KernelCall& call) {
      return bound_f32(p, call.in<float>(0), call.in<float>(1), call.out<float>(),
                       reinterpret_cast<float*>(call.scratch));
    };
    return {run, scratch, bind};
  }
  return {[p](const KernelCall& call) { product_f32(p, call); }, scratch};
}

}  // namespace thalweg
