#pragma once
// Systems that are trained by a loop of their own, whose steps touch few rows, in the commands: train, evaluate,
// report.

#include "cli/train.hpp"
#include "core/workers.hpp"
#include "insight/verdict.hpp"
#include "report/report.hpp"
#include "run/loop_config.hpp"
#include "store/safetensors.hpp"
#include "thalweg/system.hpp"

namespace thalweg::cli {

/// Such a system, trained or in training.
class Looped {
 public:
  virtual ~Looped() = default;

  /// "embeddings: 20,123 words of 100 numbers; 4,024,600 parameters"
  [[nodiscard]] virtual std::string described() const = 0;
  [[nodiscard]] virtual std::int64_t parameters() const = 0;
  [[nodiscard]] virtual std::int64_t steps_in_epoch() const = 0;
  /// The step behind `steps` others, and what it says of itself but for epoch and total: its norm where that is wanted.
  [[nodiscard]] virtual StepReport take(double rate, std::optional<double> momentum, bool wants_norm) = 0;
  /// What to say of the epoch that ended, behind its mean loss.
  [[nodiscard]] virtual Metrics end_of_epoch() { return {}; }
  /// What it is measured by, on the data at a place or where that is empty on its own test data; nothing where it has
  /// none.
  struct Measured {
    SystemFigures figures;
    std::string note;                                            ///< "2,911 questions"
    std::vector<std::pair<std::string, std::int64_t>> counts{};  ///< what the note says, for JSON
  };
  [[nodiscard]] virtual std::optional<Measured> measure(const std::string& place) = 0;
  /// The losses that it has to beat to have learned anything; none where no constant says anything.
  [[nodiscard]] virtual JudgeOptions constants() const { return {}; }
  /// Adds what the report shows besides.
  virtual void show(ReportData&) {}
  /// A command that does something with the run: "thalweg neighbours {} word".
  [[nodiscard]] virtual std::string next(const std::string& run) const = 0;

  /// Everything that the next step and a measurement depend on; `extra` is kept with it.
  void save(const std::filesystem::path& path, const std::string& fingerprint) const;
  /// Goes on from a file. Throws ModelError for another's; UsageError where a fingerprint is given and the file's is
  /// another, naming the difference.
  void restore(const std::filesystem::path& path, const std::optional<std::string>& fingerprint = {});

  std::int64_t steps = 0;
  double epoch_loss = 0, epoch_weight = 0;  ///< of the steps of an epoch so far

 protected:
  virtual void write(SafetensorsFile& file) const = 0;
  virtual void read(const SafetensorsFile& file) = 0;
};

/// A row of the table of such systems.
struct LoopedRow {
  std::string_view kind;
  std::unique_ptr<LoopConfig> (*config)();
  /// With the training data; the second from a file alone, to be measured and asked.
  std::unique_ptr<Looped> (*begin)(const LoopConfig& config, const Registry& registry);
  std::unique_ptr<Looped> (*load)(const LoopConfig& config, const std::filesystem::path& file,
                                  const Registry& registry);
};
[[nodiscard]] LoopedRow looped_embeddings();
[[nodiscard]] LoopedRow looped_recommender();

/// The row that a configuration's `system.kind` names, or none.
[[nodiscard]] const LoopedRow* looped_row(const ConfigTree& tree);
int train_looped(const LoopedRow& row, const TrainArguments& arguments, const NamedTree& named, const Context& context);

/// A run that such a system left, ready to be asked.
struct TrainedLoop {
  const LoopedRow& row;
  std::unique_ptr<LoopConfig> config;
  std::unique_ptr<Looped> system;
};
/// The row of a run folder; none where the path is none, or another kind of run's.
[[nodiscard]] const LoopedRow* looped_run(const std::string& path);
/// Throws ModelError where there is no model yet.
[[nodiscard]] TrainedLoop trained_loop(const LoopedRow& row, const std::filesystem::path& folder,
                                       const Registry& registry);
int evaluate_looped(const LoopedRow& row, const std::filesystem::path& folder, const std::string& place,
                    const Context& context);
int report_looped(const LoopedRow& row, const std::filesystem::path& folder, const Context& context);

}  // namespace thalweg::cli
