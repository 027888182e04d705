#include "engine/evaluate.hpp"

#include <algorithm>
#include <numeric>

#include "core/error.hpp"
#include "data/read_ahead.hpp"
#include "engine/check_state.hpp"
#include "graph/graph.hpp"

namespace thalweg {

namespace {

constexpr std::int64_t most_rows = 512;  // a shard, or as many as work in this much memory
constexpr std::size_t most_bytes = std::size_t{64} << 20;

}  // namespace

std::unique_ptr<Evaluator::Pass> Evaluator::make_pass(std::int64_t rows, const Dataset& data,
                                                      const Layout& layout) const {
  auto pass = std::make_unique<Pass>(Pass{rows, columns_of(data), layout.dtype});
  const TracedObjective traced = trace_objective(function_, pass->columns, rows, Mode::evaluate, layout.dtype);
  const Loss& loss = traced.result.loss;
  const Var prediction = traced.result.prediction;
  std::vector<ForwardProgram::Output> outputs;
  pass->has_prediction = prediction.defined();
  if (prediction.defined()) outputs.push_back({prediction});
  if (loss.sum.defined()) {
    outputs.push_back({loss.sum});
    pass->sum = loss.sum.dtype();
    const Node& weight = traced.graph->node(loss.weight);
    if (weight.op->leaf == Leaf::number) {
      pass->known_weight = weight.attributes.number;
    } else {
      outputs.push_back({loss.weight});
      pass->weight = loss.weight.dtype();
    }
  }
  pass->separable = keeps_samples_apart(traced, rows);
  pass->program.emplace(*traced.graph, traced.columns, traced.parameters, layout, outputs);
  return pass;
}

const Evaluator::Pass& Evaluator::pass_for(std::int64_t rows, const Dataset& data, const Layout& layout) {
  for (const auto& known : passes_) {
    if (known->rows == rows && known->dtype == layout.dtype && are_columns_of(known->columns, data)) return *known;
  }
  passes_.push_back(make_pass(rows, data, layout));
  return *passes_.back();
}

std::int64_t Evaluator::shard_rows(const Dataset& data, const Layout& layout) {
  std::int64_t size = std::min(data.rows(), most_rows);
  if (!pass_for(size, data, layout).separable) return data.rows();
  while (size > 1 && pass_for(size, data, layout).program->memory_bytes() > most_bytes) size = (size + 1) / 2;
  return size;
}

LossSum Evaluator::operator()(const State& state, const Dataset& data, Tensor& predictions, BlockPool& pool,
                              Workers& workers) {
  const FlushDenormals flush;
  const std::int64_t rows = data.rows();
  if (rows == 0) fail<UsageError>("[evaluate] a set of no rows");
  check_parameters(state);
  if (layout_ && layout_ != state.layout && !same_places(*layout_, *state.layout)) passes_.clear();
  layout_ = state.layout;
  const std::int64_t size = shard_rows(data, *state.layout);
  const Signature prediction = pass_for(size, data, *state.layout).prediction();
  std::byte* into = nullptr;
  std::size_t row_bytes = 0;
  if (prediction.shape.rank() > 0) {
    Shape shape = prediction.shape;
    shape.set(0, rows);
    predictions = Tensor(shape, prediction.dtype);
    row_bytes = predictions.bytes() / static_cast<std::size_t>(rows);
    into = predictions.mutable_raw();
  }
  LossSum total;
  if (!data.streams()) {
    add(total, state, data, size, into, pool, workers);
    return total;
  }
  const std::int64_t part = 4 * size;  // whole shards, so that it is the same sum
  std::vector<std::int64_t> all(static_cast<std::size_t>(rows));
  std::iota(all.begin(), all.end(), 0);
  data::ReadAhead ahead(data, data::in_portions(std::move(all), part), workers.threads());
  for (std::int64_t done = 0; done < rows; done += part) {
    const Dataset read = ahead.next();
    add(total, state, read, size, into ? into + static_cast<std::size_t>(done) * row_bytes : nullptr, pool, workers);
  }
  return total;
}

void Evaluator::add(LossSum& total, const State& state, const Dataset& part, std::int64_t size, std::byte* predictions,
                    BlockPool& pool, Workers& workers) {
  const std::int64_t rows = part.rows();
  size = std::min(rows, size);
  const std::int64_t shards = (rows + size - 1) / size;
  const Pass& whole = pass_for(size, part, *state.layout);
  const Pass& last = pass_for(rows - (shards - 1) * size, part, *state.layout);
  const std::size_t shard_bytes = whole.has_prediction ? whole.prediction().bytes() : 0;
  std::vector<double> sums(static_cast<std::size_t>(2 * shards));
  workers.run(shards, [&](std::int64_t i) {
    const Pass& pass = i + 1 < shards ? whole : last;
    const auto shard = static_cast<std::size_t>(i);
    std::vector<const std::byte*> columns;
    for (std::size_t c = 0; c < pass.columns.size(); ++c) {
      const std::size_t row_bytes = pass.columns[c].row.bytes();
      columns.push_back(part.columns()[c].second.raw() + shard * static_cast<std::size_t>(size) * row_bytes);
    }
    std::vector<std::byte*> outputs;
    if (pass.has_prediction) outputs.push_back(predictions + shard * shard_bytes);
    if (pass.sum) outputs.push_back(reinterpret_cast<std::byte*>(&sums[2 * shard]));
    if (pass.weight) outputs.push_back(reinterpret_cast<std::byte*>(&sums[2 * shard + 1]));
    const auto memory = pool.take(pass.program->memory_bytes());
    pass.program->run(columns, state.parameters, outputs, memory.data(), workers);
  });
  for (std::size_t i = 0; i < sums.size(); i += 2) {
    const Pass& pass = i + 2 < sums.size() ? whole : last;
    if (pass.sum) total.sum += number_at(&sums[i], *pass.sum);
    total.weight += pass.weight ? number_at(&sums[i + 1], *pass.weight) : pass.known_weight;
  }
}

}  // namespace thalweg
