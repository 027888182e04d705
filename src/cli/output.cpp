#include "cli/output.hpp"

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "core/error.hpp"

namespace thalweg::cli {

namespace {
[[noreturn]] void fail_output() { fail<IoError>("[output] standard output: {}", std::strerror(errno)); }
}  // namespace

void emit(std::string_view text) {
  if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size()) fail_output();
}

void flush_output() {
  if (std::fflush(stdout) != 0) fail_output();
}

void say(std::string_view text) { std::fwrite(text.data(), 1, text.size(), stderr); }

}  // namespace thalweg::cli
