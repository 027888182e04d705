// Convolutions by cuDNN. Images are used as they are in memory; a filter is transposed from its layout (height, width,
// channels, outputs) to (outputs, height, width, channels), for which the library has its fast engines.

#include <algorithm>

#include "cuda/convolution_graph.hpp"
#include "cuda/operands.hpp"

namespace thalweg::cuda {

namespace {

using Open = ConvolutionGraph::Open;

// The op's integers, as kernels/convolution.hpp names them.
enum Ints : std::size_t { strides = 0, dilations = 2, befores = 4 };

/// Addresses that are multiples of this are read fastest.
constexpr std::int64_t fast_alignment = 16;

std::optional<Open> open_of(std::string_view op) {
  if (op == "convolution") return Open::value;
  if (op == "convolution_image") return Open::image;
  if (op == "convolution_filter") return Open::filter;
  return std::nullopt;
}

/// The shape of image, filter or value, wherever it is among inputs and output.
const Shape& shape_of(const KernelSite& site, Open open, Open operand) {
  if (operand == open) return site.output.shape;
  const bool is_second = operand == Open::value ? open == Open::filter : operand == Open::filter;
  return site.inputs[is_second ? 1 : 0].shape;
}

/// The plans of one convolution: one for all addresses and, if there is one, a faster one for well aligned addresses.
struct Plans {
  std::optional<DnnPlan> anywhere, aligned;

  [[nodiscard]] std::size_t workspace() const {
    return std::max(anywhere->workspace(), aligned ? aligned->workspace() : 0);
  }
  [[nodiscard]] const DnnPlan& at(const std::byte* image, const std::byte* filter, const std::byte* value) const {
    const auto address = [](const std::byte* place) { return reinterpret_cast<std::uintptr_t>(place); };
    const bool all = (address(image) | address(filter) | address(value)) % fast_alignment == 0;
    return all && aligned ? *aligned : *anywhere;
  }
};

void run(const Dnn& dnn, CUstream stream, const Plans& plans, Open open, const Operands::Places& at) {
  const std::byte* image = open == Open::image ? at.output : at.inputs[0];
  const std::byte* filter = open == Open::filter ? at.output : at.inputs[1];
  const std::byte* value = open == Open::value ? at.output : at.inputs[open == Open::image ? 0 : 1];
  const DnnPlan& plan = plans.at(image, filter, value);
  dnn.execute(stream, plan.get(),
              plan.pack(dnn.functions, std::array<const void*, 3>{image, filter, value}, at.workspace).get());
}

/// A filter as a matrix with its outputs as columns, to be transposed.
Operand turned(Operand filter, const Shape& shape) {
  filter.columns = shape.sizes()[3];
  filter.rows = elements_of(shape) / filter.columns;
  filter.turned = true;
  return filter;
}

/// The convolution in one of the ways of the site.
Kernel make_in(Stream& stream, const KernelSite& site, ConvolutionGraph graph, const Types& types) {
  graph.types = types;
  graph.tf32 = types.exact_in_tf32 || stream.options().tf32;
  const PlanTarget target{stream.dnn->functions, stream.dnn->handle()};
  auto plans = std::make_shared<Plans>();
  plans->anywhere = plan_of(target, graph, 1);
  if (!plans->anywhere) return {};
  plans->aligned = plan_of(target, graph, fast_alignment);
  std::array inputs{input_of(site, 0, types), input_of(site, 1, types)};
  Operand output = output_of(site, types);
  Operand& filter = graph.open == Open::filter ? output : inputs[1];
  filter = turned(filter, shape_of(site, graph.open, Open::filter));
  const auto operands = std::make_shared<const Operands>(stream, inputs, output, plans->workspace());
  return {[&stream, dnn = stream.dnn, plans = std::move(plans), operands, open = graph.open](const KernelCall& call) {
            stream.enter();
            const Operands::Places at = operands->bring(call);
            run(*dnn, stream.stream(), *plans, open, at);
            operands->take(call, at);
          },
          operands->scratch()};
}

}  // namespace

std::optional<ConvolutionGraph> convolution_graph(std::string_view op, const KernelSite& site) {
  const std::optional<Open> known = open_of(op);
  if (!known) return std::nullopt;
  const Open open = *known;
  const auto images = [&](Open operand) -> std::array<std::int64_t, 4> {
    const auto sizes = shape_of(site, open, operand).sizes();
    return {sizes[0], sizes[3], sizes[1], sizes[2]};
  };
  const auto f = shape_of(site, open, Open::filter).sizes();
  ConvolutionGraph graph{
      .open = open, .image = images(Open::image), .filter = {f[3], f[2], f[0], f[1]}, .value = images(Open::value)};
  for (std::size_t axis = 0; axis < 2; ++axis) {
    const std::int64_t stride = site.ints[strides + axis], dilation = site.ints[dilations + axis],
                       before = site.ints[befores + axis];
    const std::int64_t read = (graph.value[2 + axis] - 1) * stride + (graph.filter[2 + axis] - 1) * dilation + 1;
    const std::int64_t after = read - before - graph.image[2 + axis];
    if (before < 0 || after <= -stride) return std::nullopt;
    graph.stride[axis] = stride;
    graph.dilation[axis] = dilation;
    graph.before[axis] = before;
    graph.after[axis] = std::max<std::int64_t>(after, 0);
  }
  return graph;
}

Kernel make_convolution(Stream& stream, std::string_view op, const KernelSite& site) {
  const bool sums_nothing = elements_of(site.inputs[0].shape) == 0 || elements_of(site.inputs[1].shape) == 0;
  if (sums_nothing || elements_of(site.output.shape) == 0) return make_zeros(stream, site);
  const std::optional<ConvolutionGraph> graph = convolution_graph(op, site);
  if (!graph) return {};
  stream.enter();
  if (!stream.dnn) stream.dnn = std::make_shared<Dnn>();
  const auto own = stream.dnn->held();  // another thread may want to run a plan
  for (const Types& types : ways_of(site, false)) {
    Kernel kernel = make_in(stream, site, *graph, types);
    if (kernel.run) return kernel;
  }
  return {};
}

}  // namespace thalweg::cuda
