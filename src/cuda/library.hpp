#pragma once
// Opens NVIDIA's libraries at run time. An error names a missing library and its package.

#include <dlfcn.h>

#include <initializer_list>
#include <string>

#include "core/error.hpp"

namespace thalweg::cuda {

/// One shared library, open until the process ends.
class Library {
 public:
  /// The first of `files` that can be opened; throws UsageError that names `what` and the `package` which has it.
  Library(const char* what, const char* package, std::initializer_list<const char*> files) : what_(what) {
    std::string problem;
    for (const char* file : files) {
      handle_ = ::dlopen(file, RTLD_NOW | RTLD_LOCAL);
      if (handle_ != nullptr) return;
      if (problem.empty()) problem = ::dlerror();
    }
    fail<UsageError>(
        "[device] {} is not there: {}. Hint: it comes with {}; LD_LIBRARY_PATH must name the folder that it is in, "
        "where that is not a usual one.",
        what, problem, package);
  }

  template <class F>
  void find(F& function, const char* name) const {
    function = reinterpret_cast<F>(::dlsym(handle_, name));
    if (function == nullptr) fail<UsageError>("[device] {} has no {}: it is too old", what_, name);
  }

 private:
  const char* what_;
  void* handle_ = nullptr;
};

// Members of a struct of functions with the names of the vendor's header, and how each is found. The headers rename
// some by macros (cuMemAlloc is cuMemAlloc_v2), which is why the name is expanded before it is made a string.
#define THALWEG_NAME_OF(f) #f
#define THALWEG_MEMBER(f) decltype(&::f) f = nullptr;
#define THALWEG_FIND(f) library.find(f, THALWEG_NAME_OF(f));

// One call, checked by the struct that its function is a member of.
#define THALWEG_CALL(functions, call, ...) (functions).check((functions).call(__VA_ARGS__), THALWEG_NAME_OF(call))

}  // namespace thalweg::cuda
