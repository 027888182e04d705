#include "cuda/operands.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace thalweg::cuda {

namespace {

constexpr int threads = 256;

constexpr std::size_t aligned(std::size_t bytes) {
  return (bytes + library_alignment - 1) / library_alignment * library_alignment;
}

Element element_of(DType dtype) { return dtype == f64 ? Element::f64 : Element::f32; }

Stored stored_of(const KernelSite& site, std::size_t k) { return site.stored.empty() ? Stored::plain : site.stored[k]; }

std::string_view type_of(Element element) {
  return element == Element::f64 ? "double" : element == Element::f32 ? "float" : "unsigned short";
}

/// The expression that is written for an element x that was read.
std::string converted(Element from, Element to, bool rounded, const std::string& x) {
  if (from == Element::bf16 && to == Element::f32) return "tw_widen(" + x + ")";
  if (from == Element::f32 && to == Element::bf16) return "tw_narrow(" + x + ")";
  return rounded ? "tw_round_to_bf16(" + x + ")" : x;
}

/// Elements one after another.
EmittedKernel text_of_elements(Element from, Element to, bool rounded, std::int64_t n) {
  EmittedKernel out{.text = {}, .launches = {}, .inputs = 1, .outputs = 1, .scratch = 0};
  out.text = fmt::format(
      "TW_KERNEL({0}) {1}(TW_ADDRESSES(3) p) {{\n  const {2}* from = (const {2}*)p[0];\n  {3}* to = ({3}*)p[1];\n"
      "  TW_EACH(t, {0}) {{\n    const tw_index i = (tw_index)blockIdx.x * {0} + t;\n"
      "    if (i < {4}) to[i] = {5};\n  }}\n}}\n",
      threads, text_name, type_of(from), type_of(to), n, converted(from, to, rounded, "from[i]"));
  out.launches.push_back({text_name, (n + threads - 1) / threads, threads});
  return out;
}

/// Transposes a matrix by squares of 32 x 32, so that reads and writes both go along rows. A row of a square takes one
/// more element than it has, so that the elements of a column lie in different banks.
EmittedKernel text_of_turning(Element from, Element to, bool rounded, std::int64_t rows, std::int64_t columns) {
  const std::int64_t across = (columns + 31) / 32, down = (rows + 31) / 32;
  EmittedKernel out{.text = {}, .launches = {}, .inputs = 1, .outputs = 1, .scratch = 0};
  out.text = fmt::format(
      "TW_KERNEL({0}) {1}(TW_ADDRESSES(3) p) {{\n  const {2}* from = (const {2}*)p[0];\n  {3}* to = ({3}*)p[1];\n"
      "  TW_SHARED {3} square[32 * 33];\n"
      "  const tw_index row = (tw_index)blockIdx.x / {4} * 32, column = (tw_index)blockIdx.x % {4} * 32;\n"
      "  TW_EACH(t, 1024) {{\n    const tw_index i = row + t / 32, j = column + t % 32;\n"
      "    if (i < {5} && j < {6}) square[t / 32 * 33 + t % 32] = {7};\n  }}\n"
      "  TW_SYNC();\n"
      "  TW_EACH(t, 1024) {{\n    const tw_index i = row + t % 32, j = column + t / 32;\n"
      "    if (i < {5} && j < {6}) to[j * {5} + i] = square[t % 32 * 33 + t / 32];\n  }}\n}}\n",
      threads, text_name, type_of(from), type_of(to), across, rows, columns,
      converted(from, to, rounded, fmt::format("from[i * {} + j]", columns)));
  out.launches.push_back({text_name, across * down, threads});
  return out;
}

}  // namespace

std::vector<Types> ways_of(const KernelSite& site, bool widens) {
  if (site.output.dtype == f64) return {{Element::f64, Element::f64}};
  const bool all_bf16 =
      !site.stored.empty() && std::ranges::all_of(site.stored, [](Stored stored) { return stored != Stored::plain; });
  const Types in_f32{Element::f32, Element::f32, all_bf16};
  if (!all_bf16) return {in_f32};
  const Element output = site.result == Stored::bf16 ? Element::bf16 : Element::f32;
  if (output == Element::f32 && !widens) return {in_f32};
  return {{Element::bf16, output}, in_f32};
}

