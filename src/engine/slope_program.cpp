#include "engine/slope_program.hpp"

#include <algorithm>
#include <cstring>

#include "core/index.hpp"
#include "core/mirrored.hpp"
#include "engine/entries.hpp"
#include "engine/model_evaluation.hpp"
#include "graph/graph.hpp"
#include "graph/samples.hpp"
#include "kernels/copy_rows.hpp"
#include "optim/segments.hpp"
#include "thalweg/derivatives.hpp"
#include "thalweg/ops.hpp"

namespace thalweg {

namespace {

enum SlopeBase { parameters_base = first_user_base, known_base, slopes_base, gradient_base, first_column_base };

/// Whether any of the values depends on a parameter of `trained` other than through `cut`.
bool any_depends(const Graph& graph, std::span<const Var> values, std::span<const Var> trained, int cut = -1) {
  std::vector<bool> depends(static_cast<std::size_t>(graph.size()));
  for (const Var& parameter : trained) at(depends, parameter.index()) = true;
  for (int i = 0; i < graph.size(); ++i) {
    const auto& inputs = graph.node(i).inputs;
    if (i != cut && std::ranges::any_of(inputs, [&](int input) { return bool{at(depends, input)}; }))
      at(depends, i) = true;
  }
  return std::ranges::any_of(values, [&](const Var& value) { return bool{at(depends, value.index())}; });
}

}  // namespace

std::int64_t slopes_a_row(const EvaluationFunction& function, const std::vector<ColumnSpec>& columns, std::int64_t rows,
                          DType dtype, const std::set<std::string>& trained) {
  if (rows < 2 || function.target<ModelEvaluation>() == nullptr) return 0;  // one row does not show whether rows mix
  const TracedObjective traced = trace_objective(function, columns, rows, Mode::train, dtype);
  const Var loss = traced.result.loss.sum, output = traced.result.output;
  if (!loss.defined() || traced.random || !traced.observations.empty() || !keeps_samples_apart(traced, rows)) return 0;
  Graph& graph = *traced.graph;
  if (samples_in(graph, output, traced.columns, rows) != SampleAxis::along(0)) return 0;
  std::vector<Var> parameters;
  for (const TracedParameter& p : traced.parameters) {
    // averages move as well
    if (p.average || trained.contains(p.name)) parameters.push_back(p.var);
  }
  const Var terms[] = {loss, traced.result.loss.weight};
  if (any_depends(graph, terms, parameters, output.index())) return 0;
  const Var slope = graph.input("slope", output.shape(), output.dtype());
  if (any_depends(graph, vjp({output}, {slope}, parameters), parameters)) return 0;
  return output.size() / rows;
}

SlopeProgram::SlopeProgram(const EvaluationFunction& function, std::int64_t rows, std::vector<ColumnSpec> columns,
                           const Layout& trained, Precision precision, Device& device)
    : rows_(rows), columns_(std::move(columns)) {
  const TracedObjective traced = trace_objective(function, columns_, rows, Mode::train, trained.dtype);
  const auto element = static_cast<std::int64_t>(size_of(trained.dtype));
  const std::vector<std::int64_t> offsets = gradient_offsets(trained);
  std::vector<Bound> inputs, outputs;
  std::vector<Var> parameters;
  std::vector<Place> places;
  for (std::size_t i = 0; i < columns_.size(); ++i)
    inputs.push_back({traced.columns[i], {first_column_base + static_cast<int>(i), 0}});
  const Entries entries(trained);
  for (const TracedParameter& p : traced.parameters) {
    const ParameterEntry& entry = entries.at(p.name, {p.var.shape(), p.var.dtype()});
    inputs.push_back({p.var, {parameters_base, entry.offset * element}});
    const std::int64_t offset = at(offsets, &entry - trained.entries.data());
    if (offset < 0) continue;
    parameters.push_back(p.var);
    places.push_back({gradient_base, offset * element});
  }
  const Var output = traced.result.output;
  const Var known = traced.graph->input("slopes", output.shape(), output.dtype());
  inputs.push_back({known, {known_base, 0}});
  const Var slope = gradients(traced.result.loss.sum, {output})[0];
  outputs.push_back({slope, {slopes_base, 0}});
  const std::vector<Var> change = vjp({output}, {slope - known}, parameters);
  for (std::size_t i = 0; i < change.size(); ++i) outputs.push_back({change[i], places[i]});
  Passes passes;
  passes.precision = precision;
  program_.emplace(*traced.graph, inputs, outputs, passes, device);

  row_bytes_ = static_cast<std::size_t>(output.size() / rows * element);
  std::size_t end = program_->arena_bytes();
  const auto next = [&](std::size_t bytes) {
    const std::size_t begin = aligned(end);
    end = begin + bytes;
    return begin;
  };
  const auto count = static_cast<std::size_t>(rows);
  bases_at_ = next((first_column_base + columns_.size()) * sizeof(std::byte*));
  known_at_ = next(count * row_bytes_);
  slopes_at_ = next(count * row_bytes_);
  columns_at_ = next(0);
  for (const ColumnSpec& column : columns_) (void)next(column.row.bytes() * count);
  memory_bytes_ = next(0);
}

std::span<const std::int64_t> SlopeProgram::rows_of(const Call& call) const {
  const std::span<const std::int64_t> all = call.batch.rows;
  return all.empty() ? all : all.subspan(static_cast<std::size_t>(call.begin), static_cast<std::size_t>(rows_));
}

void SlopeProgram::take_known(const Call& call, std::byte* known) const {
  const auto begin = static_cast<std::size_t>(call.begin), count = static_cast<std::size_t>(rows_);
  if (const auto rows = rows_of(call); rows.empty()) {
    std::memcpy(known, call.table + begin * row_bytes_, count * row_bytes_);
  } else {
    copy_rows(call.table, row_bytes_, rows, known);
  }
}

void SlopeProgram::keep(const Call& call, const std::byte* slopes) const {
  const auto rows = rows_of(call);
  for (std::size_t i = 0; i < static_cast<std::size_t>(rows_); ++i) {
    const std::size_t row = static_cast<std::size_t>(rows.empty() ? call.begin : rows[i]) + (rows.empty() ? i : 0);
    std::memcpy(call.table + row * row_bytes_, slopes + i * row_bytes_, row_bytes_);
  }
}

void SlopeProgram::run(const Call& call, std::byte* memory, Workers& workers) const {
  std::byte *known = memory + known_at_, *slopes = memory + slopes_at_;
  take_known(call, known);
  auto** bases = reinterpret_cast<std::byte**>(memory + bases_at_);
  const auto base = [&](int which) -> std::byte*& { return bases[which - first_user_base]; };
  base(parameters_base) = const_cast<std::byte*>(call.state.parameters.raw());
  base(known_base) = known;
  base(slopes_base) = slopes;
  base(gradient_base) = call.gradient;
  place_columns(call.batch, call.begin, rows_, memory + columns_at_, &base(first_column_base));
  program_->run({bases, first_column_base - first_user_base + columns_.size()}, memory, workers);
  keep(call, slopes);
}

void SlopeProgram::run_there(const Call& call, RowsThere& rows, std::byte* memory, Workers& workers) const {
  Device& device = *program_->far();
  const BytesThere parameters(device, call.state.parameters);
  std::vector<std::byte> here(static_cast<std::size_t>(rows_) * row_bytes_);
  take_known(call, here.data());
  device.write(memory + known_at_, here.data(), here.size());
  constexpr std::size_t first_column = first_column_base - first_user_base;
  std::vector<std::byte*> bases = {parameters.data(), memory + known_at_, memory + slopes_at_, call.gradient};
  bases.resize(first_column + columns_.size());
  rows.place(call.batch, call.begin, rows_, memory + columns_at_, bases.data() + first_column, workers);
  program_->run(bases, memory, workers);
  device.fetch(here.data(), memory + slopes_at_, here.size());
  keep(call, here.data());
}

}  // namespace thalweg
