// The defaults of a configuration, which follow from the data.

#include <algorithm>

#include "core/error.hpp"
#include "options/text.hpp"
#include "run/config.hpp"

namespace thalweg {

namespace {

std::string_view loss_for(data::Task task) {
  switch (task) {
    case data::Task::regression: return "mse";
    case data::Task::binary: return "binary_cross_entropy";
    case data::Task::multiclass:
    case data::Task::language: return "cross_entropy";
    case data::Task::other: break;
  }
  return {};
}

/// The size of the model is chosen so that training on a text of a megabyte takes half an hour on two cores.
OptionMap text_config(const DataFacts& facts) {
  return {
      {"model",
       OptionMap{
           {"kind", "gpt"}, {"layers", 4}, {"width", 192}, {"heads", 6}, {"context", facts.context}, {"dropout", 0.1}}},
      {"optimizer", OptionMap{{"kind", "muon"},
                              {"lr", 0.04},
                              {"adam_lr_factor", 0.1},
                              {"beta2", 0.99},
                              {"weight_decay", 0.1},
                              {"clip_norm", 1}}},
      {"schedule", OptionMap{{"kind", "cosine"}, {"end", 0.05}, {"warmup", "5%"}}},
      {"loss", OptionMap{{"kind", std::string(loss_for(facts.task))}}},
      {"train", OptionMap{{"epochs", 10}, {"batch_size", 16}}}};
}

}  // namespace

OptionMap default_config(const DataFacts& facts, std::string_view model) {
  if (facts.task == data::Task::language) return text_config(facts);
  const bool many_rows = facts.rows >= 10'000;
  const bool tabular = facts.table && (model.empty() || model == "tabular");
  const double lr = !tabular ? 0.003 : facts.task == data::Task::regression ? 0.004 : 0.002;
  const OptionList table_layers = {64, 64}, image_layers = {256, 128};
  // Many rows with numbers as targets tell fine differences apart; for classes nothing was gained by it.
  const bool fine = tabular && many_rows && facts.task == data::Task::regression;
  OptionMap network{{"kind", "tabular"}};
  if (fine) network["frequency_deviation"] = 3.0;
  const OptionMap perceptron{{"kind", "mlp"}, {"hidden", facts.table ? table_layers : image_layers}};
  // Chosen by measurement: tests/tables/study.py.
  OptionMap train{{"epochs", tabular       ? 40
                             : facts.table ? 100
                                           : 10},
                  {"checkpoint_every", facts.table ? "10%" : "1 epochs"},
                  {"batch_size", many_rows ? 128 : 32}};
  if (facts.table) {  // train to the end, and keep the best epoch
    train["early_stopping"] = {OptionMap{{"metric", "validation.loss"}, {"patience", "100%"}, {"restore_best", true}}};
  }
  const double decay = !facts.table ? 0.01 : fine ? 0.03 : 0.3;
  return {{"model", tabular ? network : perceptron},
          {"optimizer", OptionMap{{"kind", "adamw"}, {"lr", lr}, {"weight_decay", decay}}},
          {"schedule", OptionMap{{"kind", "one_cycle"}}},
          {"loss", OptionMap{{"kind", std::string(loss_for(facts.task))}}},
          {"train", std::move(train)}};
}

}  // namespace thalweg
