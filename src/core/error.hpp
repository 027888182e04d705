#pragma once
// How errors are made: fail<UsageError>("[matmul] {} x {}: ...", a, b).

#include <fmt/format.h>

#include "thalweg/error.hpp"
#include "thalweg/shape.hpp"

namespace thalweg {

template <class E, class... Args>
[[noreturn]] void fail(fmt::format_string<Args...> format, Args&&... args) {
  throw E(fmt::format(format, std::forward<Args>(args)...));
}

/// Reports a condition that only a defect of this library can cause.
template <class... Args>
[[noreturn]] void defect(fmt::format_string<Args...> format, Args&&... args) {
  throw InternalError("internal: " + fmt::format(format, std::forward<Args>(args)...) + ". Please report this.");
}

}  // namespace thalweg

template <>
struct fmt::formatter<thalweg::Shape> : fmt::formatter<std::string> {
  template <class Context>
  auto format(const thalweg::Shape& shape, Context& context) const {
    return fmt::formatter<std::string>::format(shape.str(), context);
  }
};

template <>
struct fmt::formatter<thalweg::DType> : fmt::formatter<std::string_view> {
  template <class Context>
  auto format(thalweg::DType dtype, Context& context) const {
    return fmt::formatter<std::string_view>::format(thalweg::name(dtype), context);
  }
};
