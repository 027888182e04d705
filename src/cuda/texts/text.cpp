#include "cuda/texts/text.hpp"

#include <fmt/format.h>

namespace thalweg::cuda::texts {

namespace {

/// Arrays of the scratch begin at multiples of this.
constexpr std::size_t alignment = 256;

std::vector<Operand> inputs_of(const KernelSite& site) {
  std::vector<Operand> inputs;
  for (std::size_t k = 0; k < site.inputs.size(); ++k)
    inputs.push_back(
        {site.inputs[k].dtype, site.stored.empty() ? Stored::plain : site.stored[k], elements(site.inputs[k].shape)});
  return inputs;
}

std::string_view type_in_memory(const Operand& operand) {
  return operand.stored == Stored::bf16 ? "unsigned short" : type_of(operand.dtype);
}

std::string_view read_by(Stored stored) {
  switch (stored) {
    case Stored::plain: return "";
    case Stored::bf16: return "tw_widen";
    case Stored::rounded: return "tw_round_to_bf16";
  }
  return "";
}

}  // namespace

std::string_view type_of(DType dtype) {
  switch (dtype) {
    case f32: return "float";
    case f64: return "double";
    case i32: return "int";
    case u8: return "unsigned char";
  }
  return "";
}

Text::Text(const KernelSite& site)
    : Text(inputs_of(site), {site.output.dtype, site.result, elements(site.output.shape)}) {}

Text::Text(std::vector<Operand> inputs, Operand output) : inputs_(std::move(inputs)), output_(output) {
  made_.inputs = static_cast<int>(inputs_.size());
  made_.outputs = 1;
  for (const Operand& input : inputs_) count_to(input.count);
  count_to(output.count);
  type(output.dtype);
}

/// Beyond half of what fits there is room for what is added to a place.
void Text::count_to(std::int64_t value) {
  constexpr std::int64_t most = std::int64_t{1} << 30;
  is_short_ = is_short_ && value <= most && value >= -most;
}

Text& Text::type(DType dtype) {
  type_ = fmt::format("  typedef {} T;\n", type_of(dtype));
  return *this;
}

Text& Text::let(std::string_view name, std::int64_t value) {
  count_to(value);
  head_ += fmt::format("  [[maybe_unused]] constexpr tw_index {} = {};\n", name, value);
  return *this;
}

Text& Text::let_number(std::string_view name, double value) {
  head_ += fmt::format("  [[maybe_unused]] constexpr double {} = {:a};\n", name, value);
  return *this;
}

Text& Text::array(std::string_view name, std::string_view type, std::int64_t count) {
  const std::size_t each = type == "int" || type == "float" ? 4 : 8;
  head_ += fmt::format("  [[maybe_unused]] {0}* {1} = ({0}*)((char*)p[{2}] + {3});\n", type, name,
                       made_.inputs + made_.outputs, made_.scratch);
  made_.scratch += (static_cast<std::size_t>(count) * each + alignment - 1) / alignment * alignment;
  return *this;
}

Text& Text::head(std::string_view lines) {
  head_ += lines;
  return *this;
}

Text& Text::outside(std::string_view text) {
  made_.text += text;
  return *this;
}

/// Names for the call's addresses, and functions that read and write elements as they are computed with.
std::string Text::operands() const {
  std::string text;
  for (std::size_t k = 0; k < inputs_.size(); ++k) {
    text += fmt::format(
        "  [[maybe_unused]] const {0}* in{1} = (const {0}*)p[{1}];\n"
        "  [[maybe_unused]] const auto get{1} = [in{1}](tw_index i) {{ return {2}(in{1}[i]); }};\n",
        type_in_memory(inputs_[k]), k, read_by(inputs_[k].stored));
  }
  text += fmt::format(
      "  [[maybe_unused]] {0}* out0 = ({0}*)p[{1}];\n"
      "  [[maybe_unused]] const auto put0 = [out0](tw_index i, {2} x) {{ out0[i] = {3}(x); }};\n"
      "  [[maybe_unused]] int* error = (int*)p[{4}];\n",
      type_in_memory(output_), inputs_.size(), type_of(output_.dtype),
      output_.stored == Stored::bf16 ? "tw_narrow" : "", inputs_.size() + 2);
  return text;
}

Text& Text::kernel(std::string_view suffix, std::int64_t blocks, std::string_view body) {
  if (blocks == 0) return *this;
  const std::string name = std::string(text_name) + std::string(suffix);
  // equal texts are one kernel, and so must be launched alike
  made_.text +=
      fmt::format("// {} blocks\nTW_KERNEL({}) {}(TW_ADDRESSES({}) p) {{\n{}{}{}{}{}}}\n", blocks, block_threads, name,
                  inputs_.size() + 3, is_short_ ? "  typedef int tw_index;\n" : "", type_, operands(), head_, body);
  made_.launches.push_back({name, blocks, block_threads});
  return *this;
}

Text& Text::each(std::string_view suffix, std::int64_t count, std::string_view body) {
  count_to(count);
  return kernel(suffix, parts_of(count, block_threads),
                fmt::format("  TW_EACH(t, {0}) {{\n    const tw_index i = (tw_index)blockIdx.x * {0} + t;\n"
                            "    if (i < {1}) {{\n{2}    }}\n  }}\n",
                            block_threads, count, body));
}

}  // namespace thalweg::cuda::texts
