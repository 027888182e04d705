#pragma once
// From a text to machine code: NVIDIA's run-time compiler, and a cache of its results.

#include <filesystem>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace thalweg::cuda {

struct CompilerFunctions;

/// The run-time compiler, for one kind of GPU.
class Compiler {
 public:
  /// For the GPU of a compute capability; throws UsageError where the compiler is not in the first of `files` that can
  /// be opened, or knows no such GPU.
  Compiler(int major, int minor, std::initializer_list<const char*> files = {"libnvrtc.so.13"});

  /// "NVRTC 13.0"
  [[nodiscard]] const std::string& version() const { return version_; }
  /// Machine code, called a cubin. Throws InternalError with the compiler's messages.
  [[nodiscard]] std::string compile(const std::string& text) const;
  /// All that the code depends on besides the text.
  [[nodiscard]] std::string settings() const;

 private:
  std::shared_ptr<const CompilerFunctions> functions_;
  std::string version_, architecture_;
};

/// Machine code in files, named by a hash of its sources. If anything is wrong with the folder or a file, the code is
/// compiled again.
class CodeCache {
 public:
  /// An empty folder keeps nothing.
  explicit CodeCache(std::filesystem::path folder) : folder_(std::move(folder)) {}

  [[nodiscard]] std::optional<std::string> find(std::string_view made_from) const;
  void keep(std::string_view made_from, std::string_view code) const;

 private:
  [[nodiscard]] std::filesystem::path file_of(std::string_view made_from) const;

  std::filesystem::path folder_;
};

}  // namespace thalweg::cuda
