#pragma once
// Memory for numbers: aligned for vectors, in large pages where it is large.

#include <cstddef>
#include <memory>
#include <string_view>

namespace thalweg {

class DeviceMemory;

/// How memory from `allocate` goes back.
struct Deallocate {
  void operator()(std::byte* memory) const;
  DeviceMemory* device = nullptr;  ///< whose memory it is, where that is not here
};

/// `bytes` of uninitialised memory, aligned to a cache line. Throws MemoryError, with `who` as the place, where there
/// is not enough.
[[nodiscard]] std::byte* allocate(std::size_t bytes, std::string_view who);

/// A block of such memory.
class Block {
 public:
  Block() = default;
  explicit Block(std::size_t bytes) : memory_(allocate(bytes, "memory")), size_(bytes) {}
  /// Memory of a device that is not here, or of this host where that is null. The device must outlive it.
  Block(std::size_t bytes, DeviceMemory* far);
  [[nodiscard]] std::byte* data() const { return memory_.get(); }
  [[nodiscard]] std::size_t size() const { return size_; }
  /// Gives the memory to the caller.
  [[nodiscard]] std::byte* release() { return memory_.release(); }

 private:
  std::unique_ptr<std::byte, Deallocate> memory_;
  std::size_t size_ = 0;
};

}  // namespace thalweg
