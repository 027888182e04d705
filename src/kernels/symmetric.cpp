#include "kernels/symmetric.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "kernels/for_float.hpp"

namespace thalweg {

namespace {

using Int = std::int64_t;

/// sum_i a_i b_i in eight alternating sums, so that the compiler can vectorise the loop without changing the order.
double dot(Int n, const double* a, const double* b) {
  constexpr Int lanes = 8;
  double sums[lanes] = {};
  Int i = 0;
  for (; i + lanes <= n; i += lanes) {
    for (Int lane = 0; lane < lanes; ++lane) sums[lane] += a[i + lane] * b[i + lane];
  }
  for (; i < n; ++i) sums[i % lanes] += a[i] * b[i];
  return ((sums[0] + sums[1]) + (sums[2] + sums[3])) + ((sums[4] + sums[5]) + (sums[6] + sums[7]));
}

/// y += factor x
void add(Int n, double factor, const double* x, double* y) {
  for (Int i = 0; i < n; ++i) y[i] += factor * x[i];
}

/// A symmetric matrix that is being reduced to its eigenvectors. Columns are contiguous in memory, so that each loop
/// runs along one.
class Decomposition {
 public:
  Decomposition(Int n, double* columns, double* diagonal, double* beside)
      : n_(n), v_(columns), d_(diagonal), e_(beside) {}

  void run() {
    for (Int j = 0; j < n_; ++j) d_[j] = column(j)[n_ - 1];
    for (Int i = n_ - 1; i > 0; --i) reflect(i);
    accumulate();
    for (Int i = 1; i < n_; ++i) e_[i - 1] = e_[i];
    e_[n_ - 1] = 0;
    find_values();
  }

 private:
  [[nodiscard]] double* column(Int j) const { return v_ + j * n_; }

  /// Reduces row i, whose elements left of the diagonal are in d, to one element beside the diagonal by a reflection,
  /// which is stored in column i.
  void reflect(Int i) {
    double scale = 0;
    for (Int k = 0; k < i; ++k) scale = std::max(scale, std::abs(d_[k]));
    if (scale == 0) {
      e_[i] = 0;
      for (Int j = 0; j < i; ++j) {
        d_[j] = column(j)[i - 1];
        column(j)[i] = column(i)[j] = 0;
      }
      d_[i] = 0;
      return;
    }
    for (Int k = 0; k < i; ++k) d_[k] /= scale;
    double h = dot(i, d_, d_);
    const double f = d_[i - 1], g = f > 0 ? -std::sqrt(h) : std::sqrt(h);
    e_[i] = scale * g;
    h -= f * g;
    d_[i - 1] = f - g;
    multiply_lower(i);
    double along = 0;
    for (Int j = 0; j < i; ++j) e_[j] /= h;
    along = dot(i, e_, d_) / (h + h);
    add(i, -along, d_, e_);
    for (Int j = 0; j < i; ++j) {
      double* below = column(j) + j;
      add(i - j, -d_[j], e_ + j, below);
      add(i - j, -e_[j], d_ + j, below);
    }
    for (Int j = 0; j < i; ++j) {
      d_[j] = column(j)[i - 1];
      column(j)[i] = 0;
    }
    d_[i] = h;
  }

  /// e = A d for the leading i rows, of which only the lower half is kept up to date; d is copied to column i.
  void multiply_lower(Int i) {
    std::fill_n(e_, i, 0.0);
    for (Int j = 0; j < i; ++j) {
      const double* below = column(j) + j + 1;
      const Int rest = i - 1 - j;
      column(i)[j] = d_[j];
      e_[j] += column(j)[j] * d_[j] + dot(rest, below, d_ + j + 1);
      add(rest, d_[j], below, e_ + j + 1);
    }
  }

  /// Multiplies the reflections, column by column.
  void accumulate() {
    for (Int i = 0; i + 1 < n_; ++i) {
      double* next = column(i + 1);
      const double h = d_[i + 1];
      column(i)[n_ - 1] = column(i)[i];
      column(i)[i] = 1;
      if (h != 0) {
        for (Int k = 0; k <= i; ++k) d_[k] = next[k] / h;
        for (Int j = 0; j <= i; ++j) add(i + 1, -dot(i + 1, next, column(j)), d_, column(j));
      }
      std::fill_n(next, i + 1, 0.0);
    }
    for (Int j = 0; j < n_; ++j) {
      d_[j] = column(j)[n_ - 1];
      column(j)[n_ - 1] = 0;
    }
    column(n_ - 1)[n_ - 1] = 1;
    e_[0] = 0;
  }

