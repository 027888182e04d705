#include "engine/evaluate.hpp"

#include <algorithm>
#include <exception>
#include <numeric>

#include "core/error.hpp"
#include "data/read_ahead.hpp"
#include "engine/check_state.hpp"
#include "graph/graph.hpp"
#include "kernels/rows.hpp"

namespace thalweg {

namespace {

constexpr std::int64_t most_rows = 512;  // per shard
/// The most memory for all rows of a shard, besides the memory of one row.
constexpr std::size_t rows_bytes = std::size_t{2} << 20;
/// The most memory for a shard of several rows in all.
constexpr std::size_t most_bytes = std::size_t{64} << 20;
/// Bytes that are read at once; more where a shard is larger.
constexpr std::size_t portion_bytes = std::size_t{1} << 20;

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
  for (const TracedReport& report : traced.reports) {
    outputs.push_back({report.sum});
    pass->reports.push_back(report.name);
  }
  pass->separable = keeps_samples_apart(traced, rows);
  pass->program.emplace(*traced.graph, traced.columns, traced.parameters, layout, outputs, traced.random,
                        far_ ? *far_ : this_cpu());
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
  std::size_t row_bytes = 0;  // also for rows in memory, so that the sum is the same as for rows that are read
  for (const ColumnSpec& column : columns_of(data)) row_bytes += column.row.bytes();
  const auto bytes = [&](std::int64_t rows) {
    return pass_for(rows, data, layout).program->memory_bytes() + static_cast<std::size_t>(rows) * row_bytes;
  };
  if (size > 1 && bytes(size) > rows_bytes) {
    // memory that does not grow with the rows, such as matrices made of parameters, cannot be reduced by fewer rows
    const std::size_t all = bytes(size), half = bytes((size + 1) / 2);
    for (std::size_t growing = 2 * (all - std::min(all, half)); size > 1 && growing > rows_bytes; growing /= 2)
      size = (size + 1) / 2;
  }
  while (size > 1 && bytes(size) > most_bytes) size = (size + 1) / 2;
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
  for (const std::string& name : pass_for(size, data, *state.layout).reports) total.reports.emplace_back(name, 0);
  const auto ended = [&] {
    for (auto& [name, value] : total.reports) value /= static_cast<double>(rows);
    return std::move(total);
  };
  if (!data.streams()) {
    add(total, state, {data, 0, into}, size, pool, workers);
    return ended();
  }
  std::size_t row_size = 1;
  for (const ColumnSpec& column : columns_of(data)) row_size += column.row.bytes();
  const auto fit = static_cast<std::int64_t>(portion_bytes / row_size) / size;
  const std::int64_t part = std::clamp<std::int64_t>(fit, 1, 4) * size;  // whole shards, so that the sum is the same
  std::vector<std::int64_t> all(static_cast<std::size_t>(rows));
  std::iota(all.begin(), all.end(), 0);
  data::ReadAhead ahead(data, data::in_portions(std::move(all), part), workers.threads());
  for (std::int64_t done = 0; done < rows; done += part) {
    const Dataset read = ahead.next();
    std::byte* const predicted = into ? into + static_cast<std::size_t>(done) * row_bytes : nullptr;
    add(total, state, {read, done, predicted}, size, pool, workers);
  }
  return ended();
}

namespace {

/// Shards whose results a device may still owe: those are in pinned memory of the host.
constexpr std::int64_t most_asked = 8;

/// What was asked of a device last. Where an error ends the evaluation, the results come before their places go.
struct Asked {
  Device* device;
  Mark last = {};

