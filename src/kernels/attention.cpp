#include "kernels/attention.hpp"

#include <algorithm>
#include <cmath>

#include "core/index.hpp"
#include "kernels/for_float.hpp"
#include "kernels/softmax_rows.hpp"
#include "kernels/strided_product.hpp"

namespace thalweg {

namespace {

constexpr std::int64_t block_queries = 64;
/// The items, which are pairs (sample, head), are divided among this fixed number of tasks, because each task needs its
/// own scratch.
constexpr std::int64_t most_tasks = 8;
/// Multiplications below which the work stays on one thread.
constexpr std::int64_t split_work = 1 << 20;

struct Attention {
  AttentionShape shape;
  bool causal, has_lengths;
  double scale;
  int lengths_input;

  explicit Attention(const KernelSite& site, int after)
      : causal(site.ints[0] != 0), has_lengths(site.ints[1] != 0), scale(site.number) {
    lengths_input = count(site.inputs) - after - (has_lengths ? 1 : 0);
    shape = AttentionShape::of(site.inputs.first(static_cast<std::size_t>(lengths_input)));
  }

  [[nodiscard]] std::int64_t items() const { return shape.items(); }
  [[nodiscard]] std::int64_t tasks() const {
    const std::int64_t work = items() * shape.queries * shape.keys * shape.width;
    return work < split_work ? 1 : std::min(items(), most_tasks);
  }
  [[nodiscard]] std::int64_t padded(std::int64_t n) const {
    return (n + softmax_multiple - 1) / softmax_multiple * softmax_multiple;
  }
  /// Elements of one block of scores.
  [[nodiscard]] std::int64_t block() const { return std::min(block_queries, shape.queries) * padded(shape.keys); }

  /// The number of keys that a query attends to, counted from the first one.
  [[nodiscard]] std::int64_t visible(std::int64_t length, std::int64_t query) const {
    const std::int64_t seen = causal ? query + 1 + shape.keys - shape.queries : shape.keys;
    return std::clamp<std::int64_t>(seen, 0, length);
  }
  [[nodiscard]] std::int64_t length(const KernelCall& call, std::int64_t sample) const {
    if (!has_lengths) return shape.keys;
    return std::clamp<std::int64_t>(call.in<std::int32_t>(lengths_input)[sample], 0, shape.keys);
  }
  [[nodiscard]] static std::int64_t place(const AttentionShape::Part& part, std::int64_t sample, std::int64_t head,
                                          std::int64_t width) {
    return part.offset + sample * part.batch + head * width;
  }
  template <class T>
  [[nodiscard]] const T* at(const KernelCall& call, const AttentionShape::Part& part, std::int64_t item) const {
    return call.in<T>(part.input) + place(part, item / shape.heads, item % shape.heads, shape.width);
  }

  /// Runs body(item, scratch) for all items.
  template <class T, class Body>
  void each_item(const KernelCall& call, std::int64_t scratch, const Body& body) const {
    const std::int64_t count = tasks(), all = items();
    call.workers.run(count, [&](std::int64_t task) {
      T* own = reinterpret_cast<T*>(call.scratch) + task * scratch;
      for (std::int64_t item = all * task / count; item < all * (task + 1) / count; ++item) body(item, own);
    });
  }

  /// The probabilities of a block of queries over `n` keys, in rows of padded(n): zero for masked keys.
  template <class T>
  void probabilities(const T* q, const T* k, std::int64_t begin, std::int64_t rows, std::int64_t n, std::int64_t length,
                     T* p) const {
    const std::int64_t ld = padded(n);
    strided_product({false, shape.q.time}, {true, shape.k.time}, rows, n, shape.width, q + begin * shape.q.time, k, p,
                    ld, false);
    for (std::int64_t r = 0; r < rows; ++r)
      softmax_row(p + r * ld, visible(length, begin + r), ld, static_cast<T>(scale));
  }

  template <class T>
  void forward(const KernelCall& call, std::int64_t item, T* p) const {
    const std::int64_t row = shape.heads * shape.width, sample = item / shape.heads;
    const std::int64_t seen = length(call, sample);
    const T *q = at<T>(call, shape.q, item), *k = at<T>(call, shape.k, item), *v = at<T>(call, shape.v, item);
    T* y = call.out<T>() + sample * shape.queries * row + item % shape.heads * shape.width;
    for (std::int64_t begin = 0; begin < shape.queries; begin += block_queries) {
      const std::int64_t rows = std::min(block_queries, shape.queries - begin), n = visible(seen, begin + rows - 1);
      T* out = y + begin * row;
      if (n == 0) {
        fill_zero(out, rows, row);
        continue;
      }
      probabilities(q, k, begin, rows, n, seen, p);
      strided_product({false, padded(n)}, {false, shape.v.time}, rows, shape.width, n, p, v, out, row, false);
    }
  }

  template <class T>
  void fill_zero(T* rows_at, std::int64_t rows, std::int64_t step) const {
    for (std::int64_t r = 0; r < rows; ++r) std::fill_n(rows_at + r * step, shape.width, T{0});
  }

