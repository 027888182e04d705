#include "core/block.hpp"

#ifdef __linux__
#include <sys/mman.h>
#endif

#include <algorithm>
#include <bit>
#include <cstdint>
#include <new>

#include "core/error.hpp"

namespace thalweg {

namespace {
constexpr std::align_val_t line{64};  // a cache line, and the widest vector

/// Asks the kernel for pages of 2 MB where a block fills whole ones: a large arena in pages of 4 KB needs more address
/// translations than a core can cache. Where the kernel refuses, the block works all the same.
void use_large_pages([[maybe_unused]] std::byte* memory, [[maybe_unused]] std::size_t bytes) {
#ifdef __linux__
  constexpr std::uintptr_t page = std::uintptr_t{2} << 20;
  const auto begin = (std::bit_cast<std::uintptr_t>(memory) + page - 1) / page * page;
  const auto end = (std::bit_cast<std::uintptr_t>(memory) + bytes) / page * page;
  if (begin < end) (void)madvise(std::bit_cast<void*>(begin), end - begin, MADV_HUGEPAGE);
#endif
}
}  // namespace

std::byte* allocate(std::size_t bytes, std::string_view who) {
  void* memory = ::operator new(std::max<std::size_t>(bytes, 1), line, std::nothrow);
  if (memory == nullptr) fail<MemoryError>("[{}] {} bytes asked for, and there is not that much memory", who, bytes);
  auto* first = static_cast<std::byte*>(memory);
  use_large_pages(first, bytes);
  return first;
}

void Deallocate::operator()(std::byte* memory) const { ::operator delete(memory, line); }

}  // namespace thalweg