  void find_values() {
    constexpr double epsilon = std::numeric_limits<double>::epsilon();
    double shift = 0, largest = 0;
    for (Int l = 0; l < n_; ++l) {
      largest = std::max(largest, std::abs(d_[l]) + std::abs(e_[l]));
      Int m = l;
      while (m + 1 < n_ && std::abs(e_[m]) > epsilon * largest) ++m;
      if (m > l) {
        do {
          shift += shift_from(l);
          sweep(l, m);
        } while (std::abs(e_[l]) > epsilon * largest);
      }
      d_[l] += shift;
      e_[l] = 0;
    }
  }

  /// Subtracts a shift that is close to an eigenvalue from the diagonal, from element l on, and returns it.
  double shift_from(Int l) {
    const double before = d_[l], p = (d_[l + 1] - before) / (2 * e_[l]);
    const double r = p < 0 ? -std::hypot(p, 1) : std::hypot(p, 1);
    d_[l] = e_[l] / (p + r);
    d_[l + 1] = e_[l] * (p + r);
    const double shift = before - d_[l];
    for (Int i = l + 2; i < n_; ++i) d_[i] -= shift;
    return shift;
  }

  /// Applies Givens rotations of neighbours from m down to l.
  void sweep(Int l, Int m) {
    const double second = d_[l + 1], beside_second = e_[l + 1];
    double p = d_[m], c = 1, c2 = 1, c3 = 1, s = 0, s2 = 0;
    for (Int i = m - 1; i >= l; --i) {
      c3 = c2, c2 = c, s2 = s;
      const double g = c * e_[i], h = c * p, r = std::hypot(p, e_[i]);
      e_[i + 1] = s * r;
      s = e_[i] / r;
      c = p / r;
      p = c * d_[i] - s * g;
      d_[i + 1] = h + s * (c * g + s * d_[i]);
      rotate(column(i), column(i + 1), c, s);
    }
    p = -s * s2 * c3 * beside_second * e_[l] / second;
    e_[l] = s * p;
    d_[l] = c * p;
  }

  void rotate(double* a, double* b, double c, double s) const {
    for (Int k = 0; k < n_; ++k) {
      const double x = a[k], y = b[k];
      a[k] = c * x - s * y;
      b[k] = s * x + c * y;
    }
  }

