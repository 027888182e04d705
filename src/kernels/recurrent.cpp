#include "kernels/recurrent.hpp"

#include <algorithm>

#include "kernels/for_float.hpp"
#include "kernels/strided_product.hpp"
#include "tiles/micro_ops.hpp"

namespace thalweg {

namespace {

/// The vector loop of an activation.
template <class T>
class Activation {
 public:
  explicit Activation(std::string_view name) : run_(find_micro_op(name)->run<T>()) {}
  void operator()(T* to, const T* from, std::int64_t n) const {
    const void* operands[] = {from};
    run_(to, operands, n);
  }

 private:
  MicroOp::Run run_;
};

struct Sizes {
  std::int64_t batch, time, units;
  /// Whether the carry's cotangent passes from step t to step t - 1.
  [[nodiscard]] static bool passes(std::int64_t t, std::int64_t truncate) {
    return truncate == 0 || t == 0 || t % truncate != 0;
  }
};

Sizes sizes_of(const Signature& sequence, std::int64_t units) { return {sequence.shape[0], sequence.shape[1], units}; }

}  // namespace

// z = x + h U; i, f, o = sigmoid(z), g = tanh(z); c = f c' + i g; h = o tanh(c)
Kernel make_lstm(const KernelSite& site) {
  const Sizes s = sizes_of(site.inputs[0], site.inputs[1].shape[0]);
  return for_float(site.output.dtype, [&]<class T>(T) {
    const auto run = [s, sigmoid = Activation<T>("sigmoid"), tanh = Activation<T>("tanh")](const KernelCall& call) {
      const std::int64_t n = s.units, row = 6 * n;
      const T *x = call.in<T>(0), *weights = call.in<T>(1), *h0 = call.in<T>(2), *c0 = call.in<T>(3);
      T *y = call.out<T>(), *z = reinterpret_cast<T*>(call.scratch);  // (batch, 4 units)
      for (std::int64_t t = 0; t < s.time; ++t) {
        const T* h = t == 0 ? h0 : y + (t - 1) * row;
        strided_product({false, t == 0 ? n : s.time * row}, {false, 4 * n}, s.batch, 4 * n, n, h, weights, z, 4 * n,
                        false);
        for (std::int64_t b = 0; b < s.batch; ++b) {
          T *sum = z + b * 4 * n, *out = y + (b * s.time + t) * row, *gates = out + 2 * n;
          const T *from = x + (b * s.time + t) * 4 * n, *c = t == 0 ? c0 + b * n : out - row + n;
          for (std::int64_t k = 0; k < 4 * n; ++k) sum[k] += from[k];
          sigmoid(gates, sum, 2 * n);
          tanh(gates + 2 * n, sum + 2 * n, n);
          sigmoid(gates + 3 * n, sum + 3 * n, n);
          for (std::int64_t k = 0; k < n; ++k) out[n + k] = gates[n + k] * c[k] + gates[k] * gates[2 * n + k];
          tanh(sum, out + n, n);
          for (std::int64_t k = 0; k < n; ++k) out[k] = gates[3 * n + k] * sum[k];
        }
      }
    };
    return Kernel{run, bytes_of<T>(4 * s.batch * s.units)};
  });
}

Kernel make_lstm_gradient(const KernelSite& site) {
  const Sizes s = sizes_of(site.inputs[2], site.inputs[0].shape[0]);
  const std::int64_t truncate = site.ints[0];
  return for_float(site.output.dtype, [&]<class T>(T) {
    const auto run = [s, truncate, tanh = Activation<T>("tanh")](const KernelCall& call) {
      const std::int64_t n = s.units, row = 6 * n;
      const T *weights = call.in<T>(0), *c0 = call.in<T>(1), *y = call.in<T>(2), *g = call.in<T>(3);
      T *dx = call.out<T>(), *dh = reinterpret_cast<T*>(call.scratch), *dc = dh + s.batch * n,
        *tanh_c = dc + s.batch * n;
      std::fill_n(dh, 2 * s.batch * n, T{0});
      const std::int64_t dx_batch = (s.time + 1) * 4 * n;
      for (std::int64_t t = s.time - 1; t >= 0; --t) {
        for (std::int64_t b = 0; b < s.batch; ++b) {
          const std::int64_t at = (b * s.time + t) * row;
          const T *i = y + at + 2 * n, *f = i + n, *c_hat = f + n, *o = c_hat + n, *own = g + at;
          const T* c_before = t == 0 ? c0 + b * n : y + at - row + n;
          T *d = dx + b * dx_batch + t * 4 * n, *dh_b = dh + b * n, *dc_b = dc + b * n;
          tanh(tanh_c, y + at + n, n);
          for (std::int64_t k = 0; k < n; ++k) {
            const T h = dh_b[k] + own[k], th = tanh_c[k];
            const T c = dc_b[k] + own[n + k] + h * o[k] * (1 - th * th);
            d[k] = (c * c_hat[k] + own[2 * n + k]) * i[k] * (1 - i[k]);
            d[n + k] = (c * c_before[k] + own[3 * n + k]) * f[k] * (1 - f[k]);
            d[2 * n + k] = (c * i[k] + own[4 * n + k]) * (1 - c_hat[k] * c_hat[k]);
            d[3 * n + k] = (h * th + own[5 * n + k]) * o[k] * (1 - o[k]);
            dc_b[k] = c * f[k];
          }
        }
        if (Sizes::passes(t, truncate)) {
          strided_product({false, dx_batch}, {true, 4 * n}, s.batch, n, 4 * n, dx + t * 4 * n, weights, dh, n, false);
        } else {
          std::fill_n(dh, 2 * s.batch * n, T{0});
        }
      }
      for (std::int64_t b = 0; b < s.batch; ++b) {
        T* last = dx + b * dx_batch + s.time * 4 * n;
        std::copy_n(dh + b * n, n, last);
        std::copy_n(dc + b * n, n, last + n);
        std::fill_n(last + 2 * n, 2 * n, T{0});
      }
    };
    return Kernel{run, bytes_of<T>((2 * s.batch + 1) * s.units)};
  });
}

// r, z = sigmoid(x + h U); m = h U_n + c_n; n = tanh(x_n + r m); h = (1 - z) n + z h'
Kernel make_gru(const KernelSite& site) {
  const Sizes s = sizes_of(site.inputs[0], site.inputs[1].shape[0]);
  return for_float(site.output.dtype, [&]<class T>(T) {
    const auto run = [s, sigmoid = Activation<T>("sigmoid"), tanh = Activation<T>("tanh")](const KernelCall& call) {
      const std::int64_t n = s.units, row = 5 * n;
      const T *x = call.in<T>(0), *weights = call.in<T>(1), *bias = call.in<T>(2), *h0 = call.in<T>(3);
      T *y = call.out<T>(), *sums = reinterpret_cast<T*>(call.scratch);  // (batch, 3 units)
      for (std::int64_t t = 0; t < s.time; ++t) {
        strided_product({false, t == 0 ? n : s.time * row}, {false, 3 * n}, s.batch, 3 * n, n,
                        t == 0 ? h0 : y + (t - 1) * row, weights, sums, 3 * n, false);
        for (std::int64_t b = 0; b < s.batch; ++b) {
          T *sum = sums + b * 3 * n, *out = y + (b * s.time + t) * row, *r = out + n, *z = r + n, *c = z + n,
            *m = c + n;
          const T *from = x + (b * s.time + t) * 3 * n, *h = t == 0 ? h0 + b * n : out - row;
          for (std::int64_t k = 0; k < 2 * n; ++k) sum[k] += from[k];
          sigmoid(r, sum, 2 * n);
          for (std::int64_t k = 0; k < n; ++k) {
            m[k] = sum[2 * n + k] + bias[k];
            sum[k] = from[2 * n + k] + r[k] * m[k];
          }
          tanh(c, sum, n);
          for (std::int64_t k = 0; k < n; ++k) out[k] = (1 - z[k]) * c[k] + z[k] * h[k];
        }
      }
    };
    return Kernel{run, bytes_of<T>(3 * s.batch * s.units)};
  });
}

Kernel make_gru_gradient(const KernelSite& site) {
  const Sizes s = sizes_of(site.inputs[2], site.inputs[0].shape[0]);
  const std::int64_t truncate = site.ints[0];
  return for_float(site.output.dtype, [&]<class T>(T) {
    const auto run = [s, truncate](const KernelCall& call) {
      const std::int64_t n = s.units, row = 5 * n, d_batch = (s.time + 1) * 4 * n;
      const T *weights = call.in<T>(0), *h0 = call.in<T>(1), *y = call.in<T>(2), *g = call.in<T>(3);
      T *d = call.out<T>(), *dh = reinterpret_cast<T*>(call.scratch);
      std::fill_n(dh, s.batch * n, T{0});
      for (std::int64_t t = s.time - 1; t >= 0; --t) {
        for (std::int64_t b = 0; b < s.batch; ++b) {
          const std::int64_t at = (b * s.time + t) * row;
          const T *r = y + at + n, *z = r + n, *c = z + n, *m = c + n, *own = g + at;
          const T* h = t == 0 ? h0 + b * n : y + at - row;
          T *into = d + b * d_batch + t * 4 * n, *dh_b = dh + b * n;
          for (std::int64_t k = 0; k < n; ++k) {
            const T total = dh_b[k] + own[k];
            const T dc = (total * (1 - z[k]) + own[3 * n + k]) * (1 - c[k] * c[k]);
            into[k] = (dc * m[k] + own[n + k]) * r[k] * (1 - r[k]);
            into[n + k] = (total * (h[k] - c[k]) + own[2 * n + k]) * z[k] * (1 - z[k]);
            into[2 * n + k] = dc;
            into[3 * n + k] = dc * r[k] + own[4 * n + k];
            dh_b[k] = total * z[k];
          }
        }
        if (!Sizes::passes(t, truncate)) {
          std::fill_n(dh, s.batch * n, T{0});
          continue;
        }
        const T* step = d + t * 4 * n;
        strided_product({false, d_batch}, {true, 3 * n}, s.batch, n, 2 * n, step, weights, dh, n, true);
        strided_product({false, d_batch}, {true, 3 * n}, s.batch, n, n, step + 3 * n, weights + 2 * n, dh, n, true);
      }
      for (std::int64_t b = 0; b < s.batch; ++b) {
        T* last = d + b * d_batch + s.time * 4 * n;
        std::copy_n(dh + b * n, n, last);
        std::fill_n(last + n, 3 * n, T{0});
      }
    };
    return Kernel{run, bytes_of<T>(s.batch * s.units)};
  });
}

}  // namespace thalweg
