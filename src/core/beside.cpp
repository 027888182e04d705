#include "core/beside.hpp"

#include <dlfcn.h>

#include <filesystem>
#include <string>

#include "core/error.hpp"

namespace fs = std::filesystem;

namespace thalweg {

namespace {

fs::path own_folder() {
  Dl_info info{};
  if (::dladdr(reinterpret_cast<const void*>(&open_beside), &info) == 0 || !info.dli_fname) return {};
  return fs::path(info.dli_fname).parent_path();
}

}  // namespace

void* open_beside(const char* name, int flags, const char* who, const char* hint) {
  std::string problem;
  for (const fs::path& place : {own_folder() / name, fs::path(name)}) {
    if (void* library = ::dlopen(place.c_str(), flags)) return library;
    if (problem.empty()) problem = ::dlerror();
  }
  fail<UsageError>("[{}] {}. {}", who, problem, hint);
}

}  // namespace thalweg
