// Attention and its gradient by cuDNN, where values are stored in bf16.

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <mutex>

#include "cuda/attention_graph.hpp"
#include "cuda/operands.hpp"

namespace thalweg::cuda {

namespace {

using Id = AttentionGraph::Id;

/// Before it, lengths that are no multiple of a tile were computed wrongly, and gradients of some versions are.
constexpr std::size_t least_version = 91600;
/// Of the GPUs on which a gradient has the same bits each time by the form of its graph alone. Later ones choose an
/// engine that adds by atomics all the same, and the library does not say so of it.
constexpr int last_deterministic_major = 9;

constexpr std::int64_t bf16_bytes = 2, f32_bytes = 4;

/// What is said of numbers by address: the same for all runs.
struct Numbers {
  explicit Numbers(const AttentionGraph& graph, double its_scale)
      : scale(static_cast<float>(its_scale)),
        keys(static_cast<std::int32_t>(graph.keys)),
        queries(static_cast<std::int32_t>(graph.queries)) {}
  void put(AttentionGraph::Places& places) const {
    places[Id::scale] = &scale;
    places[Id::minus_infinity] = &minus_infinity;
    places[Id::one] = &one;
    places[Id::count_of_keys] = &keys;
    places[Id::count_of_queries] = &queries;
  }

  float scale, minus_infinity = -std::numeric_limits<float>::infinity(), one = 1;
  std::int32_t keys, queries;
};

/// Our own kernel, made when it is wanted: the first time that a program is run, which is never recorded.
class Own {
 public:
  explicit Own(std::function<Kernel()> make) : make_(std::move(make)) {}
  void run(const KernelCall& call) {
    std::call_once(once_, [this] { kernel_ = make_(); });
    kernel_.run(call);
  }

 private:
  std::function<Kernel()> make_;
  std::once_flag once_;
  Kernel kernel_;
};

/// The parts of a kernel's scratch, each at a multiple of library_alignment.
class Scratch {
 public:
  std::size_t take(std::int64_t bytes) {
    const std::size_t at = bytes_;
    bytes_ += (static_cast<std::size_t>(bytes) + library_alignment - 1) / library_alignment * library_alignment;
    return at;
  }
  [[nodiscard]] std::size_t bytes() const { return bytes_ + library_alignment; }
  [[nodiscard]] static std::byte* begin(const KernelCall& call) {
    const auto address = reinterpret_cast<std::uintptr_t>(call.scratch);
    return call.scratch + (library_alignment - address % library_alignment) % library_alignment;
  }

 private:
  std::size_t bytes_ = 0;
};

bool is_aligned(const KernelCall& call, std::size_t inputs) {
  const auto fits = [](const std::byte* at) {
    return reinterpret_cast<std::uintptr_t>(at) % static_cast<std::uintptr_t>(attention_alignment) == 0;
  };
  return fits(call.outputs[0]) && std::all_of(call.inputs, call.inputs + inputs, fits);
}

/// What both ops are made of and run with.
class FusedAttention {
 public:
  FusedAttention(Stream& stream, const KernelSite& site, const AttentionGraph& graph, std::function<Kernel()> own)
      : stream_(stream),
        dnn_(stream.dnn),
        graph_(graph),
        part_(graph.part_of_gradient()),
        sizes_(AttentionShape::of(site.inputs.first(site.inputs.size() - (graph.gradient ? 1 : 0)))),
        inputs_(site.inputs.size()),
        which_(graph.gradient ? static_cast<int>(site.ints[2]) : 0),
        numbers_(graph, site.number),
        own_(std::move(own)) {}

  /// Whether the library has all plans, which it is asked for here.
  [[nodiscard]] bool plan() {
    AttentionGraph whole = graph_;
    whole.gradient = false;
    forward_ = planned(whole);
    if (graph_.gradient && forward_) backward_ = planned(part_);
    if (!forward_ || (graph_.gradient && !backward_)) return false;
    logs_ = scratch_.take(graph_.batch * graph_.heads * graph_.queries * f32_bytes);
    if (graph_.gradient) {
      value_ = scratch_.take(graph_.batch * graph_.value.batch * bf16_bytes);
      means_ = scratch_.take(part_.batch * part_.heads * graph_.queries * f32_bytes);
      for (const auto& [part, id] : gradients())
        if (part->input != which_ && others_[part->input] == 0)
          others_[part->input] = scratch_.take(part_.batch * part->batch * bf16_bytes);
    }
    workspace_ = scratch_.take(static_cast<std::int64_t>(
        std::max(forward_->workspace(), backward_ ? backward_->workspace() : std::size_t{0})));
    return true;
  }
  [[nodiscard]] std::size_t scratch() const { return scratch_.bytes(); }

