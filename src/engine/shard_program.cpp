#include "engine/shard_program.hpp"

#include <algorithm>
#include <cstring>

#include "core/error.hpp"
#include "core/index.hpp"
#include "engine/entries.hpp"
#include "engine/random_block.hpp"
#include "engine/shards.hpp"
#include "graph/graph.hpp"
#include "kernels/copy_rows.hpp"
#include "kernels/rows.hpp"
#include "optim/segments.hpp"
#include "thalweg/derivatives.hpp"
#include "thalweg/ops.hpp"

namespace thalweg {

namespace {

enum ShardBase { parameters_base = first_user_base, gradient_base, sums_base, random_base, first_column_base };

/// Whether all values together are so small that recomputing some of them would save nothing.
bool fits_a_cache(const Graph& graph) {
  constexpr std::int64_t first_level = 32 * 1024;
  std::int64_t bytes = 0;
  for (int i = 0; i < graph.size(); ++i) bytes += static_cast<std::int64_t>(graph.node(i).signature.bytes());
  return bytes <= first_level;
}

/// Names the row of the data (of the batch, where the batch is all of the data), where the op has the same number of
/// places for each row of the shard.
[[noreturn]] void throw_in_row(const IndexError& error, const RowSelection& batch, std::int64_t begin,
                               std::int64_t count) {
  if (count == 0 || error.places % count != 0) throw UsageError(error.what());
  const std::int64_t row = begin + error.place / (error.places / count);
  throw batch.rows.empty() ? error.in_row(row, "batch") : error.in_row(batch.number(row), "data");
}

}  // namespace

void place_columns(const RowSelection& batch, std::int64_t begin, std::int64_t count, std::byte* into,
                   std::byte** bases, const std::vector<data::RowSource>* known) {
  const auto first = static_cast<std::size_t>(begin), rows = static_cast<std::size_t>(count);
  if (!batch.rows.empty()) data::check_rows(batch.rows.subspan(first, rows), batch.data.rows());
  for (std::size_t i = 0; i < batch.data.columns().size(); ++i) {
    const auto source = known ? (*known)[i] : data::row_source(batch.data.columns()[i].second);
    if (batch.rows.empty()) {  // rows in order are read from the data itself
      bases[i] =
          const_cast<std::byte*>(source.first) + (first - static_cast<std::size_t>(batch.first)) * source.row_bytes;
    } else {
      copy_rows(source.first, source.row_bytes, batch.rows.subspan(first, rows), into);
      bases[i] = into;
    }
    into += aligned(source.row_bytes * rows);
  }
}

namespace {
/// The rows alone, whose addresses are known.
void gather_columns(const RowSelection& batch, std::int64_t begin, std::int64_t count, std::byte* into,
                    const std::vector<data::RowSource>& columns) {
  const auto rows = batch.rows.subspan(static_cast<std::size_t>(begin), static_cast<std::size_t>(count));
  data::check_rows(rows, batch.data.rows());
  for (const data::RowSource& column : columns) {
    if (rows.size() == 1) {
      copy_row(column.first + static_cast<std::size_t>(rows[0]) * column.row_bytes, column.row_bytes, into);
    } else {
      copy_rows(column.first, column.row_bytes, rows, into);
    }
    into += aligned(column.row_bytes * rows.size());
  }
}
}  // namespace

struct ShardProgram::Draft {
  TracedObjective traced;
  std::vector<Bound> inputs = {}, outputs = {};
};

ShardProgram::ShardProgram(std::span<const EvaluationFunction> objectives, std::int64_t rows,
                           std::vector<ColumnSpec> columns, const Layout& layout, const StepLayout& step, Passes passes,
                           bool with_gradient, Device& device)
    : dtype_(layout.dtype), rows_(rows), columns_(std::move(columns)) {
  Draft draft{trace_objectives(objectives, columns_, rows, Mode::train, layout.dtype)};
  bind_inputs(draft, layout);
  bind_observations(draft, layout, step);
  for (std::size_t i = 0; i < objectives.size(); ++i) bind_loss(draft, draft.traced.of(i).loss);
  bind_reports(draft);
  if (with_gradient) passes.backward_begins = draft.traced.graph->size();
  for (std::size_t i = 0; with_gradient && i < objectives.size(); ++i)
    bind_gradient(draft, draft.traced.of(i).loss, step.objectives[i]);
  if (fits_a_cache(*draft.traced.graph)) passes.recompute = Recompute::nothing;
  program_.emplace(*draft.traced.graph, draft.inputs, draft.outputs, passes, device);
  separable_ = keeps_samples_apart(draft.traced, rows);
  place_memory();
}

void ShardProgram::bind_inputs(Draft& draft, const Layout& layout) {
  const auto element = static_cast<std::int64_t>(size_of(layout.dtype));
  for (std::size_t i = 0; i < columns_.size(); ++i)
    draft.inputs.push_back({draft.traced.columns[i], {first_column_base + static_cast<int>(i), 0}});
  const Entries entries(layout);
  for (const TracedParameter& p : draft.traced.parameters) {
    const ParameterEntry& entry = entries.at(p.name, {p.var.shape(), p.var.dtype()});
    draft.inputs.push_back({p.var, {parameters_base, entry.offset * element}});
    parameters_.push_back({entry.offset, entry.offset + entry.shape.size()});
  }
  if (const auto& random = draft.traced.random) {
    bind_random(*random, random_base, draft.inputs);
    random_ = true;
  }
}

void ShardProgram::bind_observations(Draft& draft, const Layout& layout, const StepLayout& step) {
  const auto element = static_cast<std::int64_t>(size_of(layout.dtype));
  const auto place_of = [&](const ParameterEntry& entry) {
    const std::int64_t offset = step.statistics_at + entry.offset - (layout.size - layout.statistics_size);
    return Place{gradient_base, offset * element};
  };
  const Entries entries(layout);
  for (const Observation& observation : draft.traced.observations) {
    const ParameterEntry& entry =
        entries.at(observation.statistic, {observation.value.shape(), observation.value.dtype()});
    movements_.push_back({entry.offset, entry.shape.size(), observation.momentum});
    draft.outputs.push_back({static_cast<double>(rows_) * observation.value, place_of(entry)});
  }
  for (const ParameterEntry& entry : layout.entries) {  // 0 for statistics that only another shard observes
    if (!entry.statistic || observes({entry.offset, 0, 0})) continue;
    const Var nothing = broadcast_to(draft.traced.graph->number(0, layout.dtype), entry.shape);
    draft.outputs.push_back({nothing, place_of(entry)});
  }
}

void ShardProgram::bind_loss(Draft& draft, const Loss& loss) {
  const std::int64_t at = losses() * static_cast<std::int64_t>(sizeof(double));
  is_mean_.push_back(!loss.separable);
  losses_.emplace_back();
  if (!loss.sum.defined()) return;
  losses_.back() = {loss.sum.dtype(), loss.weight.dtype(), std::nullopt};
  draft.outputs.push_back({loss.sum, {sums_base, at}});
  const Node& weight = draft.traced.graph->node(loss.weight);
  if (weight.op->leaf == Leaf::number) {
    losses_.back()->known_weight = weight.attributes.number;
  } else {
    draft.outputs.push_back({loss.weight, {sums_base, at + static_cast<std::int64_t>(sizeof(double))}});
  }
}

/// The gradients of the objective's trained parameters alone: the backward pass computes only what these need.
void ShardProgram::bind_gradient(Draft& draft, const Loss& loss, const StepLayout::Part& part) const {
  if (!loss.sum.defined()) return;
  const auto element = static_cast<std::int64_t>(size_of(dtype_));
  const std::vector<std::int64_t> offsets = gradient_offsets(part.layout);
  std::vector<Var> trained;
  std::vector<Place> places;
  const Entries entries(part.layout);
  for (const TracedParameter& p : draft.traced.parameters) {
    const std::int64_t offset = at(offsets, entries.find(p.name) - part.layout.entries.data());
    if (offset < 0) continue;
    trained.push_back(p.var);
    places.push_back({gradient_base, (part.at + offset) * element});
  }
  const std::vector<Var> gradient = gradients(loss.sum, trained);
  for (std::size_t i = 0; i < gradient.size(); ++i) draft.outputs.push_back({gradient[i], places[i]});
}

void ShardProgram::bind_reports(Draft& draft) {
  for (const TracedReport& report : draft.traced.reports) {
    const auto offset = doubles() * static_cast<std::int64_t>(sizeof(double));
    reports_.push_back(report.name);
    draft.outputs.push_back({report.sum, {sums_base, offset}});
  }
}

void ShardProgram::place_memory() {
  std::size_t end = program_->arena_bytes();
  const auto next = [&](std::size_t bytes) {
    const std::size_t begin = aligned(end);
    end = begin + bytes;
    return begin;
  };
  const auto rows = static_cast<std::size_t>(rows_);
  bases_at_ = next((first_column_base + columns_.size()) * sizeof(std::byte*));
  sums_at_ = next(static_cast<std::size_t>(doubles()) * sizeof(double));
  random_at_ = next(random_ ? random_block_bytes(rows_) : 0);
  columns_at_ = next(0);
  for (const ColumnSpec& column : columns_) (void)next(column.row.bytes() * rows);
  memory_bytes_ = next(0);
}

std::span<std::byte* const> ShardProgram::bases(const Call& call, std::byte* memory, const Kept* kept) const {
  auto** bases = reinterpret_cast<std::byte**>(memory + bases_at_);
  bases[parameters_base - first_user_base] = const_cast<std::byte*>(call.state.parameters.raw());
  bases[gradient_base - first_user_base] = call.gradient;
  bases[sums_base - first_user_base] = memory + sums_at_;
  bases[random_base - first_user_base] = memory + random_at_;
  if (random_) fill_random_block(memory + random_at_, {call.state.seed, call.state.step, call.begin}, rows_);
  place_columns(call.batch, call.begin, rows_, memory + columns_at_, bases + (first_column_base - first_user_base),
                kept ? &kept->columns : nullptr);
  return {bases, first_column_base - first_user_base + columns_.size()};
}

void ShardProgram::read_sums(const std::byte* at, double* sums) const {
  for (const std::optional<LossSums>& loss : losses_) {
    if (loss) {
      sums[0] = number_at(at, loss->sum);
      sums[1] = loss->known_weight ? *loss->known_weight : number_at(at + sizeof(double), loss->weight);
    }
    sums += shard_doubles;
    at += shard_doubles * sizeof(double);
  }
  for (std::size_t i = 0; i < reports_.size(); ++i) sums[i] = number_at(at + i * sizeof(double), dtype_);
}

void ShardProgram::run(const Call& call, std::byte* memory, Workers& workers) const {
  try {
    program_->run(bases(call, memory), memory, workers);
  } catch (const IndexError& error) {
    throw_in_row(error, call.batch, call.begin, rows_);
  }
  read_sums(memory + sums_at_, call.sums);
}

void ShardProgram::run(const Call& call, std::byte* memory, Workers& workers, std::span<const std::size_t> cuts,
                       TaskRef done) const {
  const auto all = bases(call, memory);
  const auto parts = std::ssize(cuts);
  std::size_t from = 0;
  for (std::int64_t k = 0; k < parts; ++k) {
    const std::size_t to = at(cuts, k);
    try {
      program_->run_part(all, memory, workers, from, to);
    } catch (const IndexError& error) {
      throw_in_row(error, call.batch, call.begin, rows_);
    }
    if (k + 1 == parts) read_sums(memory + sums_at_, call.sums);
    done(k);
    from = to;
  }
}

std::vector<ShardProgram::Final> ShardProgram::finals() const {
  const auto element = static_cast<std::int64_t>(size_of(dtype_));
  std::vector<Final> finals;
  for (const auto& [begin, end, after] : program_->written_behind(gradient_base))
    finals.push_back({{begin / element, end / element}, after});
  return finals;
}

std::vector<ShardProgram::Needed> ShardProgram::needed() const {
  const auto element = static_cast<std::int64_t>(size_of(dtype_));
  std::vector<Needed> needed;
  for (const auto& [at, before] : program_->read_behind(parameters_base)) {  // in the order of the instructions
    const auto holds = [n = at / element](Share run) { return run.first <= n && n < run.last; };
    const auto parameter = std::ranges::find_if(parameters_, holds);
    if (parameter == parameters_.end() || std::ranges::any_of(needed, holds, &Needed::numbers)) continue;
    needed.push_back({*parameter, before});
  }
  return needed;
}

void ShardProgram::run(const Call& call, std::byte* memory, Workers& workers, Kept& kept) const {
  const std::byte* const parameters = call.state.parameters.raw();
  const bool gathers = !call.batch.rows.empty();
  try {
    if (gathers && kept.parameters == parameters && kept.calls.are_bound()) {
      if (random_) fill_random_block(memory + random_at_, {call.state.seed, call.state.step, call.begin}, rows_);
      gather_columns(call.batch, call.begin, rows_, memory + columns_at_, kept.columns);
      kept.calls.again();
    } else {
      kept.parameters = nullptr;
      program_->run(bases(call, memory, &kept), memory, workers, kept.calls);
      if (gathers) kept.parameters = parameters;
    }
  } catch (const IndexError& error) {
    throw_in_row(error, call.batch, call.begin, rows_);
  }
  read_sums(memory + sums_at_, call.sums);
}

void ShardProgram::run_there(const CallThere& call, Workers& workers) const {
  static_assert(first_column == first_column_base - first_user_base);
  std::vector<std::byte*>& bases = call.bases;
  bases[parameters_base - first_user_base] = call.parameters;
  bases[gradient_base - first_user_base] = call.gradient;
  bases[sums_base - first_user_base] = call.memory + sums_at_;
  bases[random_base - first_user_base] = call.memory + random_at_;
  if (call.calls != nullptr) {
    program_->run(bases, call.memory, workers, *call.calls);
  } else {
    program_->run(bases, call.memory, workers);
  }
}

std::optional<std::string> ShardProgram::find_not_finite(const Call& call, std::byte* memory, Workers& workers) const {
  return program_->find_not_finite(bases(call, memory), memory, workers);
}

}  // namespace thalweg
