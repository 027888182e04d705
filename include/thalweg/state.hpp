#pragma once
// State: everything that training changes, by name.

#include <memory>
#include <string>
#include <vector>

#include "thalweg/tensor.hpp"

namespace thalweg {

/// Where one parameter lies in the flat block of all parameters.
struct ParameterEntry {
  std::string name;
  Shape shape;
  std::int64_t offset = 0;  ///< in elements
  bool frozen = false, optional = false, decay = true;
  bool statistic = false;  ///< of the data: frozen, and moved by what each step observes
};

/// The parameters' places: sorted by group (trained with decay, trained without, frozen, statistics), each in order of
/// declaration.
struct Layout {
  std::vector<ParameterEntry> entries;
  std::int64_t size = 0;             ///< elements in all
  std::int64_t decayed_size = 0;     ///< the first group ends here
  std::int64_t trained_size = 0;     ///< the second ends here; the rest is frozen
  std::int64_t statistics_size = 0;  ///< elements of the last group
  DType dtype = f32;
};

/// Parameters, optimizer slots and the step count. Copying is cheap; copies are independent.
struct State {
  std::shared_ptr<const Layout> layout;
  Tensor parameters;                                  ///< flat, in the layout's order
  std::vector<std::pair<std::string, Tensor>> slots;  ///< flat, beside the trained parameters
  std::int64_t step = 0;                              ///< steps taken
  std::uint64_t seed = 0;

  /// A parameter by its path, "hidden/weight". Throws UsageError naming the nearest.
  [[nodiscard]] Tensor parameter(std::string_view name) const;
  void set_parameter(std::string_view name, const Tensor& value);
};

}  // namespace thalweg
