#pragma once
// The commands train, evaluate and report for systems with their own training loop, whose steps change only few rows.

#include "cli/train.hpp"
#include "core/workers.hpp"
#include "insight/verdict.hpp"
#include "report/report.hpp"
#include "run/loop_config.hpp"
#include "store/safetensors.hpp"
#include "thalweg/system.hpp"

namespace thalweg::cli {

/// A system with its own training loop, during or after the training.
class Looped {
 public:
  virtual ~Looped() = default;

  /// "embeddings: 20,123 words of 100 numbers; 4,024,600 parameters"
  [[nodiscard]] virtual std::string described() const = 0;
  [[nodiscard]] virtual std::int64_t parameters() const = 0;
  [[nodiscard]] virtual std::int64_t steps_in_epoch() const = 0;
  /// Takes the step number `steps` + 1 and returns its report, without epoch and total. The gradient's norm is computed
  /// only if `wants_norm`.
  [[nodiscard]] virtual StepReport take(double rate, std::optional<double> momentum, bool wants_norm) = 0;
  /// Metrics of the finished epoch, which are shown after its mean loss.
  [[nodiscard]] virtual Metrics end_of_epoch() { return {}; }
  /// The figures on the data at a place, or on its own test data if the place is empty. Empty if there is no test data.
  struct Measured {
    SystemFigures figures;
    std::string note;                                            ///< "2,911 questions"
    std::vector<std::pair<std::string, std::int64_t>> counts{};  ///< the numbers in the note, for JSON
  };
  [[nodiscard]] virtual std::optional<Measured> measure(const std::string& place) = 0;
  /// The losses of constants, which it has to beat to have learned anything. Empty if constants have no meaning for it.
  [[nodiscard]] virtual JudgeOptions constants() const { return {}; }
  /// Adds further parts to the report.
  virtual void show(ReportData&) {}
  /// A command that uses the run: "thalweg neighbours {} word".
  [[nodiscard]] virtual std::string next(const std::string& run) const = 0;

  /// Saves everything that the next step and a measurement depend on, with a fingerprint.
  void save(const std::filesystem::path& path, const std::string& fingerprint) const;
  /// Continues from a file. Throws ModelError for the file of another system; UsageError, naming the difference, if a
  /// fingerprint is given and the file has another one.
  void restore(const std::filesystem::path& path, const std::optional<std::string>& fingerprint = {});

  std::int64_t steps = 0;
  double epoch_loss = 0, epoch_weight = 0;  ///< over the steps of the present epoch

 protected:
  virtual void write(SafetensorsFile& file) const = 0;
  virtual void read(const SafetensorsFile& file) = 0;
};

/// A row of the table of such systems.
struct LoopedRow {
  std::string_view kind;
  std::unique_ptr<LoopConfig> (*config)();
  /// `begin` reads the training data. `load` reads only a file, for measurements and queries.
  std::unique_ptr<Looped> (*begin)(const LoopConfig& config, const Registry& registry);
  std::unique_ptr<Looped> (*load)(const LoopConfig& config, const std::filesystem::path& file,
                                  const Registry& registry);
};
[[nodiscard]] LoopedRow looped_embeddings();
[[nodiscard]] LoopedRow looped_recommender();

[[nodiscard]] std::vector<std::string> looped_kinds();
/// The row that a configuration's `system.kind` names, or none.
[[nodiscard]] const LoopedRow* looped_row(const ConfigTree& tree);
/// Throws UsageError for such a system, and for a classifier of texts: commands other than train have no use for them.
void refuse_own_loop(const ConfigTree& tree);
int train_looped(const LoopedRow& row, const TrainArguments& arguments, const NamedTree& named, const Context& context);

/// A finished run of such a system, ready for queries.
struct TrainedLoop {
  const LoopedRow& row;
  std::unique_ptr<LoopConfig> config;
  std::unique_ptr<Looped> system;
};
/// The row for a run folder; null if the path is not a run folder or belongs to another kind of run.
[[nodiscard]] const LoopedRow* looped_run(const std::string& path);
/// Throws ModelError if there is no model yet.
[[nodiscard]] TrainedLoop trained_loop(const LoopedRow& row, const std::filesystem::path& folder,
                                       const Registry& registry);
int evaluate_looped(const LoopedRow& row, const std::filesystem::path& folder, const std::string& place,
                    const Context& context);
int report_looped(const LoopedRow& row, const std::filesystem::path& folder, const Context& context);

}  // namespace thalweg::cli
