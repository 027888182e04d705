#include "kernels/convolution.hpp"

#include <algorithm>
#include <array>

#include "kernels/for_float.hpp"
#include "kernels/onednn.hpp"
#include "kernels/winograd.hpp"
#include "tiles/micro_ops.hpp"

namespace thalweg {

namespace {

using Result = ConvolutionResult;

ConvolutionShape shape_of(const KernelSite& site, Result result) {
  const Shape& image = result == Result::image ? site.output.shape : site.inputs[0].shape;
  const Shape& filter = result == Result::filter ? site.output.shape : site.inputs[1].shape;
  const Shape& value = result == Result::value   ? site.output.shape
                       : result == Result::image ? site.inputs[0].shape
                                                 : site.inputs[1].shape;
  const auto& a = site.ints;
  const auto axis = [&](int at, std::size_t stride, std::size_t dilation, std::size_t before) {
    return ConvolutionShape::Axis{image[at], filter[at - 1], value[at], a[stride], a[dilation], a[before]};
  };
  return {image[0],
          axis(1, stride_height, dilation_height, before_height),
          axis(2, stride_width, dilation_width, before_width),
          image[3],
          value[3],
          a[groups]};
}

/// Calls body(x, f, y) for all positions of an image, a filter and a result that belong together, in a fixed order: the
/// position of the first channel of one group in each.
template <class Body>
void each_meeting(const ConvolutionShape& s, const Body& body) {
  const auto &h = s.height, &w = s.width;
  const std::int64_t in = s.in / s.groups, out = s.out / s.groups;
  for (std::int64_t i = 0; i < h.out; ++i) {
    for (std::int64_t j = 0; j < w.out; ++j) {
      for (std::int64_t u = 0; u < h.kernel; ++u) {
        const std::int64_t row = i * h.stride - h.before + u * h.dilation;
        if (row < 0 || row >= h.in) continue;
        for (std::int64_t v = 0; v < w.kernel; ++v) {
          const std::int64_t column = j * w.stride - w.before + v * w.dilation;
          if (column < 0 || column >= w.in) continue;
          for (std::int64_t g = 0; g < s.groups; ++g) {
            body((row * w.in + column) * s.in + g * in, (u * w.kernel + v) * in * s.out + g * out,
                 (i * w.out + j) * s.out + g * out);
          }
        }
      }
    }
  }
}

/// One sample in plain code. Adds to the result.
template <class T>
void plain_sample(Result result, const ConvolutionShape& s, T* x, T* f, T* y) {
  const std::int64_t in = s.in / s.groups, out = s.out / s.groups;
  each_meeting(s, [&](std::int64_t at_x, std::int64_t at_f, std::int64_t at_y) {
    for (std::int64_t c = 0; c < in; ++c) {
      T *row = f + at_f + c * s.out, *to = y + at_y, &from = x[at_x + c];
      if (result == Result::value) {
        for (std::int64_t o = 0; o < out; ++o) to[o] += from * row[o];
      } else if (result == Result::image) {
        for (std::int64_t o = 0; o < out; ++o) from += to[o] * row[o];
      } else {
        for (std::int64_t o = 0; o < out; ++o) row[o] += from * to[o];
      }
    }
  });
}

/// A batch is split into equal parts of at least this many multiplications, at most eight: the number of parts depends
/// only on the shape.
constexpr std::int64_t part_work = 12 * 1024 * 1024;
std::int64_t parts_of(const ConvolutionShape& s) {
  std::int64_t parts = std::clamp<std::int64_t>(s.batch * s.work() / part_work, 1, 8);
  while (s.batch % parts != 0) --parts;
  return parts;
}

std::size_t rounded(std::size_t bytes) { return (bytes + 63) / 64 * 64; }

template <class T>
struct Buffers {
  T *x, *f, *y;
  Buffers(Result result, const KernelCall& call) {
    const auto in = [&](int i) { return const_cast<T*>(call.in<T>(i)); };
    x = result == Result::image ? call.out<T>() : in(0);
    f = result == Result::filter ? call.out<T>() : in(1);
    y = result == Result::value ? call.out<T>() : result == Result::image ? in(0) : in(1);
  }
};

/// Adds the other parts to the first one, in order. They are `distance` apart and have `n` elements. Each task adds a
/// section of all parts, which stays in the first-level cache.
template <class T>
void add_parts(T* sums, std::int64_t parts, std::int64_t distance, std::int64_t n, Workers& workers) {
  static const MicroOp::Run add = find_micro_op("add")->run<T>();
  constexpr std::int64_t stretch = 4096;
  if (parts == 1) return;
  workers.run((n + stretch - 1) / stretch, [&](std::int64_t task) {
    T* sum = sums + task * stretch;
    for (std::int64_t part = 1; part < parts; ++part) {
      const std::array<const void*, 2> terms{sum, sum + part * distance};
      add(sum, terms.data(), std::min(stretch, n - task * stretch));
    }
  });
}

template <class T>
Kernel plain_kernel(Result result, const ConvolutionShape& whole) {
  const std::int64_t parts = parts_of(whole);
  ConvolutionShape s = whole;
  s.batch /= parts;
  // each part has its own sum of the filter's gradient
  const std::int64_t own = result == Result::filter && parts > 1 ? s.filter_size() : 0;
  return {[=](const KernelCall& call) {
            const Buffers<T> at(result, call);
            T* scratch = reinterpret_cast<T*>(call.scratch);
            if (result == Result::filter && !own) std::fill_n(at.f, s.filter_size(), T{0});
            call.workers.run(parts, [&](std::int64_t part) {
              T* x = at.x + part * s.batch * s.image_size();
              T* y = at.y + part * s.batch * s.result_size();
              T* f = own ? scratch + part * own : at.f;
              if (result == Result::value) std::fill_n(y, s.batch * s.result_size(), T{0});
              if (result == Result::image) std::fill_n(x, s.batch * s.image_size(), T{0});
              if (own) std::fill_n(f, own, T{0});
              for (std::int64_t b = 0; b < s.batch; ++b)
                plain_sample(result, s, x + b * s.image_size(), f, y + b * s.result_size());
            });
            if (!own) return;
            add_parts(scratch, parts, own, own, call.workers);
            std::copy_n(scratch, own, at.f);
          },
          bytes_of<T>(parts * own)};
}

Kernel onednn_kernel(Result result, const ConvolutionShape& whole) {
  const std::int64_t parts = parts_of(whole);
  ConvolutionShape s = whole;
  s.batch /= parts;
  const auto convolution = OnednnConvolution::make(result, s);
  if (!convolution) return plain_kernel<float>(result, whole);
  const std::size_t packed = rounded(convolution->packed_bytes()), scratch = rounded(convolution->scratch_bytes());
  const auto filters = static_cast<std::size_t>(result == Result::filter ? parts : 1);
  return {[=](const KernelCall& call) {
            const Buffers<float> at(result, call);
            std::byte* rest = call.scratch + filters * packed;
            if (result != Result::filter) convolution->pack(at.f, call.scratch, rest);
            call.workers.run(parts, [&](std::int64_t part) {
              const auto p = static_cast<std::size_t>(part);
              std::byte* filter = call.scratch + (result == Result::filter ? p * packed : 0);
              convolution->run(at.x + part * s.batch * s.image_size(), filter, at.y + part * s.batch * s.result_size(),
                               rest + p * scratch);
            });
            if (result != Result::filter) return;
            const auto floats = [](std::size_t bytes) { return static_cast<std::int64_t>(bytes / sizeof(float)); };
            add_parts(reinterpret_cast<float*>(call.scratch), parts, floats(packed),
                      floats(convolution->packed_bytes()), call.workers);
            convolution->unpack(call.scratch, at.f, rest);
          },
          filters * packed + static_cast<std::size_t>(parts) * scratch};
}

/// The ways to compute a convolution in f32. The first one that serves a shape is taken.
struct Way {
  bool (*serves)(Result, const ConvolutionShape&);
  Kernel (*make)(Result, const ConvolutionShape&);
};
constexpr Way ways[] = {
    {winograd_pays, winograd_kernel},
    {[](Result, const ConvolutionShape&) { return true; }, onednn_kernel},
};

Kernel kernel_f32(Result result, const ConvolutionShape& shape) {
  const Way* way = ways;
  while (!way->serves(result, shape)) ++way;
  return way->make(result, shape);
}

Kernel make(const KernelSite& site, Result result) {
  const ConvolutionShape shape = shape_of(site, result);
  const bool empty = shape.batch * shape.image_size() * shape.result_size() * shape.filter_size() == 0;
  if (empty) {
    return {
        [bytes = site.output.bytes()](const KernelCall& call) { std::fill_n(call.outputs[0], bytes, std::byte{0}); },
        0};
  }
  return site.output.dtype == f64 ? plain_kernel<double>(result, shape) : kernel_f32(result, shape);
}

}  // namespace

Kernel make_convolution(const KernelSite& site) { return make(site, Result::value); }
Kernel make_convolution_image(const KernelSite& site) { return make(site, Result::image); }
Kernel make_convolution_filter(const KernelSite& site) { return make(site, Result::filter); }

}  // namespace thalweg
