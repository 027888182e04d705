#pragma once
// Calls that are captured once and launched as one.

#include <functional>
#include <vector>

#include "cuda/context.hpp"

namespace thalweg::cuda {

/// A graph of calls. It keeps everything alive that the calls refer to.
class Graph {
 public:
  Graph(const Context& context, const OwnStream& stream, std::vector<std::function<void()>> calls)
      : context_(context), stream_(stream), calls_(std::move(calls)) {}
  ~Graph();
  Graph(const Graph&) = delete;
  Graph& operator=(const Graph&) = delete;

  /// Runs the calls; their work on the stream `capturing` becomes the graph. False if this did not work.
  [[nodiscard]] bool capture(const OwnStream& capturing);
  /// Runs the graph on the stream, or the calls one by one if there is no graph.
  void launch() const;

 private:
  [[nodiscard]] bool make_calls() const;

  const Context& context_;
  const OwnStream& stream_;
  std::vector<std::function<void()>> calls_;
  CUgraphExec graph_ = nullptr;
};

}  // namespace thalweg::cuda
