#include "core/block.hpp"

#ifdef __linux__
#include <sys/mman.h>
#endif

#include <bit>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <limits>

#include "core/device_memory.hpp"
#include "core/error.hpp"

namespace thalweg {

namespace {
constexpr std::size_t line = 64;  // a cache line, which is also the width of the widest vector

/// Asks the kernel for pages of 2 MB inside blocks that are large enough: with pages of 4 KB, a large arena needs more
/// address translations than a core can cache. If the kernel refuses, the block still works.
void use_large_pages([[maybe_unused]] std::byte* memory, [[maybe_unused]] std::size_t bytes) {
#ifdef __linux__
  constexpr std::uintptr_t page = std::uintptr_t{2} << 20;
  const auto begin = (std::bit_cast<std::uintptr_t>(memory) + page - 1) / page * page;
  const auto end = (std::bit_cast<std::uintptr_t>(memory) + bytes) / page * page;
  if (begin < end) (void)madvise(std::bit_cast<void*>(begin), end - begin, MADV_HUGEPAGE);
#endif
}
}  // namespace

/// Aligned memory from malloc; the address that malloc returned is stored just before the block. `aligned_alloc` is not
/// used, because it requests more than a freed block of the same size left behind (glibc before 2.38): blocks of one
/// size that are allocated and freed again and again, as batches are, would each take new memory.
std::byte* allocate(std::size_t bytes, std::string_view who) {
  constexpr std::size_t most = std::numeric_limits<std::size_t>::max() - line - sizeof(void*);
  void* memory = bytes > most ? nullptr : std::malloc(bytes + line + sizeof(void*));
  if (memory == nullptr) fail<MemoryError>("[{}] {} bytes asked for, and there is not that much memory", who, bytes);
  const auto begin = std::bit_cast<std::uintptr_t>(memory) + sizeof(void*);
  auto* first = static_cast<std::byte*>(memory) + sizeof(void*) + (line - begin % line) % line;
  std::memcpy(first - sizeof(void*), &memory, sizeof(void*));
  use_large_pages(first, bytes);
  return first;
}

Block::Block(std::size_t bytes, DeviceMemory* far)
    : memory_(far ? far->allocate(bytes, "memory") : allocate(bytes, "memory"), Deallocate{far}), size_(bytes) {}

void Deallocate::operator()(std::byte* memory) const {
  if (device != nullptr) return device->release(memory);
  void* whole = nullptr;
  std::memcpy(&whole, memory - sizeof(void*), sizeof(void*));
  std::free(whole);
}

}  // namespace thalweg
