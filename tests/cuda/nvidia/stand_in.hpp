#pragma once
// Functions of the stand-in for libcuda.so.1 that the stand-ins for NVIDIA's other libraries call.

#include <cuda.h>

#include <cstddef>
#include <functional>
#include <string_view>

namespace thalweg::nvidia {

/// The address at which this CPU can access a byte of the device's memory. An address of pinned host memory is returned
/// unchanged; any other address aborts the program.
[[nodiscard]] std::byte* near(const void* address);
[[nodiscard]] inline std::byte* near(CUdeviceptr address) { return near(reinterpret_cast<const void*>(address)); }

/// Adds work to a stream like a launch: it runs later on another thread, or becomes a node of the graph if the stream
/// is being captured. It counts as one launch.
void enqueue(CUstream stream, std::function<void()> work);

/// The first bytes of the stand-in's machine code. Its size follows in 8 bytes, then the shared library.
inline constexpr std::string_view image_magic = "stand-in";

}  // namespace thalweg::nvidia
