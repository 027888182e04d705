#pragma once
// The memory of a device: given out, filled and read in the order in which the device works.

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace thalweg {

/// A point in the order of a device's work: what was asked for before it.
struct Mark {
  std::uint64_t number = 0;
};

/// This host's memory, and the interface of every other. Where memory is not here, its addresses mean nothing to the
/// host, and all calls but `wait` may return before they are carried out; they are carried out in the order in which
/// they were made, and so are the kernels between them.
class DeviceMemory {
 public:
  DeviceMemory() = default;
  DeviceMemory(const DeviceMemory&) = delete;
  DeviceMemory& operator=(const DeviceMemory&) = delete;
  virtual ~DeviceMemory() = default;

  /// Whether the host may use the addresses itself.
  [[nodiscard]] virtual bool is_here() const { return true; }
  /// What addresses are multiples of, a power of 2 of at least 64.
  [[nodiscard]] virtual std::size_t alignment() const { return 64; }

  /// Uninitialised memory. Throws MemoryError, with `who` as the place, where there is not enough.
  [[nodiscard]] virtual std::byte* allocate(std::size_t bytes, std::string_view who);
  virtual void release(std::byte* there);

  /// The bytes `here` may change as soon as it returns.
  virtual void write(std::byte* there, const std::byte* here, std::size_t bytes);
  virtual void copy_there(std::byte* to, const std::byte* from, std::size_t bytes);
  /// They are here when `wait` returns for this mark.
  [[nodiscard]] virtual Mark read(std::byte* here, const std::byte* there, std::size_t bytes);
  /// Throws what a kernel before the mark threw. No kernel that was asked for between that one and this call is run.
  virtual void wait(Mark mark);

  /// Reads and waits.
  void fetch(std::byte* here, const std::byte* there, std::size_t bytes) { wait(read(here, there, bytes)); }
};

}  // namespace thalweg
