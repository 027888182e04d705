#pragma once
// Gradients of which each rank has a part only, where it updates only that part of the parameters.

#include <optional>
#include <vector>

#include "core/block.hpp"
#include "distributed/communicator.hpp"
#include "distributed/shares.hpp"
#include "plan/program.hpp"

namespace thalweg {

/// The sum of the squares of the whole gradient. Each rank adds those of the blocks that begin in its part; the sums of
/// all blocks are then added in the order in which one rank alone adds them: the same bits.
class SlicedNorm {
 public:
  SlicedNorm(std::shared_ptr<Communicator> ranks, const std::vector<Runs>& parts, std::int64_t size, DType dtype);
  [[nodiscard]] double squares(std::byte* gradient, Workers& workers);
  /// What each rank needs: its part, each run of it up to the end of the block of a reduction.
  [[nodiscard]] const std::vector<Runs>& kept() const { return kept_; }
  /// Completes a gradient of which each rank has its part.
  void complete(std::byte* gradient);

 private:
  [[nodiscard]] std::size_t own() const { return static_cast<std::size_t>(ranks_->rank()); }

  std::shared_ptr<Communicator> ranks_;
  std::vector<Runs> parts_, kept_;  // of each rank
  DType dtype_;
  std::vector<std::byte> sums_;      // of all blocks (see slice_block), rank by rank
  std::vector<Share> places_;        // of each rank's sums
  std::vector<std::int64_t> order_;  // of each block, from left to right, the place of its sum
  std::vector<Message> sent_, received_;
  std::optional<Program> program_;
  Block arena_;
};

}  // namespace thalweg
