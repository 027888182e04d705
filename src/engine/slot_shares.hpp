#pragma once
// The slots of an optimizer, divided among the ranks: each rank keeps those of its part of the parameters, updates that
// part, and sends it to the others.

#include <optional>
#include <vector>

#include "distributed/communicator.hpp"
#include "distributed/shares.hpp"
#include "thalweg/optim.hpp"
#include "thalweg/state.hpp"

namespace thalweg {

/// Which rank updates which of an objective's parameters.
struct SlotShares {
  Layout own;                             ///< the trained parameters, all but this rank's part marked as frozen
  std::vector<Runs> gradients;            ///< of each rank, runs of the gradient of all trained parameters
  bool by_number = false;                 ///< whether slots with a number for each trained one have these runs too
  std::vector<std::vector<Share>> parts;  ///< of each rank, runs of the flat block of parameters
  std::vector<std::pair<std::string, std::int64_t>> whole = {};  ///< the slots of all ranks together, and their sizes
};

/// From how many numbers on ranks share a rule that needs whole parameters, which does much with each number.
inline constexpr std::int64_t fewest_shared_of_whole = 1 << 16;

/// Each rank gets a part of each large parameter and of each row of small ones, because a step finishes gradients, and
/// needs parameters, one after another: so all ranks can send and receive at any time. With rules that need a parameter
/// whole (a matrix for Muon, a norm for LAMB), ranks get runs of equal length, and such a parameter goes to the rank
/// that has its middle. Returns nothing where every rank keeps all slots: with few numbers (see fewest_shared), with a
/// method of its own for parameters of which a rank has none, or a rule that reads all parameters at once, draws random
/// numbers, or evaluates at other parameters (an average). Not called for a method that chooses its points, nor where
/// moving averages are kept.
[[nodiscard]] std::optional<SlotShares> share_slots(const Optimizer& optimizer, const Layout& trained, int rank,
                                                    int ranks, std::int64_t fewest);

using Slots = std::vector<std::pair<std::string, Tensor>>;

/// What the parts of a slot are together.
struct WholeSlot {
  std::int64_t size = 0;
  const std::vector<Runs>* parts = nullptr;  ///< of each rank; where it is null, they follow one another
};
using WholeSlots = std::vector<WholeSlot>;

/// A rank's part of whole slots; `sizes` are those of the parts.
[[nodiscard]] Slots own_part(Communicator& ranks, const Slots& slots, const WholeSlots& whole,
                             const std::vector<std::int64_t>& sizes);
/// The part of its slots that a rank writes, such that the parts of all ranks, one after another, are the whole slots.
/// A slot that every rank has whole is written by rank 0.
[[nodiscard]] Slots part_to_write(Communicator& ranks, const Slots& own, const WholeSlots& whole);
/// The parts of all ranks together, on rank 0 or on all ranks; elsewhere nothing.
[[nodiscard]] Slots joined_parts(Communicator& ranks, const Slots& own, const WholeSlots& whole, bool on_all);

}  // namespace thalweg
