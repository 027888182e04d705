#pragma once
// Calls that were captured once, and are launched as one.

#include <functional>
#include <vector>

#include "cuda/context.hpp"

namespace thalweg::cuda {

/// A graph of calls. While it lives, so does all that the calls refer to.
class Graph {
 public:
  Graph(const Context& context, const OwnStream& stream, std::vector<std::function<void()>> calls)
      : context_(context), stream_(stream), calls_(std::move(calls)) {}
  ~Graph();
  Graph(const Graph&) = delete;
  Graph& operator=(const Graph&) = delete;

  /// Makes the calls, of which what goes to the stream `capturing` becomes the graph. False where that did not work.
  [[nodiscard]] bool capture(const OwnStream& capturing);
  /// On the stream; call by call where there is no graph.
  void launch() const;

 private:
  [[nodiscard]] bool make_calls() const;

  const Context& context_;
  const OwnStream& stream_;
  std::vector<std::function<void()>> calls_;
  CUgraphExec graph_ = nullptr;
};

}  // namespace thalweg::cuda
