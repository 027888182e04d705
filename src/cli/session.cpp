#include "cli/session.hpp"

#include "cli/output.hpp"

namespace thalweg::cli {

Session make_session(const Config& config, const DataFacts& facts, Parts parts, const Registry& registry) {
  Recipe recipe{config.model, config.loss, facts.outputs, parts.preprocessing};
  Trainer trainer(recipe.make_model(registry, parts.augmentation), recipe.make_loss(registry),
                  config.make_optimizer(registry), config.train.threads);
  trainer.init(parts.train.slice(0, 1), config.seed);
  return {std::move(recipe), std::move(parts), std::move(trainer)};
}

std::string_view rows_name(const data::Preprocessing& preprocessing) {
  return preprocessing.table() ? "rows" : preprocessing.text() ? "windows" : "images";
}

std::string describe(const Config& config, const Session& session) {
  const data::Preprocessing& preprocessing = session.parts.preprocessing;
  const auto* table = preprocessing.table();
  const auto* text_data = preprocessing.text();
  const bool classes = preprocessing.task() != data::Task::regression;
  const std::string task = table ? fmt::format("{} of {}", data::name(preprocessing.task()), table->schema().target)
                           : text_data ? fmt::format("language of {} tokens in windows of {}", session.recipe.outputs,
                                                     text_data->sequence_length)
                           : classes   ? fmt::format("{} classes", session.recipe.outputs)
                                       : fmt::format("{} numbers an image", session.recipe.outputs);
  std::string text = fmt::format("{}: {}; {} {} to train on", config.model.kind, task,
                                 with_commas(session.parts.train.rows()), rows_name(preprocessing));
  if (session.parts.validation) text += fmt::format(", {} to validate", with_commas(session.parts.validation->rows()));
  if (session.parts.test) text += fmt::format(", {} to test", with_commas(session.parts.test->rows()));
  return text + fmt::format("; {} parameters", with_commas(session.trainer.state().layout->size));
}

void print_metrics(std::string_view name, const Metrics& metrics, std::string_view note) {
  std::string line = fmt::format("{:<11} ", name);
  for (const auto& [metric, value] : metrics) line += fmt::format("{} {}  ", metric, figure(value));
  if (!note.empty()) line += fmt::format("({})", note);
  emit("{}\n", std::string_view(line).substr(0, line.find_last_not_of(' ') + 1));
}

}  // namespace thalweg::cli
