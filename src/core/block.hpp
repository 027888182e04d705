#pragma once
// Memory for numbers: aligned for vectors, and in large pages if it is large.

#include <cstddef>
#include <memory>
#include <string_view>

namespace thalweg {

class DeviceMemory;

/// Returns memory from `allocate`.
struct Deallocate {
  void operator()(std::byte* memory) const;
  DeviceMemory* device = nullptr;  ///< the device that owns the memory; null for this host
};

/// Allocates `bytes` of uninitialised memory, aligned to a cache line. Throws MemoryError that names `who` if there is
/// not enough.
[[nodiscard]] std::byte* allocate(std::size_t bytes, std::string_view who);

/// Owns memory from `allocate`.
class Block {
 public:
  Block() = default;
  explicit Block(std::size_t bytes) : memory_(allocate(bytes, "memory")), size_(bytes) {}
  /// Memory of a device other than this host, or of this host if `far` is null. The device must outlive the block.
  Block(std::size_t bytes, DeviceMemory* far);
  [[nodiscard]] std::byte* data() const { return memory_.get(); }
  [[nodiscard]] std::size_t size() const { return size_; }
  /// Hands ownership to the caller.
  [[nodiscard]] std::byte* release() { return memory_.release(); }

 private:
  std::unique_ptr<std::byte, Deallocate> memory_;
  std::size_t size_ = 0;
};

}  // namespace thalweg
