#pragma once
// State: everything that training changes, by name.

#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "thalweg/path.hpp"
#include "thalweg/tensor.hpp"

namespace thalweg {

/// The place of one parameter in the flat block of all parameters.
struct ParameterEntry {
  std::string name;
  Shape shape;
  std::int64_t offset = 0;  ///< in elements
  bool frozen = false, optional = false, decay = true;
  bool statistic = false;  ///< a statistic of the data: frozen, and updated by the observations of each step
  bool average = false;    ///< a moving average: "ema/g/weight" is that of "g/weight"; frozen, and updated by each step
};

/// The places of the parameters, sorted by group (trained with decay, trained without, frozen, moving averages,
/// statistics), each group in order of declaration. If several objectives train different parameters, the first two
/// groups of each objective follow those of the objective before.
struct Layout {
  std::vector<ParameterEntry> entries;
  std::int64_t size = 0;             ///< total number of elements
  std::int64_t decayed_size = 0;     ///< the first group ends here
  std::int64_t trained_size = 0;     ///< the last trained group ends here; the rest is frozen
  std::int64_t statistics_size = 0;  ///< elements of the last group
  DType dtype = f32;
  std::int64_t averages_size = 0;  ///< elements of the group before that

  /// The number of elements of the model: all but the moving averages.
  [[nodiscard]] std::int64_t parameters() const { return size - averages_size; }
};

/// Names by pattern, or by several: `*` stands for any characters, `?` for one. "g/*", {"encoder/*", "head/*"}.
class Patterns {
 public:
  Patterns() = default;  ///< everything
  Patterns(const char* pattern) : list_{pattern} {}
  Patterns(std::string pattern) : list_{std::move(pattern)} {}
  Patterns(std::initializer_list<std::string> patterns) : list_(patterns) {}
  [[nodiscard]] bool match(std::string_view name) const;
  [[nodiscard]] bool everything() const { return list_.empty(); }
  [[nodiscard]] std::string str() const;

 private:
  std::vector<std::string> list_;
};

/// Parameters, optimizer slots and the step count. Copying is cheap; copies are independent.
struct State {
  std::shared_ptr<const Layout> layout;
  Tensor parameters;  ///< flat, in the layout's order
  /// Flat, in the order of the trained parameters. The slots of an objective with a name begin with that name:
  /// "d:adam.m"; "d:steps" counts the steps that it took.
  std::vector<std::pair<std::string, Tensor>> slots;
  std::int64_t step = 0;  ///< steps taken; the number of batches where objectives take turns
  std::uint64_t seed = 0;

  /// A parameter by its path, "hidden/weight". Throws UsageError naming the nearest.
  [[nodiscard]] Tensor parameter(std::string_view name) const;
  void set_parameter(std::string_view name, const Tensor& value);

  /// The same state with a moving average in place of the parameters that have one: to sample or to evaluate with.
  /// Throws UsageError where none has that name.
  [[nodiscard]] State average(std::string_view name) const;

  /// Parameters and statistics to a safetensors file, by their paths: those that the patterns match, moving averages
  /// only where a pattern names them. Throws UsageError where they match nothing.
  void save(const Path& path, const Patterns& patterns = {}) const;
  /// The parameters of such a file that the patterns match, loaded into the parameter of the same path, or of that path
  /// below `under`: `state.load("autoencoder.safetensors", "encoder/*")`. Throws UsageError where they match nothing in
  /// the file, ModelError where the state lacks a parameter, or has it in another shape.
  void load(const Path& path, const Patterns& patterns = {}, std::string_view under = {});
};

}  // namespace thalweg
