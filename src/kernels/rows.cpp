#include "kernels/rows.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/error.hpp"
#include "core/index.hpp"
#include "core/view.hpp"
#include "kernels/for_float.hpp"
#include "tiles/micro_ops.hpp"

namespace thalweg {

namespace {

/// The vector loops of one element type.
template <class T>
struct Loops {
  static constexpr unsigned second_is_number = 2;
  MicroOp::Run subtract = find_micro_op("sub")->run<T>(second_is_number);
  MicroOp::Run exp = find_micro_op("exp")->run<T>();
  MicroOp::Run multiply = find_micro_op("mul")->run<T>(second_is_number);
  const Reducer* max = find_reducer("max");
  const Reducer* sum = find_reducer("sum");

  T largest(const T* x, std::int64_t n) const { return max->row(x, n); }
  /// sum e^(x - shift); if `terms` is given, the terms are stored there.
  T sum_of_exponentials(const T* x, std::int64_t n, T shift, T* terms) const {
    constexpr std::int64_t tile = 512;
    alignas(64) T own[tile];
    alignas(64) T lanes[reduce_lanes<T>] = {};
    for (std::int64_t i = 0; i < n; i += tile) {
      const std::int64_t size = std::min(tile, n - i);
      T* e = terms ? terms + i : own;
      const void* shifted[] = {x + i, &shift};
      subtract(e, shifted, size);
      const void* raised[] = {e};
      exp(e, raised, size);
      if (n <= tile) return sum->row(e, n);
      sum->accumulate(lanes, e, size);
    }
    return sum->fold(lanes);
  }
};

struct RowShape {
  std::int64_t rows, n;
};

RowShape row_shape(const Shape& shape) {
  const std::int64_t n = shape[-1];
  return {n ? shape.size() / n : 0, n};
}

/// Runs body(row) for all rows, several rows to a task.
template <class Body>
void for_rows(const KernelCall& call, RowShape shape, const Body& body) {
  const std::int64_t per_part = std::max<std::int64_t>(1, split_elements / std::max<std::int64_t>(1, shape.n));
  call.workers.run((shape.rows + per_part - 1) / per_part, [&](std::int64_t part) {
    const std::int64_t end = std::min(shape.rows, (part + 1) * per_part);
    for (std::int64_t row = part * per_part; row < end; ++row) body(row);
  });
}

}  // namespace

Kernel make_logsumexp(const KernelSite& site) {
  const RowShape shape = row_shape(site.inputs[0].shape);
  return for_float(site.output.dtype, [&]<class T>(T) {
    return Kernel{[shape, loops = Loops<T>()](const KernelCall& call) {
                    for_rows(call, shape, [&](std::int64_t row) {
                      const T* x = call.in<T>(0) + row * shape.n;
                      const T m = loops.largest(x, shape.n);
                      // all -inf, a +inf or a NaN: x - m would turn a known result into NaN
                      const T sum = std::isfinite(m) ? loops.sum_of_exponentials(x, shape.n, m, nullptr) : T{1};
                      call.out<T>()[2 * row] = m;
                      call.out<T>()[2 * row + 1] = std::log(sum);
                    });
                  },
                  0};
  });
}

Kernel make_softmax(const KernelSite& site) {
  const RowShape shape = row_shape(site.inputs[0].shape);
  return for_float(site.output.dtype, [&]<class T>(T) {
    return Kernel{[shape, loops = Loops<T>()](const KernelCall& call) {
                    for_rows(call, shape, [&](std::int64_t row) {
                      const T* x = call.in<T>(0) + row * shape.n;
                      T* y = call.out<T>() + row * shape.n;
                      const T scale = 1 / loops.sum_of_exponentials(x, shape.n, loops.largest(x, shape.n), y);
                      const void* scaled[] = {y, &scale};
                      loops.multiply(y, scaled, shape.n);
                    });
                  },
                  0};
  });
}

Kernel make_argmax(const KernelSite& site) {
  const RowShape shape = row_shape(site.inputs[0].shape);
  return for_float(site.inputs[0].dtype, [&]<class T>(T) {
    return Kernel{[shape](const KernelCall& call) {
                    for_rows(call, shape, [&](std::int64_t row) {
                      const T* x = call.in<T>(0) + row * shape.n;
                      std::int64_t best = 0;
                      for (std::int64_t i = 1; i < shape.n; ++i) {
                        if (x[i] > x[best] || (std::isnan(x[i]) && !std::isnan(x[best]))) best = i;
                      }
                      call.out<std::int32_t>()[row] = static_cast<std::int32_t>(best);
                    });
                  },
                  0};
  });
}

namespace {
/// Sums in f64, block by block, so that the error of a sum of n grows with n / 4096 + 4096 instead of n.
template <class T>
void running_sums(const T* x, T* y, std::int64_t n, bool from_end) {
  constexpr std::int64_t block = 4096;
  double before = 0;
  for (std::int64_t begin = 0; begin < n; begin += block) {
    double inside = 0;
    for (std::int64_t i = begin; i < std::min(n, begin + block); ++i) {
      const std::int64_t place = from_end ? n - 1 - i : i;
      inside += static_cast<double>(x[place]);
      y[place] = static_cast<T>(before + inside);
    }
    before += inside;
  }
}
}  // namespace

Kernel make_cumsum(const KernelSite& site) {
  const RowShape shape = row_shape(site.inputs[0].shape);
  const bool from_end = site.ints[0] != 0;
  return for_float(site.output.dtype, [&]<class T>(T) {
    return Kernel{[shape, from_end](const KernelCall& call) {
                    for_rows(call, shape, [&](std::int64_t row) {
                      const T* x = call.in<T>(0) + row * shape.n;
                      T* y = call.out<T>() + row * shape.n;
                      running_sums(x, y, shape.n, from_end);
                    });
                  },
                  0};
  });
}

namespace {
[[noreturn]] void no_such_row(std::string_view op, std::int32_t index, std::int64_t rows, std::int64_t place,
                              std::int64_t places) {
  throw IndexError(op, fmt::format("index {}", index), place, places,
                   fmt::format(", of a table of {} rows. Hint: indices run from 0 to {}.", rows, rows - 1));
}
}  // namespace

UsageError IndexError::in_row(std::int64_t row, std::string_view of) const {
  return UsageError(fmt::format("{} in row {} of the {}{}", before_, row, of, after_));
}

Kernel make_gather(const KernelSite& site) {
  const std::int64_t rows = site.inputs[0].shape[0], count = site.inputs[1].shape.size();
  const std::int64_t width = rows ? site.inputs[0].shape.size() / rows : 0;
  const auto bytes = width * static_cast<std::int64_t>(size_of(site.output.dtype));
  return {[=](const KernelCall& call) {
            const auto* indices = call.in<std::int32_t>(1);
            for_rows(call, {count, width}, [&](std::int64_t i) {
              const std::int32_t index = indices[i];
              if (index < 0 || index >= rows) no_such_row("gather", index, rows, i, count);
              std::copy_n(call.inputs[0] + index * bytes, bytes, call.outputs[0] + i * bytes);
            });
          },
          0};
}

Kernel make_pick(const KernelSite& site) {
  const RowShape shape = row_shape(site.inputs[0].shape);
  return for_float(site.output.dtype, [&]<class T>(T) {
    return Kernel{[shape](const KernelCall& call) {
                    const auto* labels = call.in<std::int32_t>(1);
                    for (std::int64_t row = 0; row < shape.rows; ++row) {
                      if (labels[row] < 0 || labels[row] >= shape.n) {
                        throw IndexError(
                            "pick", fmt::format("label {}", labels[row]), row, shape.rows,
                            fmt::format(", of {} classes. Hint: labels run from 0 to {}.", shape.n, shape.n - 1));
                      }
                      call.out<T>()[row] = call.in<T>(0)[row * shape.n + labels[row]];
                    }
                  },
                  0};
  });
}

Kernel make_to_i32(const KernelSite& site) {
  return for_float(site.inputs[0].dtype, [&]<class T>(T) {
    return Kernel{[size = site.output.shape.size()](const KernelCall& call) {
                    for (std::int64_t i = 0; i < size; ++i) {
                      using Limits = std::numeric_limits<std::int32_t>;
                      const double x = static_cast<double>(call.in<T>(0)[i]);
                      const double nearest = std::clamp<double>(x, Limits::min(), Limits::max());
                      call.out<std::int32_t>()[i] = std::isnan(x) ? 0 : static_cast<std::int32_t>(nearest);
                    }
                  },
                  0};
  });
}

namespace {

/// The updates that are summed by themselves before they are added to the output, of `count` updates of a table with
/// so many rows: a sum that has grown large loses the digits of one more update. The output is read once more for each
/// block, which are few where each row gets many updates; a row of a large table may still get many in one block.
std::int64_t updates_in_block(std::int64_t rows, std::int64_t count) {
  return std::min(count, std::max<std::int64_t>(16 * rows, 8192));
}

}  // namespace

Kernel make_scatter_add(const KernelSite& site) {
  const std::int64_t rows = site.output.shape[0], count = site.inputs[1].shape.size(), size = site.output.shape.size();
  const std::int64_t width = rows ? size / rows : 0, block = updates_in_block(rows, count);
  return for_float(site.output.dtype, [&]<class T>(T) {
    const MicroOp::Run plus = find_micro_op("add")->run<T>();
    const auto add = [plus](T* to, const T* one, std::int64_t numbers) {
      const void* operands[] = {to, one};
      plus(to, operands, numbers);
    };
    return Kernel{[=](const KernelCall& call) {
                    T* const table = call.out<T>();
                    T* const sums = count > block ? reinterpret_cast<T*>(call.scratch) : table;
                    std::fill_n(table, size, T{0});
                    const auto* indices = call.in<std::int32_t>(1);
                    for (std::int64_t begin = 0; begin < count; begin += block) {
                      if (sums != table) std::fill_n(sums, size, T{0});
                      for (std::int64_t i = begin; i < std::min(begin + block, count); ++i) {  // in order
                        if (indices[i] < 0 || indices[i] >= rows)
                          no_such_row("scatter_add", indices[i], rows, i, count);
                        add(sums + indices[i] * width, call.in<T>(0) + i * width, width);
                      }
                      if (sums != table) add(table, sums, size);
                    }
                  },
                  count > block ? site.output.bytes() : 0};
  });
}

Kernel make_concat(const KernelSite& site) {
  const int axis = static_cast<int>(site.ints[0]);
  std::int64_t outer = 1;
  for (int a = 0; a < axis; ++a) outer *= site.output.shape[a];
  std::vector<std::int64_t> runs;  // bytes of each part per outer index
  for (const Signature& part : site.inputs) runs.push_back(outer ? static_cast<std::int64_t>(part.bytes()) / outer : 0);
  return {[=](const KernelCall& call) {
            std::byte* to = call.outputs[0];
            for (std::int64_t o = 0; o < outer; ++o) {
              for (std::size_t part = 0; part < runs.size(); ++part)
                to = std::copy_n(call.inputs[part] + o * runs[part], runs[part], to);
            }
          },
          0};
}

Kernel make_pad(const KernelSite& site) {
  const Shape from = site.inputs[0].shape, to = site.output.shape;
  View inside = View::dense(to);
  for (int axis = 0; axis < to.rank(); ++axis) {
    const std::int64_t before = at(site.ints, 3 * axis), step = at(site.ints, 3 * axis + 2);
    inside = inside.slice(axis, before, before + from[axis] * step, step);
  }
  return for_float(site.output.dtype, [&]<class T>(T) {
    return Kernel{[=, size = to.size(), count = from.size(), row = from.rank() ? from[-1] : 1](const KernelCall& call) {
                    std::fill_n(call.out<T>(), size, T{0});
                    for (std::int64_t flat = 0; flat < count; flat += row) {
                      std::int64_t left = flat / row, place = inside.offset;
                      for (int axis = from.rank() - 2; axis >= 0; --axis) {
                        place += (left % from[axis]) * at(inside.strides, axis);
                        left /= from[axis];
                      }
                      const std::int64_t stride = from.rank() ? at(inside.strides, from.rank() - 1) : 1;
                      for (std::int64_t i = 0; i < row; ++i)
                        call.out<T>()[place + i * stride] = call.in<T>(0)[flat + i];
                    }
                  },
                  0};
  });
}

}  // namespace thalweg
