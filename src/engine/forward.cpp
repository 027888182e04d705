#include "engine/forward.hpp"

#include "engine/objective.hpp"

namespace thalweg {

namespace {

/// The parameters have the first base address; inputs and then outputs follow, one each.
Program planned(const Graph& graph, const std::vector<Var>& inputs, const std::vector<TracedParameter>& parameters,
                const Layout& layout, const std::vector<ForwardProgram::Output>& outputs) {
  const auto element = static_cast<std::int64_t>(size_of(layout.dtype));
  std::vector<Bound> read, written;
  for (const TracedParameter& p : parameters) {
    const ParameterEntry& entry = entry_in(layout, p.name, {p.var.shape(), p.var.dtype()});
    read.push_back({p.var, {first_user_base, entry.offset * element}});
  }
  constexpr int first_input = first_user_base + 1;
  int base = first_input;
  for (const Var input : inputs) read.push_back({input, {base++, 0}});
  for (const ForwardProgram::Output& output : outputs) {
    written.push_back({output.value, {output.in_place_of < 0 ? base++ : first_input + output.in_place_of, 0}});
  }
  return {graph, read, written};
}

}  // namespace

ForwardProgram::ForwardProgram(const Graph& graph, const std::vector<Var>& inputs,
                               const std::vector<TracedParameter>& parameters, const Layout& layout,
                               const std::vector<Output>& outputs)
    : program_(planned(graph, inputs, parameters, layout, outputs)) {
  for (const Output& output : outputs) outputs_.push_back({output.value.shape(), output.value.dtype()});
}

void ForwardProgram::run(std::span<const std::byte* const> inputs, const Tensor& parameters,
                         std::span<std::byte* const> outputs, std::byte* memory, Workers& workers) const {
  std::vector<std::byte*> bases;
  bases.reserve(1 + inputs.size() + outputs.size());
  bases.push_back(const_cast<std::byte*>(parameters.raw()));
  for (const std::byte* input : inputs) bases.push_back(const_cast<std::byte*>(input));
  bases.insert(bases.end(), outputs.begin(), outputs.end());
  program_.run(bases, memory, workers);
}

}  // namespace thalweg
