// Opening files to read: plain files and open descriptors are accepted; pipes and devices are refused.

#include "data/file.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <array>

#include "files.hpp"

namespace thalweg {
namespace {

TEST(Files, PipesAndDevicesAreRefusedAtOnce) {
  const test::TempFolder folder;
  ASSERT_EQ(::mkfifo((folder / "pipe").c_str(), 0600), 0);
  test::expect_error<UsageError>([&] { const data::File file(folder / "pipe"); }, {"pipe", "is a pipe", "plain file"});
  test::expect_error<UsageError>([&] { const data::File file("/dev/zero"); }, {"/dev/zero", "is a device"});
}

TEST(Files, AnOpenDescriptorIsRead) {
  std::array<int, 2> ends{};
  ASSERT_EQ(::pipe(ends.data()), 0);
  ASSERT_EQ(::write(ends[1], "abc", 3), 3);
  const data::File file("/dev/fd/" + std::to_string(ends[0]));
  ::close(ends[1]);
  std::array<std::byte, 8> bytes{};
  EXPECT_EQ(file.size(), -1);
  EXPECT_EQ(file.read_some(bytes), 3u);
  EXPECT_EQ(bytes[2], std::byte{'c'});
  EXPECT_EQ(file.read_some(bytes), 0u);
  ::close(ends[0]);
}

}  // namespace
}  // namespace thalweg
