#include "engine/forward.hpp"

#include "engine/entries.hpp"
#include "engine/objective.hpp"

namespace thalweg {

namespace {

/// The parameters have the first base address, random numbers the second; inputs and then outputs follow, one each.
Program planned(const Graph& graph, const std::vector<Var>& inputs, const std::vector<TracedParameter>& parameters,
                const Layout& layout, const std::vector<ForwardProgram::Output>& outputs,
                const std::optional<RandomInputs>& random, Device& device) {
  const auto element = static_cast<std::int64_t>(size_of(layout.dtype));
  std::vector<Bound> read, written;
  const Entries entries(layout);
  for (const TracedParameter& p : parameters) {
    const ParameterEntry& entry = entries.at(p.name, {p.var.shape(), p.var.dtype()});
    read.push_back({p.var, {first_user_base, entry.offset * element}});
  }
  if (random) bind_random(*random, first_user_base + 1, read);
  constexpr int first_input = first_user_base + 2;
  int base = first_input;
  for (const Var input : inputs) read.push_back({input, {base++, 0}});
  for (const ForwardProgram::Output& output : outputs) {
    written.push_back({output.value, {output.in_place_of < 0 ? base++ : first_input + output.in_place_of, 0}});
  }
  return {graph, read, written, {}, device};
}

}  // namespace

ForwardProgram::ForwardProgram(const Graph& graph, const std::vector<Var>& inputs,
                               const std::vector<TracedParameter>& parameters, const Layout& layout,
                               const std::vector<Output>& outputs, const std::optional<RandomInputs>& random,
                               Device& device)
    : program_(planned(graph, inputs, parameters, layout, outputs, random, device)),
      samples_(random ? random->places.size() : 0),
      random_at_((program_.arena_bytes() + 63) / 64 * 64) {
  for (const Output& output : outputs) outputs_.push_back({output.value.shape(), output.value.dtype()});
}

void ForwardProgram::run(std::span<const std::byte* const> inputs, const Tensor& parameters,
                         std::span<std::byte* const> outputs, std::byte* memory, Workers& workers,
                         const Draws& draws) const {
  std::vector<std::byte*> bases;
  bases.reserve(2 + inputs.size() + outputs.size());
  bases.push_back(const_cast<std::byte*>(parameters.raw()));
  bases.push_back(memory + random_at_);
  if (samples_ > 0) fill_random_block(memory + random_at_, draws, samples_);
  for (const std::byte* input : inputs) bases.push_back(const_cast<std::byte*>(input));
  bases.insert(bases.end(), outputs.begin(), outputs.end());
  program_.run(bases, memory, workers);
}

}  // namespace thalweg
