#include "kernels/pooling.hpp"

#include <algorithm>
#include <vector>

#include "kernels/for_float.hpp"
#include "kernels/windows.hpp"

namespace thalweg {

namespace {

WindowShape shape_of(const KernelSite& site, const Shape& image, const Shape& result) {
  const auto& a = site.ints;
  return {{image[1], result[1], a[window_height], a[step_height], a[outside_height]},
          {image[2], result[2], a[window_width], a[step_width], a[outside_width]},
          image[3]};
}

/// A kernel that handles the samples one by one, several in a task: body(sample).
template <class Body>
Kernel for_samples(const Shape& larger, Body body) {
  const std::int64_t batch = larger[0], size = batch ? larger.size() / batch : 0;
  const std::int64_t per_part = std::max<std::int64_t>(1, split_elements / std::max<std::int64_t>(1, size));
  return {[=](const KernelCall& call) {
            call.workers.run((batch + per_part - 1) / per_part, [&](std::int64_t part) {
              const std::int64_t end = std::min(batch, (part + 1) * per_part);
              for (std::int64_t sample = part * per_part; sample < end; ++sample) body(call, sample);
            });
          },
          0};
}

std::int64_t sample_size(const Shape& shape) { return shape[1] * shape[2] * shape[3]; }

}  // namespace

Kernel make_max_pool(const KernelSite& site) {
  const Shape &image = site.inputs[0].shape, &result = site.output.shape;
  return for_float(site.output.dtype, [&]<class T>(T) {
    return for_samples(image, [s = shape_of(site, image, result), in = sample_size(image), out = sample_size(result),
                               &loops = window_loops<T>()](const KernelCall& call, std::int64_t i) {
      loops.max_pool(s, call.in<T>(0) + i * in, call.in<T>(1) + i * in, call.out<T>() + i * out);
    });
  });
}

Kernel make_max_unpool(const KernelSite& site) {
  const Shape &image = site.output.shape, &result = site.inputs[1].shape;
  return for_float(site.output.dtype, [&]<class T>(T) {
    return for_samples(image, [s = shape_of(site, image, result), in = sample_size(image), out = sample_size(result),
                               &loops = window_loops<T>()](const KernelCall& call, std::int64_t i) {
      loops.max_unpool(s, call.in<T>(0) + i * in, call.in<T>(1) + i * out, call.out<T>() + i * in);
    });
  });
}

Kernel make_sum_pool(const KernelSite& site) {
  const Shape &image = site.inputs[0].shape, &result = site.output.shape;
  return for_float(site.output.dtype, [&]<class T>(T) {
    return for_samples(image, [s = shape_of(site, image, result), in = sample_size(image), out = sample_size(result),
                               &loops = window_loops<T>()](const KernelCall& call, std::int64_t i) {
      loops.sum_pool(s, call.in<T>(0) + i * in, call.out<T>() + i * out);
    });
  });
}

Kernel make_sum_unpool(const KernelSite& site) {
  const Shape &image = site.output.shape, &result = site.inputs[0].shape;
  return for_float(site.output.dtype, [&]<class T>(T) {
    return for_samples(image, [s = shape_of(site, image, result), in = sample_size(image), out = sample_size(result),
                               &loops = window_loops<T>()](const KernelCall& call, std::int64_t i) {
      loops.sum_unpool(s, call.in<T>(0) + i * out, call.out<T>() + i * in);
    });
  });
}

Taps taps_of(std::int64_t i, std::int64_t from, std::int64_t to, Resampling how) {
  const double ratio = static_cast<double>(from) / static_cast<double>(to), last = static_cast<double>(from - 1);
  if (how == Resampling::nearest) {
    const auto place = std::min(from - 1, static_cast<std::int64_t>(static_cast<double>(i) * ratio));
    return {{place, place}, {1, 0}};
  }
  const double at = how == Resampling::linear_corners
                        ? (to > 1 ? static_cast<double>(i) * last / static_cast<double>(to - 1) : 0)
                        : std::clamp((static_cast<double>(i) + 0.5) * ratio - 0.5, 0.0, last);
  const auto place = std::min(static_cast<std::int64_t>(at), from - 1);
  const double rest = at - static_cast<double>(place);
  return {{place, std::min(place + 1, from - 1)}, {1 - rest, rest}};
}

namespace {

std::vector<Tap> taps_between(const Shape& image, const Shape& result, Resampling how) {
  std::vector<Tap> taps;
  for (std::int64_t i = 0; i < result[1]; ++i) {
    const Taps rows = taps_of(i, image[1], result[1], how);
    for (std::int64_t j = 0; j < result[2]; ++j) {
      const Taps columns = taps_of(j, image[2], result[2], how);
      for (int corner = 0; corner < 4; ++corner) {
        const double weight = rows.weight[corner / 2] * columns.weight[corner % 2];
        const std::int64_t from = rows.place[corner / 2] * image[2] + columns.place[corner % 2];
        if (weight != 0) taps.push_back({from, i * result[2] + j, weight});
      }
    }
  }
  return taps;
}

Kernel resize_kernel(const KernelSite& site, bool transposed) {
  const Shape &given = site.inputs[0].shape, &made = site.output.shape;
  const auto how = static_cast<Resampling>(site.ints[2]);
  return for_float(site.output.dtype, [&]<class T>(T) {
    return for_samples(made.size() > given.size() ? made : given,
                       [=, taps = transposed ? taps_between(made, given, how) : taps_between(given, made, how),
                        channels = made[3], from = sample_size(given), to = sample_size(made),
                        &loops = window_loops<T>()](const KernelCall& call, std::int64_t i) {
                         T* y = call.out<T>() + i * to;
                         std::fill_n(y, to, T{0});
                         loops.add_taps(taps.data(), static_cast<std::int64_t>(taps.size()), transposed,
                                        call.in<T>(0) + i * from, y, channels);
                       });
  });
}

}  // namespace

Kernel make_resize(const KernelSite& site) { return resize_kernel(site, false); }
Kernel make_resize_transposed(const KernelSite& site) { return resize_kernel(site, true); }

}  // namespace thalweg
