#pragma once
// The memory of a device: allocated, written and read in the order in which the device works.

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace thalweg {

/// A point in the sequence of a device's work; it stands for everything requested before it.
struct Mark {
  std::uint64_t number = 0;
};

/// The interface of device memories; this base class is the host's memory. On a device other than the host, addresses
/// mean nothing to the host, and all calls except `wait` may return before they are carried out. They are carried out
/// in the order in which they were made, together with the kernels between them.
class DeviceMemory {
 public:
  DeviceMemory() = default;
  DeviceMemory(const DeviceMemory&) = delete;
  DeviceMemory& operator=(const DeviceMemory&) = delete;
  virtual ~DeviceMemory() = default;

  /// Whether the host can use the addresses directly.
  [[nodiscard]] virtual bool is_here() const { return true; }
  /// All addresses are multiples of this, a power of 2 of at least 64.
  [[nodiscard]] virtual std::size_t alignment() const { return 64; }

  /// Allocates uninitialised memory. Throws MemoryError that names `who` if there is not enough.
  [[nodiscard]] virtual std::byte* allocate(std::size_t bytes, std::string_view who);
  virtual void release(std::byte* there);

  /// Copies to the device. The caller may change the bytes at `here` as soon as it returns.
  virtual void write(std::byte* there, const std::byte* here, std::size_t bytes);
  virtual void copy_there(std::byte* to, const std::byte* from, std::size_t bytes);
  /// Copies to the host. The bytes have arrived once `wait` has returned for this mark.
  [[nodiscard]] virtual Mark read(std::byte* here, const std::byte* there, std::size_t bytes);
  /// Waits until the device has reached the mark. Throws the exception of a kernel before the mark, if there was one;
  /// kernels that were requested between that kernel and this call are then not run.
  virtual void wait(Mark mark);

  /// Reads, and waits for the bytes.
  void fetch(std::byte* here, const std::byte* there, std::size_t bytes) { wait(read(here, there, bytes)); }
};

}  // namespace thalweg
