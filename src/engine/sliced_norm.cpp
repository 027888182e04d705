#include "engine/sliced_norm.hpp"

#include <algorithm>

#include "engine/shards.hpp"
#include "graph/graph.hpp"
#include "thalweg/ops.hpp"

namespace thalweg {

namespace {

std::int64_t blocks_to(std::int64_t end) { return (end + slice_block - 1) / slice_block; }

/// The blocks that begin in a part.
Runs blocks_of(const Runs& part) {
  Runs blocks;
  for (const Share run : part) {
    const Share own{blocks_to(run.first), blocks_to(run.last)};
    if (own.size() > 0) blocks.push_back(own);
  }
  return blocks;
}

/// The sums of the squares of these blocks, one after another; zeros fill up a last block that is not whole.
Program block_sums(const Runs& blocks, std::int64_t size, DType dtype) {
  const auto element = static_cast<std::int64_t>(size_of(dtype));
  Graph graph;
  std::vector<Bound> inputs, outputs;
  std::int64_t at = 0;
  for (const Share run : blocks) {
    const std::int64_t first = run.first * slice_block, count = std::min(size, run.last * slice_block) - first;
    const Var g = graph.input("gradient" + std::to_string(first), {count}, dtype);
    inputs.push_back({g, {first_user_base, first * element}});
    const std::int64_t missing = run.size() * slice_block - count;
    const Var rows = reshape(missing > 0 ? pad(g, {{0, missing}}) : g, {run.size(), slice_block});
    outputs.push_back({sum(square(rows), 1), {first_user_base + 1, at * element}});
    at += run.size();
  }
  return {graph, inputs, outputs, {}};
}

}  // namespace

SlicedNorm::SlicedNorm(std::shared_ptr<Communicator> ranks, const std::vector<Runs>& parts, std::int64_t size,
                       DType dtype)
    : ranks_(std::move(ranks)),
      parts_(parts),
      kept_(parts),
      dtype_(dtype),
      sums_(static_cast<std::size_t>(blocks_to(size)) * size_of(dtype)),
      order_(static_cast<std::size_t>(blocks_to(size))) {
  for (Runs& part : kept_) {
    for (Share& run : part) run.last = std::min(size, blocks_to(run.last) * slice_block);
  }
  std::int64_t at = 0;
  for (const Runs& part : parts) {
    const std::int64_t first = at;
    for (const Share run : blocks_of(part)) {
      for (std::int64_t block = run.first; block < run.last; ++block) order_[static_cast<std::size_t>(block)] = at++;
    }
    places_.push_back({first, at});
  }
  const Runs mine = blocks_of(parts[own()]);
  if (mine.empty()) return;
  program_.emplace(block_sums(mine, size, dtype));
  arena_ = Block(program_->arena_bytes());
}

double SlicedNorm::squares(std::byte* gradient, Workers& workers) {
  const std::size_t element = size_of(dtype_);
  const auto sums_of = [&](std::size_t rank) {
    return sums_.data() + static_cast<std::size_t>(places_[rank].first) * element;
  };
  if (program_) {
    std::byte* const bases[] = {gradient, sums_of(own())};
    program_->run(bases, arena_.data(), workers);
  }
  sent_.clear(), received_.clear();
  const auto bytes_of = [&](std::size_t rank) { return static_cast<std::size_t>(places_[rank].size()) * element; };
  for (std::size_t peer = 0; peer < places_.size(); ++peer) {
    if (peer == own()) continue;
    sent_.push_back({static_cast<int>(peer), sums_of(own()), bytes_of(own())});
    received_.push_back({static_cast<int>(peer), sums_of(peer), bytes_of(peer)});
  }
  ranks_->exchange(sent_, received_);
  double total = 0;
  for (const std::int64_t place : order_)
    total += number_at(sums_.data() + static_cast<std::size_t>(place) * element, dtype_);
  return dtype_ == f32 ? static_cast<double>(static_cast<float>(total)) : total;  // as the sum of one rank is stored
}

void SlicedNorm::complete(std::byte* gradient) {
  sent_.clear(), received_.clear();
  const auto messages = [&](std::size_t peer, std::size_t owner, std::vector<Message>& list) {
    for (const Share run : parts_[owner])
      list.push_back({static_cast<int>(peer), gradient + static_cast<std::size_t>(run.first) * size_of(dtype_),
                      static_cast<std::size_t>(run.size()) * size_of(dtype_)});
  };
  for (std::size_t peer = 0; peer < parts_.size(); ++peer) {
    if (peer == own()) continue;
    messages(peer, own(), sent_);
    messages(peer, peer, received_);
  }
  ranks_->exchange(sent_, received_);
}

}  // namespace thalweg
