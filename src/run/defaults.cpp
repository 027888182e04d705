#include <algorithm>
#include <cmath>

#include "core/error.hpp"
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

/// Decay makes the parameters an average over the last 1 / (lr weight_decay) steps; it carries over from one size of
/// table to another as a number of epochs (Wang and Aitchison 2024). Two digits, at most 10.
double weight_decay_for(double epochs, double lr, std::int64_t rows, std::int64_t batch_size) {
  const auto steps = static_cast<double>(std::max<std::int64_t>(1, rows / batch_size));
  const double decay = std::min(10.0, 1 / (lr * epochs * steps));
  const double unit = std::pow(10, std::floor(std::log10(decay)) - 1);
  return std::round(decay / unit) * unit;
}

constexpr std::string_view config = R"(
[model]
kind = "mlp"
hidden = {hidden}
[optimizer]
kind = "adamw"
lr = {lr}
weight_decay = {weight_decay:.6g}
[schedule]
kind = "one_cycle"
[loss]
kind = "{loss}"
[train]
epochs = {epochs}
checkpoint_every = "{checkpoint_every}"
batch_size = {batch_size}
)";

// Of the size that a text of a megabyte trains in half an hour on two cores.
constexpr std::string_view text_config = R"(
[model]
kind = "gpt"
layers = 4
width = 192
heads = 6
context = {context}
dropout = 0.1
[optimizer]
kind = "muon"
lr = 0.04
adam_lr_factor = 0.1
beta2 = 0.99
weight_decay = 0.1
clip_norm = 1
[schedule]
kind = "cosine"
end = 0.05
warmup = "5%"
[loss]
kind = "cross_entropy"
[train]
epochs = 10
batch_size = 16
)";

}  // namespace

std::string default_config(const DataFacts& facts) {
  using fmt::arg;
  if (facts.task == data::Task::language) return fmt::format(fmt::runtime(text_config), arg("context", facts.context));
  const bool values = facts.table && facts.task == data::Task::regression;
  const std::int64_t batch_size = facts.rows < 10'000 ? 32 : 128;
  const double lr = values ? 0.01 : 0.003, remembered = values ? 28 : 8;
  // Chosen by measurement on the tables of tests/reference/tables.py. The rate ends at zero, so the last epoch is the
  // one to keep: stopping early, or putting back the epoch with the lowest loss on a few dozen held-out rows, made the
  // test error larger.
  return fmt::format(config, arg("hidden", facts.table ? "[64, 64]" : "[256, 128]"), arg("lr", lr),
                     arg("weight_decay", facts.table ? weight_decay_for(remembered, lr, facts.rows, batch_size) : 0.01),
                     arg("loss", loss_for(facts.task)), arg("epochs", facts.table ? 100 : 10),
                     arg("checkpoint_every", facts.table ? "10%" : "1 epochs"), arg("batch_size", batch_size));
}

}  // namespace thalweg