Operand input_of(const KernelSite& site, std::size_t k, const Types& types) {
  const Stored stored = stored_of(site, k);
  return {.rows = 1,
          .columns = elements_of(site.inputs[k].shape),
          .lies = stored == Stored::bf16 ? Element::bf16 : element_of(site.inputs[k].dtype),
          .wanted = types.inputs,
          .rounded = stored == Stored::rounded};
}

Operand output_of(const KernelSite& site, const Types& types) {
  return {.rows = 1,
          .columns = elements_of(site.output.shape),
          .lies = site.result == Stored::bf16 ? Element::bf16 : element_of(site.output.dtype),
          .wanted = types.output};
}

Operands::Operands(Stream& stream, const std::array<Operand, 2>& inputs, const Operand& output, std::size_t workspace)
    : inputs_{passage(stream, inputs[0], false), passage(stream, inputs[1], false)},
      output_(passage(stream, output, true)),
      workspace_at_(scratch_) {
  scratch_ += aligned(workspace);
}

Operands::Passage Operands::passage(Stream& stream, const Operand& operand, bool back) {
  if (operand.is_as_wanted()) return {};
  Passage made{stream.text(text_of_passage(operand, back)), scratch_};
  scratch_ += aligned(operand.wanted_bytes());
  return made;
}

Operands::Places Operands::bring(const KernelCall& call) const {
  const auto begins = reinterpret_cast<std::uintptr_t>(call.scratch);
  std::byte* const scratch = call.scratch + (aligned(begins) - begins);
  Places places{{call.inputs[0], call.inputs[1]}, call.outputs[0], scratch + workspace_at_};
  for (std::size_t k = 0; k < 2; ++k) {
    if (!inputs_[k].kernel.run) continue;
    std::byte* to = scratch + inputs_[k].at;
    inputs_[k].kernel.run({&to, &call.inputs[k], nullptr, call.workers});
    places.inputs[k] = to;
  }
  if (output_.kernel.run) places.output = scratch + output_.at;
  return places;
}

void Operands::take(const KernelCall& call, const Places& places) const {
  if (!output_.kernel.run) return;
  const std::byte* from = places.output;
  output_.kernel.run({call.outputs, &from, nullptr, call.workers});
}

EmittedKernel text_of_passage(const Operand& operand, bool back) {
  const Element from = back ? operand.wanted : operand.lies, to = back ? operand.lies : operand.wanted;
  if (!operand.turns()) return text_of_elements(from, to, operand.rounded, operand.rows * operand.columns);
  return back ? text_of_turning(from, to, operand.rounded, operand.columns, operand.rows)
              : text_of_turning(from, to, operand.rounded, operand.rows, operand.columns);
}

EmittedKernel text_of_zeros(Element element, std::int64_t n) {
  EmittedKernel out{.text = {}, .launches = {}, .inputs = 0, .outputs = 1, .scratch = 0};
  out.text = fmt::format(
      "TW_KERNEL({0}) {1}(TW_ADDRESSES(2) p) {{\n  TW_EACH(t, {0}) {{\n"
      "    const tw_index i = (tw_index)blockIdx.x * {0} + t;\n    if (i < {2}) (({3}*)p[0])[i] = 0;\n  }}\n}}\n",
      threads, text_name, n, type_of(element));
  out.launches.push_back({text_name, (n + threads - 1) / threads, threads});
  return out;
}

Kernel make_zeros(Stream& stream, const KernelSite& site) {
  const std::int64_t n = elements_of(site.output.shape);
  if (n == 0) return {[](const KernelCall&) {}, 0};
  return stream.text(text_of_zeros(output_of(site, {}).lies, n));
}

}  // namespace thalweg::cuda
