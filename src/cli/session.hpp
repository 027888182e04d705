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
  std::optional<System> system = {};  ///< if present, it is trained in place of the recipe's model

  /// The names of the objectives; empty if there is only one.
  [[nodiscard]] std::vector<std::string> objectives() const;
};
/// The recipe of a new run: where the configuration leaves it open, what the model needs to know of its training rows
/// follows from these.
[[nodiscard]] Recipe make_recipe(const Config& config, const DataFacts& facts, const Parts& parts,
                                 const Registry& registry);
[[nodiscard]] Session make_session(const Config& config, const DataFacts& facts, Parts parts, const Registry& registry);
/// Throws UsageError if the configuration is that of a system. For commands that work only with models.
void refuse_system(const Config& config, std::string_view command);
/// The same for a configuration without its defaults: many defaults do not exist where there is no model.
void refuse_system(const ConfigTree& tree, std::string_view command);
/// Throws UsageError if the configuration has a budget or asks for looks. For commands that train several models:
/// budgets and looks work only in a single run.
void refuse_watching(const Config& config, std::string_view command);
/// A new trainer of a session's model, with this optimizer.
[[nodiscard]] Trainer make_trainer(const Session& session, const Config& config, Optimizer optimizer,
                                   const Registry& registry);

/// Replaces the trainer of a session by a new one with the same state. This frees the memory that the steps of the old
/// one needed, before other trainers need as much.
void renew_trainer(Session& session, const Config& config, const Registry& registry);

/// "mlp on houses.csv: regression of medv, 400 rows to train on, 50 to validate"
[[nodiscard]] std::string describe(const Config& config, const Session& session);
/// The name for rows of the data: "rows", "images".
[[nodiscard]] std::string_view rows_name(const data::Preprocessing& preprocessing);
/// The same for a recipe: the rows of a system on texts are pairs of texts.
[[nodiscard]] std::string_view rows_name(const Recipe& recipe);

/// The names of the classes, in the order of the model's outputs; their numbers if they have no names.
[[nodiscard]] std::vector<std::string> class_names(const Recipe& recipe);

/// Metrics of a baseline.
using NamedMetrics = std::pair<std::string, Metrics>;
/// "accuracy 0.8705 (always None: 0.9035, linear: 0.905)": a metric, and what each baseline has.
[[nodiscard]] std::string metric_text(const std::string& metric, double value,
                                      const std::vector<NamedMetrics>& baselines);
/// One line, "validation rmse 3.1 mae 2.2"; with baselines, one line per metric.
void print_metrics(std::string_view name, const Metrics& metrics, std::string_view note = "",
                   const std::vector<NamedMetrics>& baselines = {});
/// "57 rows; the loss is of the standardised target", "57 rows, weighted by w; positive: yes".
[[nodiscard]] std::string metrics_note(std::int64_t rows, const Recipe& recipe, bool weighted);
/// For a few classes, a table and the recall of each; for many classes, only the lowest recalls.
void print_confusion(const Confusion& confusion, const std::vector<std::string>& names);

}  // namespace thalweg::cli
