#include "engine/forward.hpp"

#include "engine/objective.hpp"

namespace thalweg {

namespace {

/// The places of inputs, then parameters, then outputs: a base address each.
Program planned(const Graph& graph, const std::vector<Var>& inputs, const std::vector<TracedParameter>& parameters,
                const std::vector<ForwardProgram::Output>& outputs) {
  std::vector<Bound> read, written;
  int base = first_user_base;
  for (const Var input : inputs) read.push_back({input, {base++, 0}});
  for (const TracedParameter& parameter : parameters) read.push_back({parameter.var, {base++, 0}});
  for (const ForwardProgram::Output& output : outputs) {
    const bool own = output.in_place_of < 0;
    written.push_back({output.value, {own ? base++ : first_user_base + output.in_place_of, 0}});
  }
  return {graph, read, written};
}

}  // namespace

ForwardProgram::ForwardProgram(const Graph& graph, const std::vector<Var>& inputs,
                               const std::vector<TracedParameter>& parameters, const std::vector<Output>& outputs)
    : program_(planned(graph, inputs, parameters, outputs)) {
  for (const TracedParameter& p : parameters) parameters_.push_back({p.name, {p.var.shape(), p.var.dtype()}});
  for (const Output& output : outputs) outputs_.push_back({output.value.shape(), output.value.dtype()});
}

std::vector<const std::byte*> ForwardProgram::parameters_in(const State& state) const {
  std::vector<const std::byte*> places;
  places.reserve(parameters_.size());
  for (const auto& [name, wanted] : parameters_) {
    const ParameterEntry& entry = entry_in(*state.layout, name, wanted);
    places.push_back(state.parameters.raw() + static_cast<std::size_t>(entry.offset) * size_of(state.layout->dtype));
  }
  return places;
}

void ForwardProgram::run(std::span<const std::byte* const> inputs, std::span<const std::byte* const> parameters,
                         std::span<std::byte* const> outputs, std::byte* memory, Workers& workers) const {
  std::vector<std::byte*> bases;
  bases.reserve(inputs.size() + parameters.size() + outputs.size());
  for (const auto read : {inputs, parameters}) {
    for (const std::byte* place : read) bases.push_back(const_cast<std::byte*>(place));
  }
  bases.insert(bases.end(), outputs.begin(), outputs.end());
  program_.run(bases, memory, workers);
}

}  // namespace thalweg
