#pragma once
// The folder of a run: config.toml, data.json, metrics.jsonl, model.safetensors, baselines.safetensors, checkpoints/,
// report.html, outcome.json.

#include <filesystem>
#include <fstream>
#include <optional>
#include <string>

#include "insight/look.hpp"
#include "thalweg/train.hpp"

namespace thalweg {

/// A run folder that this process has locked: no other process may write to it while the object lives.
class RunFolder {
 public:
  /// Makes the folder `wanted`, or, if it exists, the next free one of `wanted-2`, `wanted-3`, ...; the link `latest`
  /// beside it then points to it. Throws UsageError if another process uses `wanted`, IoError if the folder cannot be
  /// made.
  [[nodiscard]] static RunFolder create(const std::filesystem::path& wanted);
  /// Opens an existing folder to continue its run. Throws UsageError if another process uses it.
  [[nodiscard]] static RunFolder open(const std::filesystem::path& path);
  /// The newest of `wanted`, `wanted-2`, ... that has not finished.
  [[nodiscard]] static std::optional<std::filesystem::path> newest_unfinished(const std::filesystem::path& wanted);
  /// Removes a folder that `create` made, for a run that was refused before its first step.
  void discard() &&;
  /// Whether a folder holds a finished run.
  [[nodiscard]] static bool finished(const std::filesystem::path& path);

  RunFolder(RunFolder&& other) noexcept;
  RunFolder& operator=(RunFolder&&) = delete;
  ~RunFolder();

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  [[nodiscard]] std::filesystem::path config() const { return path_ / "config.toml"; }
  [[nodiscard]] std::filesystem::path data() const { return path_ / "data.json"; }
  [[nodiscard]] std::filesystem::path metrics() const { return path_ / "metrics.jsonl"; }
  [[nodiscard]] std::filesystem::path model() const { return path_ / "model.safetensors"; }
  [[nodiscard]] std::filesystem::path baselines() const { return path_ / "baselines.safetensors"; }
  [[nodiscard]] std::filesystem::path checkpoints() const { return path_ / "checkpoints"; }
  [[nodiscard]] std::filesystem::path report() const { return path_ / "report.html"; }
  /// exists until there is a model
  [[nodiscard]] std::filesystem::path recipe() const { return path_ / "recipe.safetensors"; }
  [[nodiscard]] std::filesystem::path outcome() const { return path_ / "outcome.json"; }

 private:
  explicit RunFolder(std::filesystem::path path);
  void name_latest();

  std::filesystem::path path_;
  int lock_ = -1;
  std::filesystem::path latest_before_;  // the previous target of `latest`
};

/// How to continue an unfinished run, for the hint of an error: `--resume`, if there is a checkpoint.
[[nodiscard]] std::string way_on(const std::filesystem::path& path);
/// Throws UsageError for a finished folder that holds no model: one of variants, or of a cross-validation.
void expect_model(const std::filesystem::path& path);
/// The model file of a run folder; any other path is the file itself. Throws UsageError for a folder that is not a run
/// folder, ModelError for an unfinished run.
[[nodiscard]] std::filesystem::path model_file(const std::filesystem::path& path);

/// metrics.jsonl: one object per line, for each epoch, and for steps at intervals.
class MetricsLog {
 public:
  /// Appends to existing lines.
  explicit MetricsLog(std::filesystem::path path);
  /// `layers` are those of the report's layer_norms; `seconds` is the time that the run has taken so far.
  void add(const StepReport& report, const std::vector<std::string>& layers = {}, double seconds = 0);
  void add(const EpochReport& report);
  void add(const Look& look);
  /// Writes only the time that the run has taken so far, for a step without other values.
  void add_time(std::int64_t step, double seconds);
  /// Removes all lines of later steps, because a resumed run repeats these steps. The time that they took still counts;
  /// it is written to the last remaining line.
  void cut_after(std::int64_t step);
  /// The contents of the log, over all sittings of a run.
  [[nodiscard]] History history() const;
  [[nodiscard]] std::vector<Look> looks() const;

 private:
  void add_line(const std::string& line);

  std::filesystem::path path_;
  std::ofstream file_;
};

}  // namespace thalweg
