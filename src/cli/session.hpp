#pragma once
// A configuration and its data, ready to train.

#include "cli/arguments.hpp"
#include "insight/confusion.hpp"
#include "run/recipe.hpp"
#include "run/trained_system.hpp"

namespace thalweg::cli {

struct Session {
  Recipe recipe;
  Parts parts;
  Trainer trainer;
  std::optional<System> system = {};  ///< that is trained, in place of the recipe's model

  /// The names of the objectives, where they are several.
  [[nodiscard]] std::vector<std::string> objectives() const;
};
[[nodiscard]] Session make_session(const Config& config, const DataFacts& facts, Parts parts, const Registry& registry);
/// Throws UsageError where the configuration is a system's, for what is done with models alone.
void refuse_system(const Config& config, std::string_view command);
/// The same of a configuration that is not complete yet: of what has no model, much cannot be completed.
void refuse_system(const ConfigTree& tree, std::string_view command);
/// Throws UsageError where the configuration asks for what is done around one run alone, a budget or looks, of a
/// command that trains otherwise.
void refuse_watching(const Config& config, std::string_view command);
/// A new trainer of a session's model, with an optimizer of its own.
[[nodiscard]] Trainer make_trainer(const Session& session, const Config& config, Optimizer optimizer,
                                   const Registry& registry);

/// Puts a new trainer with the same state in the place of a session's: what the steps of the old one needed is freed,
/// before other trainers need as much.
void renew_trainer(Session& session, const Config& config, const Registry& registry);

/// "mlp on houses.csv: regression of medv, 400 rows to train on, 50 to validate"
[[nodiscard]] std::string describe(const Config& config, const Session& session);
/// What a row of the data is called: "rows", "images".
[[nodiscard]] std::string_view rows_name(const data::Preprocessing& preprocessing);
/// The same of what is trained on them: systems on texts have pairs of them for rows.
[[nodiscard]] std::string_view rows_name(const Recipe& recipe);

/// The names of the classes, in the order of the model's outputs; their numbers where they have none.
[[nodiscard]] std::vector<std::string> class_names(const Recipe& recipe);

/// Metrics of a baseline.
using NamedMetrics = std::pair<std::string, Metrics>;
/// "accuracy 0.8705 (always None: 0.9035, linear: 0.905)": a metric, and what each baseline has.
[[nodiscard]] std::string metric_text(const std::string& metric, double value,
                                      const std::vector<NamedMetrics>& baselines);
/// "validation  rmse 3.1  mae 2.2" and so on, a line; with baselines, a line a metric.
void print_metrics(std::string_view name, const Metrics& metrics, std::string_view note = "",
                   const std::vector<NamedMetrics>& baselines = {});
/// "57 rows; the loss is of the standardised target", "57 rows, weighted by w; positive: yes".
[[nodiscard]] std::string metrics_note(std::int64_t rows, const Recipe& recipe, bool weighted);
/// A table where the classes are few, and each one's recall; of many classes those with the lowest.
void print_confusion(const Confusion& confusion, const std::vector<std::string>& names);

}  // namespace thalweg::cli
