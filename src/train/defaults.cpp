#include "core/error.hpp"
#include "train/config.hpp"

namespace thalweg {

namespace {

std::string_view loss_for(data::Task task) {
  switch (task) {
    case data::Task::regression: return "mse";
    case data::Task::binary: return "binary_cross_entropy";
    case data::Task::multiclass: return "cross_entropy";
  }
  return {};
}

// Small steps and a strong decay: what makes an MLP a good model of a few hundred rows.
constexpr std::string_view table_config = R"(
[model]
kind = "mlp"
hidden = [64, 64]
[optimizer]
kind = "adamw"
lr = 0.01
weight_decay = 0.1
[schedule]
kind = "one_cycle"
[train]
epochs = 200
early_stopping = { metric = "validation.loss", patience = "200 epochs", restore_best = true }
)";

constexpr std::string_view image_config = R"(
[model]
kind = "mlp"
hidden = [256, 128]
[optimizer]
kind = "adamw"
lr = 0.003
[schedule]
kind = "one_cycle"
[train]
epochs = 10
)";

}  // namespace

std::string default_config(const DataFacts& facts) {
  const int batch_size = facts.rows < 10'000 ? 32 : 128;
  return fmt::format("{}batch_size = {}\n[loss]\nkind = \"{}\"\n", facts.table ? table_config : image_config,
                     batch_size, loss_for(facts.task));
}

}  // namespace thalweg
