#include "optim/elements.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "core/error.hpp"
#include "core/norm.hpp"

namespace thalweg {

namespace {

void expect_alike(const ConstElements& a, const ConstElements& b) {
  if (a.size != b.size || a.dtype != b.dtype) defect("vectors of {} {} and {} {}", a.size, a.dtype, b.size, b.dtype);
}

/// sum_i term(i), by eight running sums in turn, an order that vector instructions keep.
template <class Term>
double sum_of(std::int64_t n, Term term) {
  constexpr std::int64_t lanes = 8;
  double sums[lanes] = {};
  std::int64_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    for (std::int64_t lane = 0; lane < lanes; ++lane) sums[lane] += term(i + lane);
  }
  for (; i < n; ++i) sums[i % lanes] += term(i);
  return ((sums[0] + sums[1]) + (sums[2] + sums[3])) + ((sums[4] + sums[5]) + (sums[6] + sums[7]));
}

}  // namespace

Elements row_of(Tensor& t, std::int64_t row, std::int64_t elements) {
  return {t.mutable_raw() + row * elements * static_cast<std::int64_t>(size_of(t.dtype())), elements, t.dtype()};
}

double dot(ConstElements a, ConstElements b) {
  expect_alike(a, b);
  return by_dtype(a.dtype, [&](auto zero) {
    const auto *x = values<decltype(zero)>(a), *y = values<decltype(zero)>(b);
    return sum_of(a.size, [&](std::int64_t i) { return static_cast<double>(x[i]) * static_cast<double>(y[i]); });
  });
}

double norm(ConstElements a) {
  const double squares = dot(a, a);
  if (squares > 1e-280 && std::isfinite(squares)) return std::sqrt(squares);
  return by_dtype(a.dtype, [&](auto zero) {
    return norm_of(std::span(values<decltype(zero)>(a), static_cast<std::size_t>(a.size)));
  });
}

std::string_view why_not_down(ConstElements gradient, ConstElements direction) {
  constexpr double least = 1e-300;  // smaller products may round to 0
  const double slope = max_abs(gradient), length = max_abs(direction);
  if (slope == 0) return "the gradient is 0";
  if (length > 0 && slope * length < least)
    return "the slope is too small for a number; multiply the function by a large factor";
  const double product = dot(gradient, direction);
  if (std::isnan(product)) return "the direction is not a number";
  if (std::isinf(product)) return "the slope is too large for a number; multiply the function by a small factor";
  return "the direction does not lead down";
}

double sum_abs(ConstElements a) {
  return by_dtype(a.dtype, [&](auto zero) {
    const auto* x = values<decltype(zero)>(a);
    return sum_of(a.size, [&](std::int64_t i) { return std::abs(static_cast<double>(x[i])); });
  });
}

double max_abs(ConstElements a) {
  return by_dtype(a.dtype, [&](auto zero) {
    const auto* x = values<decltype(zero)>(a);
    double most = 0;
    for (std::int64_t i = 0; i < a.size; ++i) most = std::max(most, std::abs(static_cast<double>(x[i])));
    return most;
  });
}

void copy(ConstElements from, Elements to) {
  expect_alike(from, to);
  if (from.size > 0) std::memmove(to.data, from.data, static_cast<std::size_t>(from.size) * size_of(from.dtype));
}

void fill(Elements to, double value) {
  by_dtype(to.dtype,
           [&](auto zero) { std::fill_n(values<decltype(zero)>(to), to.size, static_cast<decltype(zero)>(value)); });
}

void scale(Elements x, double factor) {
  by_dtype(x.dtype, [&](auto zero) {
    auto* a = values<decltype(zero)>(x);
    for (std::int64_t i = 0; i < x.size; ++i) a[i] = static_cast<decltype(zero)>(factor * static_cast<double>(a[i]));
  });
}

void add(Elements y, double factor, ConstElements x) { move(y, factor, x, y); }

void move(ConstElements x, double factor, ConstElements d, Elements out) {
  expect_alike(x, d);
  expect_alike(x, out);
  by_dtype(x.dtype, [&](auto zero) {
    const auto *a = values<decltype(zero)>(x), *b = values<decltype(zero)>(d);
    auto* to = values<decltype(zero)>(out);
    for (std::int64_t i = 0; i < x.size; ++i) {
      to[i] = static_cast<decltype(zero)>(static_cast<double>(a[i]) + factor * static_cast<double>(b[i]));
    }
  });
}

void subtract(ConstElements a, ConstElements b, Elements out) { move(a, -1, b, out); }

}  // namespace thalweg
