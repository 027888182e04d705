#include "cuda/compiler.hpp"

#include <nvrtc.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <sstream>
#include <vector>

#include "cuda/library.hpp"

namespace fs = std::filesystem;

namespace thalweg::cuda {

// clang-format off
#define THALWEG_NVRTC_FUNCTIONS(F) \
  F(nvrtcVersion) F(nvrtcGetErrorString) F(nvrtcGetNumSupportedArchs) F(nvrtcGetSupportedArchs) \
  F(nvrtcCreateProgram) F(nvrtcDestroyProgram) F(nvrtcCompileProgram) F(nvrtcGetProgramLogSize) \
  F(nvrtcGetProgramLog) F(nvrtcGetCUBINSize) F(nvrtcGetCUBIN)
// clang-format on

struct CompilerFunctions {
  THALWEG_NVRTC_FUNCTIONS(THALWEG_MEMBER)
  explicit CompilerFunctions(std::initializer_list<const char*> files) {
    const Library library("NVIDIA's run-time compiler NVRTC", "the CUDA toolkit (pip: nvidia-cuda-nvrtc)", files);
    THALWEG_NVRTC_FUNCTIONS(THALWEG_FIND)
  }
  void check(nvrtcResult result, const char* call) const {
    if (result != NVRTC_SUCCESS) defect("{} failed, {}", call, nvrtcGetErrorString(result));
  }
};

namespace {

/// One text in the compiler.
class Compilation {
 public:
  Compilation(const CompilerFunctions& functions, const std::string& text) : functions_(functions) {
    THALWEG_CALL(functions_, nvrtcCreateProgram, &program_, text.c_str(), "thalweg.cu", 0, nullptr, nullptr);
  }
  ~Compilation() { functions_.nvrtcDestroyProgram(&program_); }
  Compilation(const Compilation&) = delete;
  Compilation& operator=(const Compilation&) = delete;

  std::string run(const std::vector<const char*>& options) {
    const nvrtcResult result =
        functions_.nvrtcCompileProgram(program_, static_cast<int>(options.size()), options.data());
    if (result != NVRTC_SUCCESS)
      defect("the text of a kernel does not compile, {}: {}", functions_.nvrtcGetErrorString(result), log());
    std::size_t bytes = 0;
    THALWEG_CALL(functions_, nvrtcGetCUBINSize, program_, &bytes);
    std::string code(bytes, '\0');
    THALWEG_CALL(functions_, nvrtcGetCUBIN, program_, code.data());
    return code;
  }

 private:
  /// The beginning of the compiler's messages, because one mistake causes many.
  [[nodiscard]] std::string log() const {
    constexpr std::size_t longest = 2000;
    std::size_t bytes = 0;
    if (functions_.nvrtcGetProgramLogSize(program_, &bytes) != NVRTC_SUCCESS || bytes == 0) return "it says nothing";
    std::string text(bytes, '\0');
    functions_.nvrtcGetProgramLog(program_, text.data());
    text.resize(std::min(text.find('\0'), longest));
    return text;
  }

  const CompilerFunctions& functions_;
  nvrtcProgram program_ = nullptr;
};

// A product and a sum stay two roundings, as on the CPU. Denormal f32 numbers are 0, as on the CPU in training.
// Functions belong to the device by default, because a text has nothing for the host.
constexpr const char* flags[] = {"--std=c++17",     "--fmad=false",     "--ftz=true",
                                 "--prec-div=true", "--prec-sqrt=true", "-default-device"};

}  // namespace

Compiler::Compiler(int major, int minor, std::initializer_list<const char*> files)
    : functions_(std::make_shared<const CompilerFunctions>(files)),
      architecture_(fmt::format("--gpu-architecture=sm_{}{}", major, minor)) {
  int version[2] = {};
  THALWEG_CALL(*functions_, nvrtcVersion, &version[0], &version[1]);
  version_ = fmt::format("NVRTC {}.{}", version[0], version[1]);
  int count = 0;
  THALWEG_CALL(*functions_, nvrtcGetNumSupportedArchs, &count);
  std::vector<int> known(static_cast<std::size_t>(count));
  THALWEG_CALL(*functions_, nvrtcGetSupportedArchs, known.data());
  if (std::ranges::find(known, 10 * major + minor) == known.end()) {
    fail<UsageError>(
        "[device] the GPU has compute capability {}.{}, which {} does not compile for. Hint: a CUDA toolkit of another "
        "version.",
        major, minor, version_);
  }
}

std::string Compiler::compile(const std::string& text) const {
  std::vector<const char*> options(std::begin(flags), std::end(flags));
  options.push_back(architecture_.c_str());
  return Compilation(*functions_, text).run(options);
}

std::string Compiler::settings() const {
  return fmt::format("{}, {} {}", version_, architecture_, fmt::join(flags, " "));
}

// ---------------------------------------------------------------------------------------------------------------------
// The cache of machine code

namespace {

/// FNV-1a of 128 bits (Fowler, Noll and Vo; RFC 9923), as 32 hexadecimal digits.
std::string hash(std::string_view bytes) {
  __extension__ using Wide = unsigned __int128;
  constexpr Wide prime = (Wide{1} << 88) + 0x13b;
  Wide h = (Wide{0x6c62272e07bb0142} << 64) + 0x62b821756295c58d;
  for (const char byte : bytes) h = (h ^ static_cast<unsigned char>(byte)) * prime;
  return fmt::format("{:016x}{:016x}", static_cast<std::uint64_t>(h >> 64), static_cast<std::uint64_t>(h));
}

/// The beginning of a file: its kind, and the hash of the rest.
std::string head_of(std::string_view code) { return fmt::format("thalweg machine code 1\n{}\n", hash(code)); }

}  // namespace

fs::path CodeCache::file_of(std::string_view made_from) const { return folder_ / (hash(made_from) + ".cubin"); }

std::optional<std::string> CodeCache::find(std::string_view made_from) const {
  if (folder_.empty()) return {};
  std::ifstream file(file_of(made_from), std::ios::binary);
  if (!file) return {};
  std::ostringstream content;
  content << file.rdbuf();
  const std::string all = content.str();
  const std::size_t head = head_of("").size();
  if (all.size() <= head || !all.starts_with(head_of(std::string_view(all).substr(head)))) return {};
  return all.substr(head);
}

void CodeCache::keep(std::string_view made_from, std::string_view code) const {
  if (folder_.empty()) return;
  std::error_code ignored;
  fs::create_directories(folder_, ignored);
  const fs::path file = file_of(made_from);
  // under a temporary name first: another process then finds the complete file or none
  const fs::path unfinished = fmt::format("{}.{}", file.string(), ::getpid());
  std::ofstream out(unfinished, std::ios::binary);
  out << head_of(code) << code;
  out.close();
  if (out) fs::rename(unfinished, file, ignored);
  if (!out || ignored) fs::remove(unfinished, ignored);
}

}  // namespace thalweg::cuda
