#pragma once
// Memory for numbers: aligned for vectors, in large pages where it is large.

#include <cstddef>
#include <memory>
#include <string_view>

namespace thalweg {

/// How memory from `allocate` goes back.
struct Deallocate {
  void operator()(std::byte* memory) const;
};

/// `bytes` of memory, not cleared, at the start of a cache line. Throws MemoryError, in the name of `who`, where there
/// is not that much.
[[nodiscard]] std::byte* allocate(std::size_t bytes, std::string_view who);

/// A block of such memory.
class Block {
 public:
  Block() = default;
  explicit Block(std::size_t bytes) : memory_(allocate(bytes, "memory")), size_(bytes) {}
  [[nodiscard]] std::byte* data() const { return memory_.get(); }
  [[nodiscard]] std::size_t size() const { return size_; }

 private:
  std::unique_ptr<std::byte, Deallocate> memory_;
  std::size_t size_ = 0;
};

}  // namespace thalweg
