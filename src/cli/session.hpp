#pragma once
// A configuration and its data, ready to train.

#include "cli/arguments.hpp"
#include "run/recipe.hpp"

namespace thalweg::cli {

struct Session {
  Recipe recipe;
  Parts parts;
  Trainer trainer;
};
[[nodiscard]] Session make_session(const Config& config, const DataFacts& facts, Parts parts, const Registry& registry);

/// "mlp on houses.csv: regression of medv, 400 rows to train on, 50 to validate"
[[nodiscard]] std::string describe(const Config& config, const Session& session);
/// What a row of the data is called: "rows", "images".
[[nodiscard]] std::string_view rows_name(const data::Preprocessing& preprocessing);

/// "validation  rmse 3.1  mae 2.2" and so on, a line.
void print_metrics(std::string_view name, const Metrics& metrics, std::string_view note = "");

}  // namespace thalweg::cli
