#pragma once
// Access to the saved numbers of systems with their own training loop, with checks.

#include <algorithm>
#include <cmath>

#include "core/error.hpp"
#include "store/safetensors.hpp"

namespace thalweg {

/// The elements of the tensor with this name. Throws ModelError that names `where` if there is no such tensor, if it
/// has another type, or if some numbers are not finite.
template <Element T>
[[nodiscard]] std::span<const T> saved_values(const SafetensorsFile& file, const std::string& name,
                                              std::string_view where) {
  const Tensor& tensor = file.tensor(name);
  if (tensor.dtype() != dtype_of<T>())
    fail<ModelError>("[{}] the saved '{}' is {}. Wanted: {}", where, name, tensor.dtype(), dtype_of<T>());
  const std::span<const T> values = tensor.values<T>();
  if constexpr (std::is_floating_point_v<T>) {
    const auto wrong = std::ranges::find_if_not(values, [](T value) { return std::isfinite(value); });
    if (wrong != values.end())
      fail<ModelError>("[{}] number {} of the saved '{}' is {}. Wanted: finite numbers", where, wrong - values.begin(),
                       name, *wrong);
  }
  return values;
}

}  // namespace thalweg
