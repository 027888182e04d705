#pragma once
// The configuration of a system with its own training loop: sections of fields, an optimizer, a schedule.

#include <filesystem>

#include "run/config.hpp"

namespace thalweg {

class LoopConfig {
 public:
  std::uint64_t seed = 1;
  Choice optimizer, schedule;
  std::int64_t epochs = 5, batch_size = 256, save_every = 2000;
  int threads = 0;
  std::string device = "cpu";

  LoopConfig(std::string optimizer_kind, std::string schedule_kind)
      : optimizer{std::move(optimizer_kind)}, schedule{std::move(schedule_kind)} {}
  LoopConfig(const LoopConfig&) = default;
  LoopConfig& operator=(const LoopConfig&) = default;
  virtual ~LoopConfig() = default;

  /// Its row of the table of systems.
  [[nodiscard]] virtual std::string_view kind() const = 0;
  [[nodiscard]] virtual Fields data_fields() = 0;
  [[nodiscard]] virtual Fields system_fields() = 0;
  /// The fields of `[data]` that are paths.
  [[nodiscard]] virtual std::vector<std::string*> places() = 0;
  /// Options of the optimizer whose defaults differ from the optimizer's own.
  [[nodiscard]] virtual OptionMap optimizer_defaults() const = 0;
  /// Makes one fold, given by its number and the number of folds, the test data. False if the data has no folds.
  [[nodiscard]] virtual bool take_fold(std::int64_t, std::int64_t) { return false; }
  /// Checks conditions on several keys. Throws OptionError.
  virtual void check() const {}

  [[nodiscard]] Fields train_fields();
  [[nodiscard]] std::string toml();
  /// The keys that decide the result: all but places, threads and the interval of checkpoints.
  [[nodiscard]] std::string fingerprint();
  [[nodiscard]] Optimizer make_optimizer(const Registry& registry) const;
};

/// Throws UsageError, with file and line where they are known, for keys and values that are unknown, of a wrong type or
/// out of range.
void read_loop_config(LoopConfig& into, const ConfigTree& tree, const std::filesystem::path& folder,
                      const Registry& registry);

}  // namespace thalweg
