#pragma once
// The configuration of a system that is trained by a loop of its own: sections of fields, an optimizer, a schedule.

#include <filesystem>

#include "run/config.hpp"

namespace thalweg {

class LoopConfig {
 public:
  std::uint64_t seed = 1;
  Choice optimizer, schedule;
  std::int64_t epochs = 5, batch_size = 256, save_every = 2000;
  int threads = 0;

  LoopConfig(std::string optimizer_kind, std::string schedule_kind)
      : optimizer{std::move(optimizer_kind)}, schedule{std::move(schedule_kind)} {}
  LoopConfig(const LoopConfig&) = default;
  LoopConfig& operator=(const LoopConfig&) = default;
  virtual ~LoopConfig() = default;

  /// Its row of the table of systems.
  [[nodiscard]] virtual std::string_view kind() const = 0;
  [[nodiscard]] virtual Fields data_fields() = 0;
  [[nodiscard]] virtual Fields system_fields() = 0;
  /// Those of the fields of `[data]` that are paths.
  [[nodiscard]] virtual std::vector<std::string*> places() = 0;
  /// Options of the optimizer whose default is another than the optimizer's.
  [[nodiscard]] virtual OptionMap optimizer_defaults() const = 0;
  /// Turns to the fold of that number among so many, where its data can be dealt out: what it then tests on.
  [[nodiscard]] virtual bool take_fold(std::int64_t, std::int64_t) { return false; }
  /// What depends on more than one key. Throws OptionError.
  virtual void check() const {}

  [[nodiscard]] Fields train_fields();
  [[nodiscard]] std::string toml();
  /// What decides the result: everything but places, threads and how often it is saved.
  [[nodiscard]] std::string fingerprint();
  [[nodiscard]] Optimizer make_optimizer(const Registry& registry) const;
};

/// Throws UsageError, with file and line where they are known, for what is unknown, of a wrong type or out of range.
void read_loop_config(LoopConfig& into, const ConfigTree& tree, const std::filesystem::path& folder,
                      const Registry& registry);

}  // namespace thalweg
