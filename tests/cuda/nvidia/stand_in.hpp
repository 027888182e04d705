#pragma once
// What the stand-in for libcuda.so.1 exports to the stand-ins for NVIDIA's other libraries, which link it.

#include <cuda.h>

#include <cstddef>
#include <functional>
#include <string_view>

namespace thalweg::nvidia {

/// Where this CPU finds a byte of the device's memory. An address that is not the device's is returned as it is where
/// it is pinned memory of the host, and ends the program where it is neither.
[[nodiscard]] std::byte* near(const void* address);
[[nodiscard]] inline std::byte* near(CUdeviceptr address) { return near(reinterpret_cast<const void*>(address)); }

/// Puts work into the order of a stream, as a launch would: it runs late and on another thread, or becomes a node of
/// the graph that the stream is being captured into. It counts as one launch.
void enqueue(CUstream stream, std::function<void()> work);

/// What the machine code of the stand-in for NVRTC begins with. Its size in 8 bytes follows, and a shared library.
inline constexpr std::string_view image_magic = "stand-in";

}  // namespace thalweg::nvidia
