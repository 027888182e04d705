#include "engine/not_finite.hpp"

#include <algorithm>
#include <cmath>

#include "core/error.hpp"

namespace thalweg {

namespace {

/// The message about a parameter that is not finite.
std::optional<std::string> problem_of_parameters(const State& state) {
  for (const ParameterEntry& entry : state.layout->entries) {
    const Tensor values = state.parameter(entry.name);
    for (std::int64_t i = 0; i < values.size(); ++i) {
      if (std::isfinite(values.at(i))) continue;
      return fmt::format(
          "[train] step {}: the parameter '{}' is not finite (element {} is {}). Hint: a lower lr, or clip_norm.",
          state.step + 1, entry.name, i, values.at(i));
    }
  }
  return std::nullopt;
}

/// The message about data that contains a number that is not finite.
std::optional<std::string> problem_of_columns(const State& state, const RowSelection& batch, std::int64_t begin,
                                              std::int64_t count) {
  for (const auto& [name, values] : batch.data.columns()) {
    if (!is_float(values.dtype())) continue;
    for (std::int64_t i = begin; i < begin + count; ++i) {
      const bool is_listed = !batch.rows.empty();
      const std::int64_t row = is_listed ? batch.rows[static_cast<std::size_t>(i)] : i - batch.first;
      const Tensor own = values.rows(row, row + 1);
      for (std::int64_t k = 0; k < own.size(); ++k) {
        if (std::isfinite(own.at(k))) continue;
        return fmt::format(
            "[train] step {}: the column '{}' has a value that is not finite ({}) in row {} of the {}. Hint: clean "
            "the data.",
            state.step + 1, name, own.at(k), is_listed ? batch.number(i) : i, is_listed ? "data" : "batch");
      }
    }
  }
  return std::nullopt;
}

/// The first op whose result is not finite, found by running this rank's shards again; nothing where all are finite.
std::optional<std::string> first_not_finite(std::span<const EvaluationFunction> objectives, const StepLayout& step,
                                            const State& state, const RowSelection& batch, std::int64_t shard_rows,
                                            Precision precision, Workers& workers) {
  const Layout& layout = *state.layout;
  const Share there = batch.there();
  const Block gradient(static_cast<std::size_t>(step.size) * size_of(layout.dtype));
  for (std::int64_t begin = there.first; begin < there.last; begin += shard_rows) {
    const Passes none{
        .simplify = false, .fuse = false, .order = false, .reuse = false, .compile = false, .precision = precision};
    const std::int64_t count = std::min(shard_rows, there.last - begin);
    const ShardProgram seen(objectives, count, columns_of(batch.data), layout, step, none);
    const Block memory(seen.memory_bytes());
    std::vector<double> sums(static_cast<std::size_t>(seen.doubles()));
    const ShardProgram::Call call{state, batch, begin, gradient.data(), sums.data()};
    if (auto op = seen.find_not_finite(call, memory.data(), workers)) return op;
  }
  return std::nullopt;
}

}  // namespace

Explanation explain_not_finite(std::span<const EvaluationFunction> objectives, const StepLayout& step,
                               const State& state, const RowSelection& batch, std::int64_t shard_rows,
                               Precision precision, const NotFinite& found, Workers& workers) {
  if (auto problem = problem_of_parameters(state)) return {std::move(*problem)};
  const Share there = batch.there();
  if (auto problem = problem_of_columns(state, batch, there.first, there.size())) return {std::move(*problem)};
  const auto op = first_not_finite(objectives, step, state, batch, shard_rows, precision, workers);
  const bool finite_in_f32 = precision == Precision::bf16 &&
                             !first_not_finite(objectives, step, state, batch, shard_rows, Precision::single, workers);
  const std::string what = std::isfinite(found.gradient_norm)
                               ? fmt::format("the loss is {}", found.loss)
                               : fmt::format("the loss is {} and the gradient is not finite", found.loss);
  return {fmt::format("[train] step {}{}: {}, {}. Hint: {}.", state.step + 1, found.objective, what,
                      op ? "first in the op " + *op : "where the shards of the batch are added up",
                      finite_in_f32 ? "precision = \"f32\", in which each op of this step is finite"
                                    : "a lower lr, or clip_norm"),
          op.has_value()};
}

}  // namespace thalweg