  void run(const KernelCall& call) {
    stream_.enter();
    if (!is_aligned(call, inputs_)) {
      own_.run(call);
      return;
    }
    AttentionGraph::Places at{};
    numbers_.put(at);
    forward(call, at);
    if (!graph_.gradient) return;
    for (std::int64_t sample = 0; sample < graph_.batch; sample += part_.batch) {
      for (std::int64_t head = 0; head < graph_.heads; head += part_.heads) backward(call, sample, head, at);
    }
  }

 private:
  using Part = AttentionShape::Part;

  [[nodiscard]] std::array<std::pair<const Part*, Id>, 3> gradients() const {
    return {{{&sizes_.q, Id::of_dq}, {&sizes_.k, Id::of_dk}, {&sizes_.v, Id::of_dv}}};
  }

  [[nodiscard]] std::shared_ptr<const DnnPlan> planned(const AttentionGraph& graph) const {
    const auto [place, is_new] = dnn_->plans.try_emplace(graph.str());
    if (is_new) {
      const GpuFacts& gpu = stream_.facts();
      const std::string made_for =
          fmt::format("{} of {}.{} with {} processors", gpu.name, gpu.major, gpu.minor, gpu.processors);
      const CodeCache kept(stream_.options().cache);
      if (auto plan = plan_of({dnn_->functions, dnn_->handle()}, graph, kept, made_for))
        place->second = std::make_shared<const DnnPlan>(std::move(*plan));
    }
    return place->second;
  }

  void execute(const DnnPlan& plan, const AttentionGraph::Places& at, const KernelCall& call) const {
    std::vector<const void*> addresses;
    for (const std::int64_t id : plan.ids()) addresses.push_back(at[static_cast<std::size_t>(id)]);
    dnn_->execute(stream_.stream(), plan.get(),
                  plan.pack(dnn_->functions, addresses, Scratch::begin(call) + workspace_).get());
  }

  void forward(const KernelCall& call, AttentionGraph::Places& at) const {
    std::byte* const scratch = Scratch::begin(call);
    for (const auto& [part, id] : {std::pair(&sizes_.q, Id::of_q), {&sizes_.k, Id::of_k}, {&sizes_.v, Id::of_v}})
      at[id] = call.inputs[part->input] + part->offset * bf16_bytes;
    at[Id::of_value] = graph_.gradient ? scratch + value_ : call.outputs[0];
    at[Id::of_logs] = scratch + logs_;
    execute(*forward_, at, call);
  }

  /// Of the samples and heads of one part.
  void backward(const KernelCall& call, std::int64_t sample, std::int64_t head, AttentionGraph::Places at) const {
    std::byte* const scratch = Scratch::begin(call);
    const auto moved = [&](const void* from, std::int64_t batch) {
      return static_cast<const std::byte*>(from) + (sample * batch + head * graph_.width) * bf16_bytes;
    };
    at[Id::of_q] = moved(at[Id::of_q], graph_.q.batch);
    at[Id::of_k] = moved(at[Id::of_k], graph_.k.batch);
    at[Id::of_v] = moved(at[Id::of_v], graph_.v.batch);
    at[Id::of_value] = moved(scratch + value_, graph_.value.batch);
    at[Id::of_g] = moved(call.inputs[inputs_ - 1], graph_.value.batch);
    at[Id::of_logs] = scratch + logs_ + (sample * graph_.heads + head) * graph_.queries * f32_bytes;
    at[Id::of_means] = scratch + means_;
    for (const auto& [part, id] : gradients()) {
      const std::byte* const place =
          part->input == which_ ? moved(call.outputs[0], part->batch) : scratch + others_[part->input];
      at[id] = place + part->offset * bf16_bytes;
    }
    execute(*backward_, at, call);
  }

  Stream& stream_;
  std::shared_ptr<Dnn> dnn_;
  AttentionGraph graph_, part_;
  AttentionShape sizes_;
  std::size_t inputs_;
  int which_;
  Numbers numbers_;
  Own own_;
  std::shared_ptr<const DnnPlan> forward_, backward_;
  // places in the scratch; of gradients that nobody asked for, by input: 0, where the logs are, is none
  Scratch scratch_;
  std::size_t logs_ = 0, value_ = 0, means_ = 0, workspace_ = 0;
  std::array<std::size_t, 3> others_{};
};

}  // namespace

Kernel make_attention(Stream& stream, std::string_view op, const KernelSite& site, std::function<Kernel()> own,
                      std::size_t own_scratch) {
  const std::optional<AttentionGraph> graph = attention_graph(op, site);
  if (!graph || (graph->gradient && stream.facts().major > last_deterministic_major)) return {};
  stream.enter();
  if (!stream.dnn) stream.dnn = std::make_shared<Dnn>();
  if (stream.dnn->functions.cudnnGetVersion() < least_version) return {};
  const auto held = stream.dnn->held();
  const auto fused = std::make_shared<FusedAttention>(stream, site, *graph, std::move(own));
  if (!fused->plan()) return {};
  return {[fused](const KernelCall& call) { fused->run(call); }, std::max(fused->scratch(), own_scratch)};
}

}  // namespace thalweg::cuda
