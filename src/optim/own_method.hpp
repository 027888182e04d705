#pragma once
// A method for a group of parameters, where the rest is trained by another.

#include <string_view>

#include "core/error.hpp"

namespace thalweg {

/// Of a method that needs more than the gradient, such as products with the Hessian: those are of all parameters.
[[noreturn]] inline void refuse_own_method(std::string_view method, std::string_view pattern) {
  fail<UsageError>(
      "[{}] it is the method of the parameters '{}' alone, and needs more than their gradient. Wanted: one method for "
      "all that is trained, or for this group one that needs only the gradient. Hint: adam is one.",
      method, pattern);
}

}  // namespace thalweg
