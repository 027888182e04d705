// Apply: a forward pass with named inputs and outputs, planned once for each set of shapes.

#include "thalweg/apply.hpp"

#include <algorithm>
#include <mutex>
#include <optional>

#include "core/error.hpp"
#include "engine/entries.hpp"
#include "engine/forward.hpp"
#include "engine/objective.hpp"
#include "engine/shards.hpp"
#include "graph/tracing.hpp"
#include "thalweg/ops.hpp"

namespace thalweg {

namespace {

constexpr std::size_t most_plans = 64;

/// The function, planned for inputs of these names and shapes.
struct ApplyPlan {
  std::vector<std::pair<std::string, Signature>> inputs;
  std::shared_ptr<const Layout> layout;
  std::vector<std::string> names = {};  // names of the outputs
  std::optional<ForwardProgram> program = {};

  [[nodiscard]] bool is_for(const State& state, const NamedTensors& given) const {
    return layout == state.layout && std::ranges::equal(inputs, given, [](const auto& known, const auto& input) {
             const auto& [name, tensor] = input;
             return known.first == name && known.second == Signature{tensor.shape(), tensor.dtype()};
           });
  }
};

using Function = std::function<NamedVars(Scope, const Batch&)>;

std::shared_ptr<const ApplyPlan> planned(const Function& function, const State& state, const NamedTensors& given,
                                         Device& device) {
  auto plan = std::make_shared<ApplyPlan>();
  plan->layout = state.layout;
  const DType dtype = state.layout->dtype;
  Graph graph;
  const Tracing tracing(graph);
  TraceContext context{graph, Mode::evaluate, dtype};
  const Entries entries(*state.layout);
  const ParameterCheck in_state = [&](const std::string& name, const Shape& shape) {
    (void)entries.at(name, {shape, dtype});
  };
  context.check = &in_state;
  std::vector<Var> inputs;
  NamedVars named;
  for (const auto& [name, tensor] : given) {
    const bool twice = std::ranges::count(given, name, &NamedTensors::value_type::first) > 1;
    if (twice) fail<UsageError>("[apply] the input '{}' is given twice", name);
    plan->inputs.emplace_back(name, Signature{tensor.shape(), tensor.dtype()});
    // a prefix, so that a parameter may have the name of an input
    inputs.push_back(graph.input("batch:" + name, tensor.shape(), tensor.dtype()));
    const bool other_float = is_float(tensor.dtype()) && tensor.dtype() != dtype;
    named.emplace_back(name, other_float ? cast(inputs.back(), dtype) : inputs.back());
  }
  std::vector<ForwardProgram::Output> outputs;
  const Batch batch(std::move(named));
  context.samples = std::max<std::int64_t>(1, batch.rows());
  for (const auto& [name, var] : function(Scope(context, ""), batch)) {
    if (!var.defined()) fail<UsageError>("[apply] the output '{}' is no value", name);
    if (std::ranges::count(plan->names, name) > 0) fail<UsageError>("[apply] there are two outputs '{}'", name);
    plan->names.push_back(name);
    outputs.push_back({var});
  }
  if (outputs.empty()) fail<UsageError>("[apply] the function has no outputs");
  plan->program.emplace(graph, inputs, context.parameters, *state.layout, outputs, context.random, device);
  return plan;
}

}  // namespace

struct Apply::Impl {
  Function function;
  Workers workers;
  Device& device = chosen_device();
  BlockPool pool{device.far()};
  std::mutex mutex = {};
  std::vector<std::shared_ptr<const ApplyPlan>> plans = {};  // guarded by mutex; the newest last

  std::shared_ptr<const ApplyPlan> plan_for(const State& state, const NamedTensors& inputs) {
    if (!state.layout) fail<UsageError>("[apply] an empty state. Hint: it comes from a Trainer or a TrainStep.");
    if (state.parameters.size() != state.layout->size || state.parameters.dtype() != state.layout->dtype)
      fail<UsageError>("[apply] the state's parameters are {} {}. Wanted: {} ({})", state.parameters.dtype(),
                       state.parameters.shape(), state.layout->dtype, state.layout->size);
    const std::lock_guard lock(mutex);
    const auto known = std::ranges::find_if(plans, [&](const auto& plan) { return plan->is_for(state, inputs); });
    if (known != plans.end()) return *known;
    auto plan = planned(function, state, inputs, device);
    if (plans.size() == most_plans) plans.erase(plans.begin());
    plans.push_back(plan);
    return plan;
  }
};

Apply::Apply(std::function<Var(Scope, const Batch&)> function, int threads)
    : Apply(
          [function = std::move(function)](Scope s, const Batch& b) {
            return NamedVars{{"output", function(s, b)}};
          },
          threads) {}

Apply::Apply(std::function<NamedVars(Scope, const Batch&)> function, int threads)
    : impl_(new Impl{std::move(function), Workers(threads)}) {}

NamedTensors Apply::all(const State& state, const NamedTensors& inputs, std::uint64_t seed) const {
  const auto plan = impl_->plan_for(state, inputs);
  std::vector<const std::byte*> read;
  for (const auto& [name, tensor] : inputs) read.push_back(tensor.raw());
  NamedTensors outputs;
  std::vector<std::byte*> written;
  for (std::size_t i = 0; i < plan->names.size(); ++i) {
    const auto& [shape, dtype] = plan->program->output(i);
    outputs.emplace_back(plan->names[i], Tensor(shape, dtype));
    written.push_back(outputs.back().second.mutable_raw());
  }
  const FlushDenormals flush;
  if (impl_->device.far()) {
    std::vector<std::span<const std::byte>> from;
    std::vector<std::span<std::byte>> to;
    for (const auto& [name, tensor] : inputs) from.emplace_back(tensor.raw(), tensor.bytes());
    for (std::size_t i = 0; i < written.size(); ++i) to.emplace_back(written[i], outputs[i].second.bytes());
    plan->program->run_there(from, state.parameters, to, impl_->pool, impl_->workers, {.seed = seed});
    return outputs;
  }
  const auto memory = impl_->pool.take(plan->program->memory_bytes());
  plan->program->run(read, state.parameters, written, memory.data(), impl_->workers, {.seed = seed});
  return outputs;
}

Tensor Apply::operator()(const State& state, const NamedTensors& inputs, std::uint64_t seed) const {
  NamedTensors outputs = all(state, inputs, seed);
  if (outputs.size() == 1) return std::move(outputs.front().second);
  std::vector<std::string> names;
  for (const auto& [name, value] : outputs) names.push_back(name);
  fail<UsageError>("[apply] the function has {} outputs: {}. Hint: Apply::all gives them by name.", names.size(),
                   fmt::join(names, ", "));
}

std::string Apply::explain(const State& state, const NamedTensors& inputs) const {
  return impl_->plan_for(state, inputs)->program->program().explain();
}

}  // namespace thalweg
