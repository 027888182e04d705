#pragma once
// The configuration of a run: the user's options, completed by the defaults for the data.

#include <algorithm>
#include <filesystem>

#include "options/toml.hpp"
#include "run/reader.hpp"
#include "thalweg/registry.hpp"
#include "thalweg/train.hpp"

namespace thalweg {

/// The rows of a step: a number, or "all" for the whole training set.
struct BatchSize {
  std::int64_t rows = 32;  ///< 0: all
  [[nodiscard]] std::int64_t of(std::int64_t all) const { return rows == 0 ? all : std::min(all, rows); }
};
template <>
struct OptionForm<BatchSize> {
  static constexpr std::string_view wanted = ">= 1, or \"all\"";
  static OptionValue write(const BatchSize& size);
  static std::optional<BatchSize> read(const OptionValue& value);
};

/// `[train]`
struct TrainOptions {
  std::int64_t epochs = 10, steps = 0;
  BatchSize batch_size = {};
  std::int64_t shard_size = 0, accumulate = 1;
  bool shuffle = true;
  OptionValue early_stopping = {false};  ///< false, or a table of EarlyStopping's fields
  Duration checkpoint_every = "1 epochs";
  int keep_checkpoints = 2;
  int threads = 0;
  std::string device = "cpu";
  bool tf32 = false;
  std::string memory = "fast";
  std::string precision = "f32";
  bool layer_norms = false;
  std::string budget = "";  ///< "2 h", "30 min", "90 s", "$50"
  double price = 0;         ///< dollars per hour, for a budget in dollars

  [[nodiscard]] Fields fields();
  /// The budget in seconds; empty without a budget. Throws UsageError for a text of another form, and for dollars
  /// without a price.
  [[nodiscard]] std::optional<double> allowed_seconds() const;
};

/// `[insight]`: looks at the run while it trains.
struct InsightOptions {
  Duration every = 0;  ///< 0: none
  bool largest = false;
  double budget = 0.05;

  [[nodiscard]] Fields fields();
};

/// One row of a table, and its options.
struct Choice {
  std::string kind;
  OptionMap options = {};
};

struct Config {
  std::uint64_t seed = 1;
  DataOptions data;
  Choice model, loss, optimizer, schedule;
  Choice system = {};  ///< in place of model and loss; its kind is empty if these are given
  TrainOptions train;
  InsightOptions insight = {};
  bool auto_lr = false;  ///< true while `optimizer.lr = "auto"` and no rate is found: its number is a placeholder

  [[nodiscard]] bool has_system() const { return !system.kind.empty(); }
  /// Replaces "auto" by the rate.
  void set_lr(double lr, const Registry& registry);
  /// Section by section, with every key.
  [[nodiscard]] OptionMap tree() const;
  /// The tree as TOML.
  [[nodiscard]] std::string toml() const;
  /// The keys that decide the result of a run: all but threads, device and checkpoints.
  [[nodiscard]] std::string fingerprint() const;

  [[nodiscard]] Optimizer make_optimizer(const Registry& registry) const;
  [[nodiscard]] FitOptions fit_options() const;
};

/// Sets the rate in the options of a method, or of the method that it wraps. False if neither has a rate.
bool set_rate(const OptimizerRow& row, OptionMap& options, const OptionValue& lr);

/// Reads a configuration in two stages, because defaults depend on the data: first the place of the data, then the
/// rest.
[[nodiscard]] DataOptions read_data_options(const ConfigTree& tree, const std::filesystem::path& folder);
/// Throws UsageError, with file and line where they are known, for keys and values that are unknown, of a wrong type or
/// out of range.
[[nodiscard]] Config read_config(const ConfigTree& tree, DataOptions data, const DataFacts& facts,
                                 const Registry& registry);

/// The defaults for such data, section by section, for its usual model or for a model of the given kind.
[[nodiscard]] OptionMap default_config(const DataFacts& facts, std::string_view model = {});

/// The keys at which two configurations differ, one per line: `optimizer.lr: 0.001 -> 0.003`. Threads and checkpoints
/// are left out, because they cannot change the result, and the device, of which the last digits depend as they do of
/// the kind of CPU.
[[nodiscard]] std::vector<std::string> differences(const Config& before, const Config& after);

/// Names of the sections and their fields, for documentation.
[[nodiscard]] Fields early_stopping_fields(EarlyStopping& options);

}  // namespace thalweg
