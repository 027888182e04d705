#include "engine/product_program.hpp"

#include "core/error.hpp"
#include "engine/entries.hpp"
#include "engine/factors.hpp"
#include "engine/random_block.hpp"
#include "engine/shards.hpp"
#include "graph/graph.hpp"
#include "thalweg/derivatives.hpp"
#include "thalweg/ops.hpp"

namespace thalweg {

namespace {

enum ProductBase {
  parameters_base = first_user_base,
  vector_base,
  result_base,
  sums_base,
  random_base,
  first_column_base
};
}  // namespace

/// The traced graph with its inputs and outputs, to be planned.
struct ProductProgram::Draft {
  TracedObjective traced;
  std::vector<Bound> inputs = {}, outputs = {};
  std::vector<Var> trained = {}, vector = {};
  std::vector<Place> results_at = {};
};

ProductProgram::ProductProgram(const EvaluationFunction& function, Product product, Mode mode, std::int64_t rows,
                               std::vector<ColumnSpec> columns, const Layout& layout,
                               std::span<const FactoredLayer> layers, Device& device)
    : product_(product), dtype_(layout.dtype), rows_(rows), columns_(std::move(columns)) {
  Draft draft{trace_objective(function, columns_, rows, mode, layout.dtype)};
  if (!draft.traced.result.loss.sum.defined())
    fail<UsageError>("[curvature] there is no loss: the data has no column 'target'");
  bind_inputs(draft, layout);
  bind_loss(draft);
  if (product == Product::factors) {
    bind_factors(draft, layers);
  } else if (product != Product::value) {
    bind_result(draft, layout);
  }
  program_.emplace(*draft.traced.graph, draft.inputs, draft.outputs, Passes{}, device);
  separable_ = keeps_samples_apart(draft.traced, rows);
  place_memory();
}

void ProductProgram::bind_inputs(Draft& draft, const Layout& layout) {
  const auto element = static_cast<std::int64_t>(size_of(layout.dtype));
  TracedObjective& traced = draft.traced;
  for (std::size_t i = 0; i < columns_.size(); ++i)
    draft.inputs.push_back({traced.columns[i], {first_column_base + static_cast<int>(i), 0}});
  const Entries entries(layout);
  for (const TracedParameter& p : traced.parameters) {
    const ParameterEntry& entry = entries.at(p.name, {p.var.shape(), p.var.dtype()});
    draft.inputs.push_back({p.var, {parameters_base, entry.offset * element}});
    if (entry.frozen) continue;
    draft.trained.push_back(p.var);
    draft.results_at.push_back({result_base, entry.offset * element});
    if (product_ != Product::hessian && product_ != Product::gauss_newton) continue;
    draft.vector.push_back(traced.graph->input("vector:" + p.name, p.var.shape(), p.var.dtype()));
    draft.inputs.push_back({draft.vector.back(), {vector_base, entry.offset * element}});
  }
  if (const auto& random = traced.random) {
    bind_random(*random, random_base, draft.inputs);
    random_ = true;
  }
}

void ProductProgram::bind_loss(Draft& draft) {
  const Loss& loss = draft.traced.result.loss;
  sum_dtype_ = loss.sum.dtype();
  weight_dtype_ = loss.weight.dtype();
  draft.outputs.push_back({loss.sum, {sums_base, 0}});
  const Node& weight = draft.traced.graph->node(loss.weight);
  if (weight.op->leaf == Leaf::number) {
    known_weight_ = weight.attributes.number;
  } else {
    draft.outputs.push_back({loss.weight, {sums_base, sizeof(double)}});
  }
}

namespace {

/// J^T H_L J v, for the parameters; H_L is the Hessian of the loss by the output alone.
std::vector<Var> gauss_newton_times(const Evaluated& result, const std::vector<Var>& parameters,
                                    const std::vector<Var>& vector) {
  if (!result.output.defined()) {
    fail<UsageError>(
        "[curvature] a Gauss-Newton product needs a model and a loss of its output, and this objective is one "
        "function. Hint: Hessian products take any objective.");
  }
  const std::vector<Var> pushed = jvp({result.output}, parameters, vector);
  const std::vector<Var> slope = gradients(result.loss.sum, {result.output});
  return vjp({result.output}, jvp(slope, {result.output}, pushed), parameters);
}

}  // namespace

void ProductProgram::bind_result(Draft& draft, const Layout& layout) {
  result_size_ = layout.trained_size;
  const Evaluated& traced = draft.traced.result;
  std::vector<Var> result;
  if (product_ == Product::gauss_newton) {
    result = gauss_newton_times(traced, draft.trained, draft.vector);
  } else {
    result = gradients(traced.loss.sum, draft.trained);
    if (product_ == Product::hessian) result = jvp(result, draft.trained, draft.vector);
  }
  for (std::size_t i = 0; i < result.size(); ++i) draft.outputs.push_back({result[i], draft.results_at[i]});
  const auto element = static_cast<std::int64_t>(size_of(layout.dtype));
  for (const ParameterEntry& entry : layout.entries) {  // 0 for parameters that this mode does not use
    const Place place{result_base, entry.offset * element};
    if (entry.frozen || std::ranges::find(draft.results_at, place) != draft.results_at.end()) continue;
    draft.outputs.push_back({broadcast_to(draft.traced.graph->number(0, layout.dtype), entry.shape), place});
  }
}

void ProductProgram::bind_factors(Draft& draft, std::span<const FactoredLayer> layers) {
  const auto element = static_cast<std::int64_t>(size_of(dtype_));
  for (const Var& factor : factor_sums(draft.traced, layers)) {
    draft.outputs.push_back({factor, {result_base, result_size_ * element}});
    result_size_ += factor.size();
  }
}

void ProductProgram::place_memory() {
  std::size_t end = program_->arena_bytes();
  const auto next = [&](std::size_t bytes) {
    const std::size_t begin = aligned(end);
    end = begin + bytes;
    return begin;
  };
  const auto rows = static_cast<std::size_t>(rows_);
  bases_at_ = next((first_column_base + columns_.size()) * sizeof(std::byte*));
  sums_at_ = next(shard_doubles * sizeof(double));
  random_at_ = next(random_ ? random_block_bytes(rows_) : 0);
  columns_at_ = next(0);
  for (const ColumnSpec& column : columns_) (void)next(column.row.bytes() * rows);
  memory_bytes_ = next(0);
}

std::span<std::byte* const> ProductProgram::bases(const Call& call, std::byte* memory) const {
  auto** bases = reinterpret_cast<std::byte**>(memory + bases_at_);
  const auto base = [&](int which) -> std::byte*& { return bases[which - first_user_base]; };
  base(parameters_base) = const_cast<std::byte*>(call.state.parameters.raw());
  base(vector_base) = const_cast<std::byte*>(call.vector);
  base(result_base) = call.result;
  base(sums_base) = memory + sums_at_;
  base(random_base) = memory + random_at_;
  if (random_) fill_random_block(memory + random_at_, {call.state.seed, call.state.step, call.place}, rows_);
  place_columns(call.batch, call.begin, rows_, memory + columns_at_, bases + (first_column_base - first_user_base));
  return {bases, first_column_base - first_user_base + columns_.size()};
}

void ProductProgram::run(const Call& call, std::byte* memory, Workers& workers) const {
  program_->run(bases(call, memory), memory, workers);
  read_sums(memory + sums_at_, call.sums);
}

void ProductProgram::read_sums(const std::byte* at, double* sums) const {
  sums[0] = number_at(at, sum_dtype_);
  sums[1] = known_weight_ ? *known_weight_ : number_at(at + sizeof(double), weight_dtype_);
}

void ProductProgram::run_there(const CallThere& call, Workers& workers) const {
  static_assert(first_column == first_column_base - first_user_base);
  const auto base = [&](int which) -> std::byte*& {
    return call.bases[static_cast<std::size_t>(which - first_user_base)];
  };
  base(parameters_base) = call.parameters;
  base(vector_base) = call.vector;
  base(result_base) = call.result;
  base(sums_base) = call.memory + sums_at_;
  base(random_base) = call.memory + random_at_;
  program_->run(call.bases, call.memory, workers);
}

}  // namespace thalweg
