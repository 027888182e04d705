#pragma once
// Structs that programs fill in are checked as configurations are.

#include <string_view>

#include "thalweg/options.hpp"

namespace thalweg::nn {

/// Throws UsageError for a value out of its field's range. `fields(Options&)` is found beside the struct.
template <class Options>
void check_options(Options options, std::string_view where) {
  check_fields(fields(options), where);
}

}  // namespace thalweg::nn
