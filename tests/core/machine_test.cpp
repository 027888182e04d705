#include "core/machine.hpp"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <filesystem>

#include "sanitized.hpp"
#include "temporary_folder.hpp"

namespace thalweg {
namespace {

class ControlGroupFiles : public testing::TemporaryFolderTest {
 protected:
  void limit(const std::string& file, const std::string& text) const {
    std::filesystem::create_directories(path(file).parent_path());
    write(file, text + "\n");
  }
  [[nodiscard]] ControlGroups groups(const std::string& membership) const {
    return {path("sys"), write("membership", membership)};
  }
};

TEST_F(ControlGroupFiles, OfVersionTwoTheSmallestLimitOfTheGroupAndItsParentsCounts) {
  limit("sys/a/memory.max", "1000000");
  limit("sys/a/b/memory.max", "max");
  limit("sys/a/cpu.max", "150000 100000");
  limit("sys/a/b/cpu.max", "max 100000");
  EXPECT_EQ(groups("0::/a/b\n").memory(), 1000000);
  EXPECT_EQ(groups("0::/a/b\n").cores(), 1.5);
  EXPECT_EQ(groups("0::/c\n").memory(), std::nullopt);
}

TEST_F(ControlGroupFiles, OfVersionOneEachControllerHasItsOwnGroup) {
  limit("sys/memory/a/memory.limit_in_bytes", "2000000");
  limit("sys/memory/memory.limit_in_bytes", "9223372036854771712");
  limit("sys/cpu/cpu.cfs_quota_us", "-1");
  limit("sys/cpu/a/cpu.cfs_quota_us", "50000");
  limit("sys/cpu/a/cpu.cfs_period_us", "100000");
  EXPECT_EQ(groups("4:memory:/a\n1:cpu,cpuacct:/a\n").memory(), 2000000);
  EXPECT_EQ(groups("4:memory:/a\n1:cpu,cpuacct:/a\n").cores(), 0.5);
  EXPECT_EQ(groups("4:memory:/b\n").memory(), std::nullopt);
}

TEST_F(ControlGroupFiles, InAContainerTheRootIsTheGroupOfTheProcess) {
  limit("sys/memory.max", "3000000");
  EXPECT_EQ(groups("0::/../../outside\n").memory(), 3000000);
}

TEST(AvailableMemory, IsNoMoreThanTheProcessMayUse) {
  if (testing::address_sanitizer) GTEST_SKIP() << "the address sanitizer's shadow memory exceeds the limit";
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_DATA, &before), 0);
  const rlimit less{std::min<rlim_t>(1 << 30, before.rlim_max), before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_DATA, &less), 0);
  EXPECT_LE(available_memory(), 1 << 30);
  ASSERT_EQ(::setrlimit(RLIMIT_DATA, &before), 0);
  EXPECT_GT(available_memory(), 0);
}

}  // namespace
}  // namespace thalweg
