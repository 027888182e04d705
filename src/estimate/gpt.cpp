#include "estimate/gpt.hpp"

#include <cmath>

namespace thalweg::estimate {

namespace {
double number(std::int64_t n) { return static_cast<double>(n); }
}  // namespace

double Gpt::block_parameters() const {
  const double h = number(width), inner = hidden_width();
  return 4 * h * h + 2 * h * inner + (4 * h + h + inner) + 4 * h;
}

double Gpt::embedding_parameters() const {
  const double table = number(vocabulary) * number(width);
  return (tied ? 1 : 2) * table + (learned_positions ? number(sequence) * number(width) : 0);
}

double Gpt::parameters() const {
  return number(layers) * block_parameters() + embedding_parameters() + 2 * number(width);
}

double Gpt::attention_operations(double tokens) const { return 4 * tokens * number(sequence) * number(width); }

double Gpt::block_operations(double tokens) const {
  const double h = number(width);
  return 2 * tokens * (4 * h * h + 2 * h * hidden_width()) + attention_operations(tokens);
}

double Gpt::logit_operations(double tokens) const { return 2 * tokens * number(width) * number(vocabulary); }

double Gpt::model_operations(double tokens) const {
  return 3 * (number(layers) * block_operations(tokens) + logit_operations(tokens));
}

double kept_bytes(const Gpt& model, double batch, std::int64_t tensor, bool sequence_parallel, Recompute recompute) {
  const double s = number(model.sequence), h = number(model.width), a = number(model.heads), t = number(tensor);
  const double sbh = s * batch * h, attention = 5 * a * s / h;
  const double outside = sequence_parallel ? t : 1;  // the number of ranks that share normalisation and dropout
  if (recompute == Recompute::full) return 2 * sbh / outside;
  return sbh * (10 / outside + 24 / t + (recompute == Recompute::none ? attention / t : 0));
}

StateBytes state_bytes(double parameters, Precision precision, std::int64_t ranks, int level) {
  const double n = number(ranks);
  return {precision.value * parameters / (level >= 3 ? n : 1), precision.gradient * parameters / (level >= 2 ? n : 1),
          precision.slots * parameters / (level >= 1 ? n : 1)};
}

double checkpoint_bytes(double parameters, Precision precision) {
  return (precision.value + precision.slots) * parameters;
}

CheckpointRhythm best_rhythm(double seconds_to_write, double seconds_between_failures) {
  const double interval = std::sqrt(2 * seconds_to_write * seconds_between_failures);
  return {interval, seconds_to_write / interval + interval / (2 * seconds_between_failures)};
}

}  // namespace thalweg::estimate
