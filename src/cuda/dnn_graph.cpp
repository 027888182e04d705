#include "cuda/dnn_graph.hpp"

#include <algorithm>

namespace thalweg::cuda {

namespace {

/// Whether the arithmetic of an engine, as its notes describe it, is allowed. Not allowed are sums whose order is not
/// deterministic, inputs or sums with less precision than their type, and transforms of tiles that lose digits.
bool is_allowed(const Descriptor& engine, bool keeps_f32) {
  std::array<cudnnBackendNumericalNote_t, CUDNN_NUMERICAL_NOTE_TYPE_COUNT> notes{};
  const std::int64_t count = engine.read(CUDNN_ATTR_ENGINE_NUMERICAL_NOTE, CUDNN_TYPE_NUMERICAL_NOTE,
                                         std::span<cudnnBackendNumericalNote_t>(notes));
  return std::ranges::none_of(std::span(notes).first(static_cast<std::size_t>(count)), [&](auto note) {
    return note == CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC || note == CUDNN_NUMERICAL_NOTE_DOWN_CONVERT_INPUTS ||
           note == CUDNN_NUMERICAL_NOTE_REDUCED_PRECISION_REDUCTION || note == CUDNN_NUMERICAL_NOTE_FFT ||
           note == CUDNN_NUMERICAL_NOTE_WINOGRAD_TILE_6x6 || note == CUDNN_NUMERICAL_NOTE_WINOGRAD_TILE_13x13 ||
           (keeps_f32 && note == CUDNN_NUMERICAL_NOTE_TENSOR_CORE);
  });
}

/// The library's proposals for a graph, the fastest first.
std::vector<Descriptor> proposals(const PlanTarget& target, const Descriptor& graph, cudnnBackendHeurMode_t mode) {
  const Descriptor asked(target.functions, CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR);
  asked.set(CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, graph);
  asked.set(CUDNN_ATTR_ENGINEHEUR_MODE, CUDNN_TYPE_HEUR_MODE, mode);
  if (target.described != nullptr)
    asked.set(CUDNN_ATTR_ENGINEHEUR_DEVICEPROP, CUDNN_TYPE_BACKEND_DESCRIPTOR, target.described);
  if (!asked.finish()) return {};
  const std::int64_t count =
      asked.read(CUDNN_ATTR_ENGINEHEUR_RESULTS, CUDNN_TYPE_BACKEND_DESCRIPTOR, std::span<cudnnBackendDescriptor_t>());
  std::vector<Descriptor> made;
  std::vector<cudnnBackendDescriptor_t> into;
  for (std::int64_t i = 0; i < count; ++i) {
    made.emplace_back(target.functions, CUDNN_BACKEND_ENGINECFG_DESCRIPTOR);
    into.push_back(made.back().get());
  }
  const std::int64_t given = asked.read(CUDNN_ATTR_ENGINEHEUR_RESULTS, CUDNN_TYPE_BACKEND_DESCRIPTOR, std::span(into));
  made.erase(made.begin() + std::min(given, count), made.end());
  return made;
}

Descriptor begun_plan(const PlanTarget& target) {
  Descriptor plan(target.functions, CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR);
  if (target.handle != nullptr) plan.set(CUDNN_ATTR_EXECUTION_PLAN_HANDLE, CUDNN_TYPE_HANDLE, target.handle);
  if (target.described != nullptr)
    plan.set(CUDNN_ATTR_EXECUTION_PLAN_DEVICEPROP, CUDNN_TYPE_BACKEND_DESCRIPTOR, target.described);
  return plan;
}

}  // namespace

cudnnDataType_t type_of(Element element) {
  return element == Element::f64 ? CUDNN_DATA_DOUBLE : element == Element::f32 ? CUDNN_DATA_FLOAT : CUDNN_DATA_BFLOAT16;
}

Descriptor::Descriptor(const DnnFunctions& functions, cudnnBackendDescriptorType_t type)
    : functions_(&functions), made_(nullptr, functions.cudnnBackendDestroyDescriptor) {
  cudnnBackendDescriptor_t made = nullptr;
  THALWEG_DNN(functions, cudnnBackendCreateDescriptor, type, &made);
  made_.reset(made);
}

std::optional<DnnPlan> DnnPlan::make(const PlanTarget& target, Described graph) {
  Descriptor whole(target.functions, CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR);
  if (target.handle != nullptr) whole.set(CUDNN_ATTR_OPERATIONGRAPH_HANDLE, CUDNN_TYPE_HANDLE, target.handle);
  whole.set(CUDNN_ATTR_OPERATIONGRAPH_OPS, CUDNN_TYPE_BACKEND_DESCRIPTOR,
            std::span<const cudnnBackendDescriptor_t>(graph.operations));
  if (!whole.finish()) return std::nullopt;
  graph.parts.push_back(std::move(whole));
  const bool keeps_f32 = graph.keeps_f32;
  DnnPlan plan(std::move(graph));
  for (const cudnnBackendHeurMode_t mode : {CUDNN_HEUR_MODE_A, CUDNN_HEUR_MODE_FALLBACK})
    if (plan.choose(target, keeps_f32, mode)) return plan;
  return std::nullopt;
}

bool DnnPlan::choose(const PlanTarget& target, bool keeps_f32, cudnnBackendHeurMode_t mode) {
  for (Descriptor& proposal : proposals(target, parts_.back(), mode)) {
    const Descriptor engine(target.functions, CUDNN_BACKEND_ENGINE_DESCRIPTOR);
    cudnnBackendDescriptor_t into = engine.get();
    proposal.read(CUDNN_ATTR_ENGINECFG_ENGINE, CUDNN_TYPE_BACKEND_DESCRIPTOR,
                  std::span<cudnnBackendDescriptor_t>(&into, 1));
    if (is_allowed(engine, keeps_f32) && adopt(target, std::move(proposal))) return true;
  }
  return false;
}

bool DnnPlan::adopt(const PlanTarget& target, Descriptor proposal) {
  Descriptor plan = begun_plan(target);
  plan.set(CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG, proposal);
  parts_.push_back(std::move(proposal));
  if (take(std::move(plan))) return true;
  parts_.pop_back();
  return false;
}

bool DnnPlan::take(Descriptor plan) {
  if (!plan.finish()) return false;
  std::int64_t bytes = 0;
  plan.read(CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE, CUDNN_TYPE_INT64, std::span<std::int64_t>(&bytes, 1));
  if (bytes > most_workspace) return false;
  workspace_ = static_cast<std::size_t>(bytes);
  parts_.push_back(std::move(plan));
  return true;
}

std::optional<DnnPlan> DnnPlan::restored(const PlanTarget& target, std::vector<std::int64_t> ids,
                                         std::string_view text) {
  Descriptor plan = begun_plan(target);
  const cudnnStatus_t status =
      target.functions.cudnnBackendSetAttribute(plan.get(), CUDNN_ATTR_EXECUTION_PLAN_JSON_REPRESENTATION,
                                                CUDNN_TYPE_CHAR, static_cast<std::int64_t>(text.size()), text.data());
  DnnPlan made({.ids = std::move(ids)});
  if (status != CUDNN_STATUS_SUCCESS || !made.take(std::move(plan))) return std::nullopt;
  return made;
}

std::string DnnPlan::text() const {
  const auto read = [this](std::int64_t room, std::int64_t& count, char* into) {
    return parts_.back().functions().cudnnBackendGetAttribute(get(), CUDNN_ATTR_EXECUTION_PLAN_JSON_REPRESENTATION,
                                                              CUDNN_TYPE_CHAR, room, &count,
                                                              into) == CUDNN_STATUS_SUCCESS;
  };
  std::int64_t bytes = 0, written = 0;
  if (!read(0, bytes, nullptr) || bytes <= 0) return {};
  std::string text(static_cast<std::size_t>(bytes), '\0');
  return read(bytes, written, text.data()) && written == bytes ? text : std::string();
}

Descriptor DnnPlan::pack(const DnnFunctions& functions, std::span<const void* const> addresses,
                         std::byte* workspace) const {
  Descriptor made(functions, CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR);
  made.set(CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, CUDNN_TYPE_VOID_PTR, addresses);
  made.set(CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, ids_);
  made.set(CUDNN_ATTR_VARIANT_PACK_WORKSPACE, CUDNN_TYPE_VOID_PTR, workspace);
  made.expect_finish();
  return made;
}

}  // namespace thalweg::cuda
