#pragma once
// Numbers that a system of its own loop saved, checked as they are read.

#include <algorithm>
#include <cmath>

#include "core/error.hpp"
#include "store/safetensors.hpp"

namespace thalweg {

/// The elements of the tensor of that name. Throws ModelError, naming `where`, where there is none, where it is of
/// another type, or has numbers that are not finite.
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
