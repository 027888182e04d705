// thalweg list: the tables, row by row.

#include <CLI/CLI.hpp>
#include <algorithm>
#include <nlohmann/json.hpp>

#include "cli/command.hpp"
#include "cli/output.hpp"
#include "core/error.hpp"
#include "loss/likelihood.hpp"
#include "ops/table.hpp"
#include "options/nearest_name.hpp"
#include "run/config.hpp"
#include "thalweg/augment.hpp"
#include "thalweg/layers.hpp"
#include "thalweg/metrics.hpp"
#include "thalweg/problem.hpp"

namespace thalweg::cli {

namespace {

/// The shown form of a row of any table. `drawn`: for a loss that draws labels from the model, how it draws them.
struct ListedRow {
  std::string_view name, summary = {}, formula = {}, when = {}, source = {};
  std::vector<OptionDoc> options = {};
  std::string needs = {};
  std::string_view drawn = {};
};

struct ListedTable {
  std::string name, summary;
  std::function<std::vector<ListedRow>()> rows;
};

template <class Rows>
std::vector<ListedRow> full_rows(const Rows& rows) {
  std::vector<ListedRow> listed;
  for (const auto& row : rows)
    listed.push_back({row.name, row.summary, row.formula, row.when, row.source, row.options});
  return listed;
}

/// The needs of an optimizer, if it needs more than one gradient per step.
std::string needs_of(const OptimizerRow& row) {
  if (!row.owns_steps && row.needs.size() == 1) return {};
  std::string text;
  if (row.needs == std::vector{Need::gradient, Need::gradient}) return std::string(name(Need::gradient)) + ", twice";
  for (const Need need : row.needs) text += (text.empty() ? "" : ", ") + std::string(name(need));
  if (!row.owns_steps) return text;
  return text + (row.keeps_bounds ? "; keeps bounds" : "") +
         "; owns its steps: no rate, no schedule, no groups of parameters";
}

std::vector<ListedRow> optimizer_rows(std::span<const OptimizerRow> rows) {
  std::vector<ListedRow> listed = full_rows(rows);
  for (std::size_t i = 0; i < rows.size(); ++i) listed[i].needs = needs_of(rows[i]);
  return listed;
}

std::vector<ListedRow> loss_rows(std::span<const LossRow> rows) {
  std::vector<ListedRow> listed = full_rows(rows);
  for (ListedRow& row : listed) {
    if (const loss::Likelihood* likelihood = loss::likelihood_of(row.name)) row.drawn = likelihood->distribution;
  }
  return listed;
}

template <class Rows>
std::vector<ListedRow> plain_rows(const Rows& rows) {
  std::vector<ListedRow> listed;
  for (const auto& row : rows) listed.push_back({.name = row.name, .summary = row.summary, .options = row.options});
  return listed;
}

std::vector<ListedRow> named_rows(const std::vector<std::string>& names) {
  std::vector<ListedRow> listed;
  for (const std::string& name : names) listed.push_back({.name = name});
  return listed;
}

std::vector<ListedRow> op_rows() {
  std::vector<ListedRow> listed;
  for (const Op* op : all_ops()) listed.push_back({.name = op->name, .formula = op->formula});
  return listed;
}

/// The readers, each with the common keys and its own keys.
std::vector<ListedRow> reader_rows() {
  std::vector<ListedRow> listed;
  for (const ReaderRow& row : readers()) {
    DataOptions common{.format = std::string(row.name)};
    ListedRow& shown = listed.emplace_back(ListedRow{.name = row.name, .summary = row.summary});
    shown.options = describe_fields(common.fields());
    shown.options.insert(shown.options.end(), row.options.begin(), row.options.end());
  }
  return listed;
}

/// The sections of a configuration that have no `kind`.
std::vector<ListedRow> section_rows() {
  TrainOptions train;
  EarlyStopping stopping;
  InsightOptions insight;
  AugmentOptions augment;
  return {
      {.name = "data.augment",
       .summary = "how images are changed at random in training",
       .options = describe_fields(fields(augment))},
      {.name = "train", .summary = "how long, and in which batches", .options = describe_fields(train.fields())},
      {.name = "train.early_stopping",
       .summary = "when to end before the last epoch",
       .options = describe_fields(early_stopping_fields(stopping))},
      {.name = "insight", .summary = "looks at the run while it trains", .options = describe_fields(insight.fields())}};
}

std::vector<ListedRow> metric_rows() {
  std::vector<ListedRow> listed;
  for (const MetricRow& row : metrics()) {
    listed.push_back({.name = row.name, .summary = row.summary, .formula = row.formula});
  }
  return listed;
}

std::vector<ListedRow> initializer_rows() {
  std::vector<ListedRow> listed;
  for (const InitializerRow& row : initializers()) {
    ListedRow& shown = listed.emplace_back(ListedRow{.name = row.name, .summary = row.formula, .source = row.source});
    if (row.option.empty()) continue;
    shown.options = {{std::string(row.option), "as in the formula", {row.initializer.value}, ""}};
  }
  return listed;
}

std::vector<ListedRow> layer_rows() {
  std::vector<ListedRow> listed;
  for (const nn::LayerRow& row : nn::layers()) {
    listed.push_back({.name = row.name, .summary = row.summary, .formula = row.formula, .options = row.options});
  }
  return listed;
}

std::vector<ListedRow> environment_rows(std::span<const EnvironmentRow> rows) {
  std::vector<ListedRow> listed;
  for (const EnvironmentRow& row : rows)
    listed.push_back({.name = row.name, .summary = row.summary, .source = row.source});
  return listed;
}

std::vector<ListedTable> tables(const Registry& registry) {
  return {
      {"models", "what is trained", [&] { return plain_rows(registry.models()); }},
      {"layers", "the parts of a model of kind `layers`", [] { return layer_rows(); }},
      {"losses", "what is minimised", [&] { return loss_rows(registry.losses()); }},
      {"optimizers", "how parameters are updated", [&] { return optimizer_rows(registry.optimizers()); }},
      {"systems", "what can be trained in place of a model with a loss", [&] { return full_rows(registry.systems()); }},
      {"environments", "the games and tasks in which a system can act",
       [&] { return environment_rows(registry.environments()); }},
      {"schedules", "how the rate changes over a run", [&] { return full_rows(registry.schedules()); }},
      {"problems", "functions for `minimize` and `compare`", [] { return full_rows(problems()); }},
      {"metrics", "what is measured", [] { return metric_rows(); }},
      {"readers", "where data comes from", [] { return reader_rows(); }},
      {"sections", "the rest of a configuration", [] { return section_rows(); }},
      {"activations", "functions between the layers of a model", [] { return named_rows(nn::activations()); }},
      {"initializers", "how parameters start", [] { return initializer_rows(); }},
      {"ops", "the operations that functions are made of", [] { return op_rows(); }},
  };
}

const ListedTable& table_named(const std::vector<ListedTable>& all, const std::string& name) {
  const auto found = std::ranges::find(all, name, &ListedTable::name);
  if (found != all.end()) return *found;
  std::vector<std::string> names;
  for (const ListedTable& table : all) names.push_back(table.name);
  fail<UsageError>("[list] there is no table '{}'. Hint: {}", name, name_hint(name, names));
}

void print_row(const ListedRow& row) {
  const bool brief = row.options.empty() && row.source.empty() && row.when.empty();
  if (brief) {
    const char* between = row.summary.empty() || row.formula.empty() ? "" : ": ";
    emit("{:<22}{}{}{}\n", row.name, row.summary, between, row.formula);
    return;
  }
  emit("{}: {}\n", row.name, row.summary);
  if (!row.formula.empty()) emit("    {}\n", row.formula);
  if (!row.when.empty()) emit("    for {}\n", row.when);
  if (!row.needs.empty()) emit("    needs {}\n", row.needs);
  if (!row.drawn.empty()) emit("    drawn labels: {}\n", row.drawn);
  if (!row.source.empty()) emit("    {}\n", row.source);
  for (const OptionDoc& option : row.options) {
    emit("    {:<34}{}{}\n", fmt::format("{} = {}", option.name, option.initial.str()), option.doc,
         option.wanted.empty() ? "" : fmt::format(" ({})", option.wanted));
  }
  emit("\n");
}

nlohmann::ordered_json json_of(const ListedRow& row) {
  nlohmann::ordered_json object{{"name", row.name}};
  const auto set = [&](const char* key, std::string_view value) {
    if (!value.empty()) object[key] = value;
  };
  set("summary", row.summary);
  set("formula", row.formula);
  set("when", row.when);
  set("needs", row.needs);
  set("drawn_labels", row.drawn);
  set("source", row.source);
  for (const OptionDoc& option : row.options) {
    object["options"].push_back(
        {{"name", option.name}, {"doc", option.doc}, {"default", option.initial.str()}, {"wanted", option.wanted}});
  }
  return object;
}

int list_all(const std::vector<ListedTable>& all, const Context& context) {
  nlohmann::ordered_json result;
  for (const ListedTable& table : all) {
    std::vector<std::string_view> names;
    for (const ListedRow& row : table.rows()) names.push_back(row.name);
    result[table.name] = names;
    if (!context.json) emit("{:<14}{}\n    {}\n", table.name, table.summary, fmt::join(names, ", "));
  }
  if (context.json) {
    emit_line_of(result);
  } else {
    emit("\n`thalweg list TABLE` shows each row with its formula, options, defaults and source.\n");
  }
  return 0;
}

int list_rows(const ListedTable& table, const std::string& name, const Context& context) {
  nlohmann::ordered_json result = nlohmann::ordered_json::array();
  std::vector<std::string> names;
  bool shown = false;
  for (const ListedRow& row : table.rows()) {
    names.emplace_back(row.name);
    if (!name.empty() && row.name != name) continue;
    shown = true;
    context.json ? result.push_back(json_of(row)) : print_row(row);
  }
  if (!shown) {
    fail<UsageError>("[list] there is no row '{}' among {}. Hint: {}", name, table.name, name_hint(name, names));
  }
  if (context.json) emit_line_of(result);
  return 0;
}

void set_up(CLI::App& command, Context& context) {
  struct Arguments {
    std::string table, row;
  };
  auto arguments = std::make_shared<Arguments>();
  command.footer("Examples:\n  thalweg list\n  thalweg list optimizers\n  thalweg list optimizers adamw --json");
  command.add_option("table", arguments->table, "models, losses, optimizers, schedules, ...")->type_name("TABLE");
  command.add_option("row", arguments->row, "One row of it")->type_name("NAME");
  set_run(command, context, [arguments, &context] {
    const std::vector<ListedTable> all = tables(context.registry);
    if (arguments->table.empty()) return list_all(all, context);
    return list_rows(table_named(all, arguments->table), arguments->row, context);
  });
}

}  // namespace

std::vector<CommandRow> list_commands() {
  return {{"list", "Everything that a configuration can name", CommandGroup::reference, set_up}};
}

}  // namespace thalweg::cli
