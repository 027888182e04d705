// If one of NVIDIA's libraries is missing, the error names it and the package that contains it.

#include <unistd.h>

#include <array>
#include <cstdio>

#include "core/error.hpp"
#include "opened_gpu.hpp"
#include "temporary_folder.hpp"

namespace thalweg {
namespace {

constexpr const char* is_child = "THALWEG_TEST_CHILD";

/// Runs the current test again in a process that searches its libraries in a folder, and returns what it prints.
std::string printed_in(const std::filesystem::path& folder) {
  const ::testing::TestInfo& test = *::testing::UnitTest::GetInstance()->current_test_info();
  const std::string program = std::filesystem::read_symlink("/proc/self/exe").string();
  const std::string command = fmt::format("{}=1 LD_LIBRARY_PATH='{}' '{}' --gtest_filter={}.{} 2>&1", is_child,
                                          folder.string(), program, test.test_suite_name(), test.name());
  FILE* const pipe = popen(command.c_str(), "r");
  std::string text;
  std::array<char, 4096> part{};
  while (const std::size_t n = fread(part.data(), 1, part.size(), pipe)) text.append(part.data(), n);
  pclose(pipe);
  return text;
}

/// In that process: prints the error of opening the GPU and returns true. In the parent: returns false.
bool printed_as_child() {
  if (std::getenv(is_child) == nullptr) return false;
  try {
    (void)testing::open_driver();
  } catch (const UsageError& error) {
    std::printf("UsageError: %s\n", error.what());
  }
  return true;
}

void expect_parts(const std::string& text, std::initializer_list<const char*> parts) {
  for (const char* part : parts) EXPECT_NE(text.find(part), std::string::npos) << part << " in " << text;
}

TEST(Libraries, AMissingDriverIsNamed) {
  if (printed_as_child()) return;
  const testing::TemporaryFolder folder;
  folder.write("libcuda.so.1", "no library");
  expect_parts(printed_in(folder / ""), {"UsageError: [device] NVIDIA's driver is not there: ", "libcuda.so.1",
                                         "Hint: it comes with ", "libcuda1"});
}

TEST(Libraries, AMissingCompilerIsNamed) {
  if (printed_as_child()) return;
  const testing::TemporaryFolder folder;
  std::filesystem::create_symlink(std::filesystem::path(THALWEG_STAND_INS) / "libcuda.so.1", folder / "libcuda.so.1");
  folder.write("libnvrtc.so.13", "no library");
  expect_parts(printed_in(folder / ""), {"UsageError: [device] NVIDIA's run-time compiler NVRTC is not there: ",
                                         "libnvrtc.so.13", "Hint: it comes with ", "nvidia-cuda-nvrtc"});
}

}  // namespace
}  // namespace thalweg
