#include "cuda/graph.hpp"

namespace thalweg::cuda {

Graph::~Graph() {
  if (graph_ == nullptr) return;
  stream_.wait_quietly();
  context_.give_back(context_.functions.cuGraphExecDestroy, graph_);
}

bool Graph::make_calls() const {
  try {
    for (const auto& call : calls_) call();
    return true;
  } catch (...) {  // which comes again when the calls are made one by one
    return false;
  }
}

bool Graph::capture(const OwnStream& capturing) {
  const DriverFunctions& functions = context_.functions;
  // relaxed: NVIDIA's libraries may allocate what they need
  THALWEG_CALL(functions, cuStreamBeginCapture, capturing.get(), CU_STREAM_CAPTURE_MODE_RELAXED);
  const bool made = make_calls();
  CUgraph graph = nullptr;
  const CUresult ended = functions.cuStreamEndCapture(capturing.get(), &graph);
  if (made && ended == CUDA_SUCCESS && functions.cuGraphInstantiateWithFlags(&graph_, graph, 0) != CUDA_SUCCESS)
    graph_ = nullptr;
  if (graph != nullptr) functions.cuGraphDestroy(graph);
  return graph_ != nullptr;
}

void Graph::launch() const {
  if (graph_ != nullptr) {
    context_.enter();
    THALWEG_CALL(context_.functions, cuGraphLaunch, graph_, stream_.get());
  } else {
    for (const auto& call : calls_) call();
  }
}

}  // namespace thalweg::cuda