  /// Cotangents of the part `which` of the inputs: with P = softmax(scale Q K^T) and G the cotangent of the output, dV
  /// = P^T G, dS = scale P (G V^T - rowsum(P G V^T)), dQ = dS K, dK = dS^T Q.
  template <class T>
  void backward(const KernelCall& call, int which, int g_input, std::int64_t item, T* p) const {
    const std::int64_t row = shape.heads * shape.width, sample = item / shape.heads, head = item % shape.heads;
    const std::int64_t seen = length(call, sample);
    const T *q = at<T>(call, shape.q, item), *k = at<T>(call, shape.k, item), *v = at<T>(call, shape.v, item);
    const T* g = call.in<T>(g_input) + sample * shape.queries * row + head * shape.width;
    const auto out = [&](const AttentionShape::Part& part) {
      return part.input == which ? call.out<T>() + place(part, sample, head, shape.width) : nullptr;
    };
    T *dq = out(shape.q), *dk = out(shape.k), *dv = out(shape.v), *ds = p + block();
    if (dk) fill_zero(dk, shape.keys, shape.k.time);
    if (dv) fill_zero(dv, shape.keys, shape.v.time);
    for (std::int64_t begin = 0; begin < shape.queries; begin += block_queries) {
      const std::int64_t rows = std::min(block_queries, shape.queries - begin), n = visible(seen, begin + rows - 1);
      const std::int64_t ld = padded(n);
      T* dq_block = dq ? dq + begin * shape.q.time : nullptr;
      if (n == 0) {
        if (dq) fill_zero(dq_block, rows, shape.q.time);
        continue;
      }
      const T* g_block = g + begin * row;
      probabilities(q, k, begin, rows, n, seen, p);
      if (dv) strided_product({true, ld}, {false, row}, n, shape.width, rows, p, g_block, dv, shape.v.time, true);
      if (!dq && !dk) continue;
      strided_product({false, row}, {true, shape.v.time}, rows, n, shape.width, g_block, v, ds, ld, false);
      for (std::int64_t r = 0; r < rows; ++r) {
        softmax_row_gradient(p + r * ld, ds + r * ld, visible(seen, begin + r), ld, static_cast<T>(scale));
      }
      if (dq)
        strided_product({false, ld}, {false, shape.k.time}, rows, shape.width, n, ds, k, dq_block, shape.q.time, false);
      if (dk) {
        strided_product({true, ld}, {false, shape.q.time}, n, shape.width, rows, ds, q + begin * shape.q.time, dk,
                        shape.k.time, true);
      }
    }
  }
};

}  // namespace

Kernel make_attention(const KernelSite& site) {
  const Attention a(site, 0);
  return for_float(site.output.dtype, [&]<class T>(T) {
    return Kernel{[a](const KernelCall& call) {
                    a.each_item<T>(call, a.block(), [&](std::int64_t item, T* p) { a.forward(call, item, p); });
                  },
                  bytes_of<T>(a.tasks() * a.block())};
  });
}

Kernel make_attention_gradient(const KernelSite& site) {
  const Attention a(site, 1);
  const int which = static_cast<int>(site.ints[2]), g = count(site.inputs) - 1;
  return for_float(site.output.dtype, [&]<class T>(T) {
    return Kernel{[a, which, g](const KernelCall& call) {
                    a.each_item<T>(call, 2 * a.block(),
                                   [&](std::int64_t item, T* p) { a.backward(call, which, g, item, p); });
                  },
                  bytes_of<T>(2 * a.tasks() * a.block())};
  });
}

Kernel make_rotary(const KernelSite& site) {
  const Shape& shape = site.output.shape;
  const std::int64_t time = shape[1], heads = shape[2], width = shape[3], half = width / 2, rows = shape[0] * time;
  const std::int64_t turned = site.ints[0];
  const double base = site.number, direction = site.ints[1] != 0 ? -1 : 1;
  return for_float(site.output.dtype, [&]<class T>(T) {
    const auto run = [=](const KernelCall& call) {
      const auto* positions = call.in<std::int32_t>(1);
      T* table = reinterpret_cast<T*>(call.scratch);  // (time, 2, half): cosines and sines
      for (std::int64_t t = 0; t < time; ++t) {
        for (std::int64_t i = 0; i < half; ++i) {
          const double angle =
              direction * positions[t] * std::pow(base, -2.0 * static_cast<double>(i) / static_cast<double>(width));
          table[2 * t * half + i] = static_cast<T>(std::cos(angle));
          table[(2 * t + 1) * half + i] = static_cast<T>(std::sin(angle));
        }
      }
      const std::int64_t per_task = std::max<std::int64_t>(1, split_elements / (heads * width));
      call.workers.run((rows + per_task - 1) / per_task, [&](std::int64_t task) {
        for (std::int64_t row = task * per_task; row < std::min(rows, (task + 1) * per_task); ++row) {
          const T *cosine = table + 2 * (row % time) * half, *sine = cosine + half;
          const T* x = call.in<T>(0) + row * heads * width;
          T* y = call.out<T>() + row * heads * width;
          for (std::int64_t head = 0; head < turned; ++head, x += width, y += width) {
            for (std::int64_t i = 0; i < half; ++i) {
              const T a = x[i], b = x[i + half];
              y[i] = a * cosine[i] - b * sine[i];
              y[i + half] = a * sine[i] + b * cosine[i];
            }
          }
          std::copy_n(x, (heads - turned) * width, y);
        }
      });
    };
    return Kernel{run, bytes_of<T>(time * width)};
  });
}

}  // namespace thalweg
