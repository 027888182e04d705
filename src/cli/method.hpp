#pragma once
// The optimizer of `minimize` and `compare`: a row of the table, its options, its schedule.

#include <optional>

#include "cli/command.hpp"
#include "thalweg/minimize.hpp"

namespace thalweg::cli {

/// The keys given with `--set`, by section: optimizer.*, schedule.* and problem.*.
struct Settings {
  OptionMap optimizer, schedule, problem;
};
/// Throws UsageError for a key of another section.
[[nodiscard]] Settings read_settings(const std::vector<std::string>& sets);

/// Throws UsageError for invalid options. If no rate is given, the default of the row is used. Weight decay is 0 unless
/// it is set.
[[nodiscard]] Optimizer make_method(const Registry& registry, const std::string& optimizer, const Settings& settings,
                                    std::optional<double> lr);

/// The stopping rules by their names in MinimizeOptions, as options of a command.
class StoppingArguments {
 public:
  void add_to(CLI::App& command, std::int64_t max_steps);
  /// Throws UsageError for invalid values.
  [[nodiscard]] MinimizeOptions options(const Tensor& x0) const;

 private:
  std::vector<std::pair<std::string, std::string>> given_;
  std::int64_t max_steps_ = 0;
};

/// Rates from 10^low to 10^high, `a_decade` of them per decade.
[[nodiscard]] std::vector<double> rate_grid(double low, double high, int a_decade);

/// Whether a is a better result than b: a lower value, or the same minimum in fewer steps.
[[nodiscard]] bool is_better(const MinimizeResult& a, const MinimizeResult& b);

}  // namespace thalweg::cli
