#include "core/block.hpp"

#include <gtest/gtest.h>

#include <bit>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include "sanitized.hpp"
#include "thalweg/error.hpp"

namespace thalweg {
namespace {

TEST(Block, BeginsAtACacheLine) {
  for (const std::size_t bytes : {0U, 1U, 63U, 64U, 1000U, 100'000U, 5'000'000U}) {
    const Block block(bytes);
    EXPECT_EQ(block.size(), bytes);
    EXPECT_EQ(std::bit_cast<std::uintptr_t>(block.data()) % 64, 0U) << bytes;
  }
  EXPECT_EQ(Block().data(), nullptr);
}

/// Large blocks are allocated and freed in turn, with small allocations of other lifetimes between them.
TEST(Block, ReusesTheMemoryOfFreedBlocksOfItsSize) {
  if (testing::address_sanitizer) GTEST_SKIP() << "the address sanitizer delays reuse of freed memory";
  const auto resident = [] {
    std::ifstream file("/proc/self/statm");
    std::size_t all = 0, pages = 0;
    file >> all >> pages;
    return pages * 4096;
  };
  constexpr std::size_t bytes = 6'000'000, blocks = 40;
  std::vector<std::unique_ptr<char[]>> small;
  const std::size_t before = resident();
  std::optional<Block> last;
  for (std::size_t i = 0; i < blocks; ++i) {
    Block block(bytes);
    std::fill_n(block.data(), bytes, std::byte{1});
    small.push_back(std::make_unique<char[]>(48));
    last.emplace(std::move(block));
  }
  EXPECT_LT(resident() - before, 8 * bytes);
}

TEST(Block, TheErrorNamesWhoRequestedTooMuchMemory) {
  try {
    (void)allocate(std::size_t{1} << 60, "tensor");
    FAIL() << "no machine has that much memory";
  } catch (const MemoryError& error) {
    EXPECT_NE(std::string(error.what()).find("[tensor] 1152921504606846976 bytes"), std::string::npos) << error.what();
  }
}

/// The kernel's flags of the memory mapping that contains an address (VmFlags in /proc/self/smaps).
std::string flags_of(const void* address) {
  std::ifstream maps("/proc/self/smaps");
  const auto wanted = std::bit_cast<std::uintptr_t>(address);
  bool inside = false;
  for (std::string line; std::getline(maps, line);) {
    std::uintptr_t begin = 0, end = 0;
    char dash = 0;
    if (std::istringstream range(line); range >> std::hex >> begin >> dash >> end && dash == '-')
      inside = begin <= wanted && wanted < end;
    if (inside && line.starts_with("VmFlags:")) return line + " ";
  }
  return {};
}

TEST(Block, ALargeBlockRequestsHugePages) {
  if (!std::filesystem::exists("/sys/kernel/mm/transparent_hugepage"))
    GTEST_SKIP() << "the kernel has no transparent huge pages";
  const Block block(std::size_t{16} << 20);
  EXPECT_NE(flags_of(block.data() + block.size() / 2).find(" hg "), std::string::npos);
}

}  // namespace
}  // namespace thalweg
