// The stand-in for libnvrtc.so.13: g++ compiles the text, which a shim turns into C++, to a shared library. The bytes
// of this library are the machine code. Libraries are cached in a folder of the build tree, because g++ is slow.

#include <nvrtc.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <regex>
#include <sstream>
#include <string>
#include <vector>

#include "stand_in.hpp"

namespace fs = std::filesystem;

struct _nvrtcProgram {
  std::string text, code, log;
};

namespace {

constexpr std::array architectures = {75, 80, 86, 89, 90, 100, 103, 120};

bool is_known(const std::string& option) {
  static const std::regex known(
      "--std=c\\+\\+17|--fmad=(true|false)|--ftz=(true|false)|--prec-(div|sqrt)=(true|false)|-default-device");
  constexpr std::string_view architecture = "--gpu-architecture=sm_";
  if (option.starts_with(architecture)) {
    const std::string number = option.substr(architecture.size());
    return std::ranges::any_of(architectures, [&](int each) { return number == std::to_string(each); });
  }
  return std::regex_match(option, known);
}

std::string read(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream content;
  content << file.rdbuf();
  return content.str();
}

/// Adds what the stand-in for the driver needs to know about each kernel: the numbers of its addresses and its threads.
std::string with_facts(const std::string& text, bool flushes) {
  std::string facts = "\nextern \"C\" const int tw_flushes = " + std::to_string(flushes ? 1 : 0) + ";\n";
  static const std::regex kernel("TW_KERNEL\\((\\w+)\\)\\s+(\\w+)\\(TW_ADDRESSES\\((\\w+)\\)");
  for (std::sregex_iterator found(text.begin(), text.end(), kernel), end; found != end; ++found) {
    const std::string name = (*found)[2];
    facts += "extern \"C\" const int " + name + "_threads = " + (*found)[1].str() + ";\n";
    facts += "extern \"C\" const int " + name + "_addresses = " + (*found)[3].str() + ";\n";
  }
  return text + facts;
}

/// The name of the cached library of a source: two 64-bit FNV-1a hashes, from the beginning and from the end.
std::string name_for(const std::string& source) {
  const auto hash = [](auto begin, auto end) {
    std::uint64_t h = 0xcbf29ce484222325;
    for (auto byte = begin; byte != end; ++byte) h = (h ^ static_cast<unsigned char>(*byte)) * 0x100000001b3;
    return h;
  };
  std::ostringstream name;
  name << std::hex << hash(source.begin(), source.end()) << hash(source.rbegin(), source.rend());
  return name.str();
}

/// Compiles under file names of this process, because other processes may compile the same source at the same time.
bool compile(const std::string& source, const fs::path& library, std::string& log) {
  const std::string own = library.string() + "." + std::to_string(getpid());
  const std::string text = own + ".cpp", made = own + ".so", said = own + ".log";
  std::ofstream(text) << source;
  const std::string command = std::string(THALWEG_STAND_IN_COMPILER) +
                              " -std=c++17 -O1 -ffp-contract=off -fno-math-errno -w -shared -fPIC -o '" + made + "' '" +
                              text + "' 2> '" + said + "'";
  const bool compiled = std::system(command.c_str()) == 0;
  log = read(said);
  if (compiled) fs::rename(made, library);
  for (const std::string& file : {text, said}) fs::remove(file);
  return compiled;
}

nvrtcResult copy_out(const std::string& from, char* to) {
  std::ranges::copy(from, to);
  return NVRTC_SUCCESS;
}

}  // namespace

nvrtcResult nvrtcVersion(int* major, int* minor) {
  *major = 13, *minor = 0;
  return NVRTC_SUCCESS;
}

const char* nvrtcGetErrorString(nvrtcResult result) {
  switch (result) {
    case NVRTC_SUCCESS: return "NVRTC_SUCCESS";
    case NVRTC_ERROR_COMPILATION: return "NVRTC_ERROR_COMPILATION";
    case NVRTC_ERROR_INVALID_OPTION: return "NVRTC_ERROR_INVALID_OPTION";
    default: return "an error of NVRTC";
  }
}

nvrtcResult nvrtcGetNumSupportedArchs(int* count) {
  *count = static_cast<int>(architectures.size());
  return NVRTC_SUCCESS;
}

nvrtcResult nvrtcGetSupportedArchs(int* supported) {
  std::ranges::copy(architectures, supported);
  return NVRTC_SUCCESS;
}

nvrtcResult nvrtcCreateProgram(nvrtcProgram* program, const char* source, const char*, int headers, const char* const*,
                               const char* const*) {
  if (headers != 0) return NVRTC_ERROR_INVALID_INPUT;
  *program = new _nvrtcProgram{source, {}, {}};
  return NVRTC_SUCCESS;
}

nvrtcResult nvrtcDestroyProgram(nvrtcProgram* program) {
  delete *program;
  *program = nullptr;
  return NVRTC_SUCCESS;
}

nvrtcResult nvrtcCompileProgram(nvrtcProgram program, int count, const char* const* given) {
  const std::vector<std::string> options(given, given + count);
  for (const std::string& option : options) {
    if (is_known(option)) continue;
    program->log = "nvrtc: error: invalid value for " + option;
    return NVRTC_ERROR_INVALID_OPTION;
  }
  const bool flushes = std::ranges::find(options, "--ftz=true") != options.end();
  const std::string source = with_facts(program->text, flushes);
  const fs::path library = fs::path(THALWEG_STAND_IN_FOLDER) / (name_for(source) + ".so");
  fs::create_directories(library.parent_path());
  if (!fs::exists(library) && !compile(source, library, program->log)) return NVRTC_ERROR_COMPILATION;
  const std::string bytes = read(library);
  const std::uint64_t size = bytes.size();
  program->code = std::string(thalweg::nvidia::image_magic) +
                  std::string(reinterpret_cast<const char*>(&size), sizeof(size)) + bytes;
  return NVRTC_SUCCESS;
}

nvrtcResult nvrtcGetProgramLogSize(nvrtcProgram program, size_t* bytes) {
  *bytes = program->log.size() + 1;
  return NVRTC_SUCCESS;
}

nvrtcResult nvrtcGetProgramLog(nvrtcProgram program, char* log) {
  log[program->log.size()] = '\0';
  return copy_out(program->log, log);
}

nvrtcResult nvrtcGetCUBINSize(nvrtcProgram program, size_t* bytes) {
  *bytes = program->code.size();
  return NVRTC_SUCCESS;
}

nvrtcResult nvrtcGetCUBIN(nvrtcProgram program, char* code) { return copy_out(program->code, code); }
