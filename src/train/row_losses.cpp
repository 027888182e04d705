#include "train/row_losses.hpp"

#include "device/device.hpp"
#include "engine/evaluate.hpp"

namespace thalweg {

Tensor row_losses(const ModelFunction& model, const LossFunction& loss, const State& state, const Dataset& data,
                  int threads) {
  Device* const far = chosen_device().far();
  const auto of_rows = [&](const Scope& s, const Batch& b) {
    return Evaluated{.loss = {}, .prediction = loss.samples(model(s, b["input"]), b["target"])};
  };
  Evaluator evaluator(of_rows, far);
  BlockPool pool(far);
  Workers workers(threads);
  Tensor values;
  (void)evaluator(state, data, values, pool, workers);
  const std::int64_t rows = data.rows(), each = values.size() / rows;
  Tensor losses({rows}, f64);
  for (std::int64_t row = 0; row < rows; ++row) {
    double sum = 0;
    for (std::int64_t i = 0; i < each; ++i) sum += values.at(row * each + i);
    losses.set(row, sum / static_cast<double>(each));
  }
  return losses;
}

}  // namespace thalweg
