#pragma once
// The slots of an optimizer shared out over the ranks: each keeps those of its part of the parameters, updates that
// part, and sends it to the others.

#include <optional>
#include <vector>

#include "distributed/communicator.hpp"
#include "distributed/shares.hpp"
#include "thalweg/optim.hpp"
#include "thalweg/state.hpp"

namespace thalweg {

/// Who updates what of an objective's parameters.
struct SlotShares {
  Layout own;                             ///< what is trained, all but this rank's part marked as frozen
  std::int64_t gradient_at = 0;           ///< where the part's gradient begins in that of all
  std::vector<std::vector<Share>> parts;  ///< of each rank, runs of the flat block of parameters
  std::vector<std::pair<std::string, std::int64_t>> whole = {};  ///< the slots of all ranks together, and their sizes
};

/// Below so many numbers every rank keeps all slots: a message would cost more than they do.
inline constexpr std::int64_t fewest_shared = 1 << 16;

/// Ranks get runs of equal length; a parameter that a rule needs whole (a matrix of Muon's, a norm of LAMB's) goes to
/// the rank that has its middle. Nothing where every rank keeps all: few numbers, or a rule that looks at all
/// parameters at once, draws random numbers, or evaluates at others (an average). It is not asked of a method that
/// looks at points of its own choice, nor where moving averages are kept.
[[nodiscard]] std::optional<SlotShares> share_slots(const Optimizer& optimizer, const Layout& trained, int rank,
                                                    int ranks);

/// Each rank's part of the parameters to all others.
void send_parts(Communicator& ranks, const SlotShares& shares, std::byte* parameters, DType dtype);

using Slots = std::vector<std::pair<std::string, Tensor>>;

/// A rank's part of slots that are whole; `sizes` are those of the parts.
[[nodiscard]] Slots own_part(Communicator& ranks, const Slots& whole, const std::vector<std::int64_t>& sizes);
/// The parts of all ranks together, on rank 0 or on all; elsewhere nothing. `sizes` are those of the whole.
[[nodiscard]] Slots joined_parts(Communicator& ranks, const Slots& own, const std::vector<std::int64_t>& sizes,
                                 bool on_all);

}  // namespace thalweg