  explicit Asked(Device* its_device) : device(its_device) {}
  Asked(const Asked&) = delete;
  Asked& operator=(const Asked&) = delete;
  ~Asked() {
    if (!device || std::uncaught_exceptions() == 0) return;
    try {
      device->wait(last);
    } catch (...) {  // the first error is the one that is told
      return;
    }
  }
};

}  // namespace

void Evaluator::add(LossSum& total, const State& state, const Part& part, std::int64_t size, BlockPool& pool,
                    Workers& workers) {
  const std::int64_t rows = part.rows.rows();
  size = std::min(rows, size);
  const std::int64_t shards = (rows + size - 1) / size;
  const Pass& whole = pass_for(size, part.rows, *state.layout);
  const Pass& last = pass_for(rows - (shards - 1) * size, part.rows, *state.layout);
  const std::size_t shard_bytes = whole.has_prediction ? whole.prediction().bytes() : 0, each = whole.numbers();
  std::vector<double> sums(each * static_cast<std::size_t>(shards));
  Asked asked{far_};
  const auto run = [&](std::int64_t i) {
    const Pass& pass = i + 1 < shards ? whole : last;
    const auto shard = static_cast<std::size_t>(i);
    std::vector<const std::byte*> columns;
    for (std::size_t c = 0; c < pass.columns.size(); ++c) {
      const std::size_t row_bytes = pass.columns[c].row.bytes();
      columns.push_back(part.rows.columns()[c].second.raw() + shard * static_cast<std::size_t>(size) * row_bytes);
    }
    std::vector<std::byte*> outputs;
    const auto number = [&](std::size_t k) { return reinterpret_cast<std::byte*>(&sums[each * shard + k]); };
    if (pass.has_prediction) outputs.push_back(part.predictions + shard * shard_bytes);
    if (pass.sum) outputs.push_back(number(0));
    if (pass.weight) outputs.push_back(number(1));
    for (std::size_t k = 2; k < each; ++k) outputs.push_back(number(k));
    if (far_) {
      asked.last = start_there(pass, state, part, i * size, outputs, pool, workers);
      if ((i + 1) % most_asked == 0) far_->wait(asked.last);
      return;
    }
    const auto memory = pool.take(pass.program->memory_bytes());
    const std::int64_t begin = part.begin + i * size;
    try {
      pass.program->run(columns, state.parameters, outputs, memory.data(), workers,
                        {.seed = state.seed, .begin = begin});
    } catch (const IndexError& error) {
      if (error.places % pass.rows != 0) throw;
      throw error.in_row(begin + error.place / (error.places / pass.rows), "evaluated rows");
    }
  };
  if (far_) {  // one after another, as the device runs them
    try {
      for (std::int64_t i = 0; i < shards; ++i) run(i);
      far_->wait(asked.last);
    } catch (const IndexError&) {  // the device does not know in which shard it was: this CPU names the row
      LossSum unused = total;
      BlockPool here;
      Evaluator(function_).add(unused, state, part, size, here, workers);
      throw;
    }
  } else {
    workers.run(shards, run);
  }
  for (std::size_t i = 0; i < sums.size(); i += each) {
    const Pass& pass = i + each < sums.size() ? whole : last;
    if (pass.sum) total.sum += number_at(&sums[i], *pass.sum);
    total.weight += pass.weight ? number_at(&sums[i + 1], *pass.weight) : pass.known_weight;
    for (std::size_t k = 2; k < each; ++k) total.reports[k - 2].second += number_at(&sums[i + k], pass.dtype);
  }
}

Mark Evaluator::start_there(const Pass& pass, const State& state, const Part& part, std::int64_t begin,
                            std::span<std::byte* const> outputs, BlockPool& pool, Workers& workers) const {
  std::vector<std::span<const std::byte>> columns;
  for (std::size_t c = 0; c < pass.columns.size(); ++c) {
    const std::size_t row_bytes = pass.columns[c].row.bytes();
    columns.emplace_back(part.rows.columns()[c].second.raw() + static_cast<std::size_t>(begin) * row_bytes,
                         static_cast<std::size_t>(pass.rows) * row_bytes);
  }
  std::vector<std::span<std::byte>> written;
  for (std::size_t i = 0; i < outputs.size(); ++i) written.emplace_back(outputs[i], pass.program->output(i).bytes());
  return pass.program->start_there(columns, state.parameters, written, pool, workers,
                                   {.seed = state.seed, .begin = part.begin + begin});
}

}  // namespace thalweg
