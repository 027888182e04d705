#pragma once
// Pooling and resizing of one image at a time, vectorised over channels.

#include <cstdint>

namespace thalweg {

struct WindowAxis {
  std::int64_t in, out, window, step, outside;
};
struct WindowShape {
  WindowAxis height, width;
  std::int64_t channels;
};

/// Element (result, channel) of the result has a term with element (image, channel) of the image, with a weight.
struct Tap {
  std::int64_t image, result;  // flat positions without the channels
  double weight;
};

/// The loops of one element type.
template <class T>
struct WindowLoops {
  void (*max_pool)(const WindowShape&, const T* x, const T* u, T* y);
  void (*max_unpool)(const WindowShape&, const T* x, const T* g, T* image);
  void (*sum_pool)(const WindowShape&, const T* x, T* y);
  void (*sum_unpool)(const WindowShape&, const T* g, T* image);
  /// to[t.to] += weight from[t.from], tap after tap.
  void (*add_taps)(const Tap* taps, std::int64_t count, bool transposed, const T* from, T* to, std::int64_t channels);
};
template <class T>
[[nodiscard]] const WindowLoops<T>& window_loops();

}  // namespace thalweg