  Int n_;
  double *v_, *d_, *e_;
};

template <class T>
bool read(Int count, const T* from, double* to) {
  double sum = 0;
  for (Int i = 0; i < count; ++i) {
    to[i] = static_cast<double>(from[i]);
    sum += to[i] - to[i];  // not 0 if an element is not finite
  }
  return sum == 0;
}

/// to = from^T, n x n.
void transpose(Int n, const double* from, double* to) {
  for (Int i = 0; i < n; ++i) {
    for (Int j = 0; j < n; ++j) to[j * n + i] = from[i * n + j];
  }
}

template <class T>
void keep(Int size, const T* before, T* out) {
  if (out != before) std::memmove(out, before, bytes_of<T>(size));
}

/// A kernel that computes only in steps in which it is due. `compute` gets n, the matrix, the previous value and the
/// result, all n x n, and `vectors` vectors of n numbers.
template <class Compute>
Kernel make(const KernelSite& site, Int matrices, Int vectors, Compute compute) {
  const Int n = site.output.shape[0], size = n * n;
  return for_float(site.output.dtype, [&]<class T>(T) -> Kernel {
    const auto run = [=](const KernelCall& call) {
      const T* before = call.in<T>(1);
      T* out = call.out<T>();
      auto* room = reinterpret_cast<double*>(call.scratch);
      if (*call.in<double>(2) == 0 || !read(size, call.in<T>(0), room)) {
        keep(size, before, out);
        return;
      }
      (void)read(size, before, room + size);
      const double* result = compute(n, room, room + matrices * size);
      for (Int i = 0; i < size; ++i) out[i] = static_cast<T>(result[i]);
    };
    return {run, bytes_of<double>(matrices * size + vectors * n)};
  });
}

/// Overwrites the lower half of S with L of S = L L^T; false if S is not positive definite.
bool factor(Int n, double* s) {
  for (Int i = 0; i < n; ++i) {
    double* row = s + i * n;
    for (Int j = 0; j < i; ++j) row[j] = (row[j] - dot(j, row, s + j * n)) / s[j * n + j];
    const double square = row[i] - dot(i, row, row);
    if (!(square > 0)) return false;
    row[i] = std::sqrt(square);
  }
  return true;
}

/// Overwrites L with L^-1; `work` has n numbers.
void invert_lower(Int n, double* l, double* work) {
  for (Int i = 0; i < n; ++i) {
    double* row = l + i * n;
    std::copy_n(row, i + 1, work);
    std::fill_n(row, i, 0.0);
    for (Int k = 0; k < i; ++k) add(k + 1, -work[k] / work[i], l + k * n, row);
    row[i] = 1 / work[i];
  }
}

/// M^T M for a lower triangular M.
void square_lower(Int n, const double* m, double* result) {
  for (Int i = 0; i < n; ++i) {
    double* row = result + i * n;
    std::fill_n(row, i + 1, 0.0);
    for (Int k = i; k < n; ++k) add(i + 1, m[k * n + i], m + k * n, row);
  }
  for (Int i = 0; i < n; ++i) {
    for (Int j = 0; j < i; ++j) result[j * n + i] = result[i * n + j];
  }
}

/// Makes column j orthogonal to the columns before it and normalises it. Returns its length before normalisation.
double normalise(Int n, double* columns, Int j) {
  double* c = columns + j * n;
  for (int round = 0; round < 2; ++round) {  // the second pass removes the rounding errors of the first
    for (Int k = 0; k < j; ++k) add(n, -dot(n, columns + k * n, c), columns + k * n, c);
  }
  const double length = std::sqrt(dot(n, c, c));
  for (Int i = 0; i < n; ++i) c[i] /= length;
  return length;
}

/// Gram-Schmidt with two passes. A column that depends linearly on those before it is replaced by one of `others`;
/// those are orthogonal, so that at least one of them is independent.
void orthonormalise(Int n, double* columns, const double* others) {
  double largest = 0;
  for (Int j = 0; j < n; ++j) largest = std::max(largest, dot(n, columns + j * n, columns + j * n));
  const double least = static_cast<double>(n) * std::numeric_limits<double>::epsilon() * std::sqrt(largest);
  for (Int j = 0; j < n; ++j) {
    if (normalise(n, columns, j) > least) continue;
    const double enough = 0.1 / std::sqrt(static_cast<double>(n));
    for (Int tried = 0; tried < n; ++tried) {
      std::copy_n(others + (j + tried) % n * n, n, columns + j * n);
      if (normalise(n, columns, j) > enough) break;
    }
  }
}

}  // namespace

void decompose_symmetric(Int n, double* rows, double* values, double* work) {
  if (n > 0) Decomposition(n, rows, values, work).run();
}

Kernel make_inverse_root(const KernelSite& site) {
  const double exponent = -1.0 / static_cast<double>(site.ints[0]), ridge = site.number;
  return make(site, 2, 2, [=](Int n, double* room, double* vectors) {
    double *rows = room, *result = room + n * n, *values = vectors;
    decompose_symmetric(n, rows, values, vectors + n);
    std::fill_n(result, n * n, 0.0);
    for (Int k = 0; k < n; ++k) {
      const double power = std::pow(std::max(values[k], 0.0) + ridge, exponent);
      const double* v = rows + k * n;
      for (Int i = 0; i < n; ++i) add(n, power * v[i], v, result + i * n);
    }
    return result;
  });
}

Kernel make_damped_inverse(const KernelSite& site) {
  const Int n = site.output.shape[0], size = n * n;
  return for_float(site.output.dtype, [&]<class T>(T) -> Kernel {
    const auto run = [=](const KernelCall& call) {
      auto *matrix = reinterpret_cast<double*>(call.scratch), *inverse = matrix + size, *work = inverse + size;
      const bool due = *call.in<double>(2) != 0 && read(size, call.in<T>(0), matrix);
      for (Int i = 0; due && i < n; ++i) matrix[i * n + i] += *call.in<double>(3);
      if (!due || !factor(n, matrix)) {
        keep(size, call.in<T>(1), call.out<T>());
        return;
      }
      invert_lower(n, matrix, work);
      square_lower(n, matrix, inverse);
      for (Int i = 0; i < size; ++i) call.out<T>()[i] = static_cast<T>(inverse[i]);
    };
    return {run, bytes_of<double>(2 * size + n)};
  });
}

Kernel make_eigenvectors(const KernelSite& site) {
  return make(site, 2, 2, [](Int n, double* room, double* vectors) {
    double *rows = room, *result = room + n * n, *values = vectors;
    decompose_symmetric(n, rows, values, vectors + n);
    for (Int k = 0; k < n; ++k) {  // the largest first: each is swapped to its position
      const Int largest = std::max_element(values + k, values + n) - values;
      std::swap(values[k], values[largest]);
      if (largest != k) std::swap_ranges(rows + k * n, rows + (k + 1) * n, rows + largest * n);
    }
    transpose(n, rows, result);
    return result;
  });
}

Kernel make_orthogonal_iteration(const KernelSite& site) {
  return make(site, 4, 0, [](Int n, double* room, double*) {
    double *s = room, *q = room + n * n, *columns = q + n * n, *result = columns + n * n;
    std::fill_n(result, n * n, 0.0);
    for (Int i = 0; i < n; ++i) {  // S Q
      for (Int k = 0; k < n; ++k) add(n, s[i * n + k], q + k * n, result + i * n);
    }
    transpose(n, result, columns);
    transpose(n, q, s);  // contiguous columns of Q, which replace those for which S Q gives no direction
    orthonormalise(n, columns, s);
    transpose(n, columns, result);
    return result;
  });
}

}  // namespace thalweg
