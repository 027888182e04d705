#pragma once
// Collective operations: all ranks must call them in the same order.

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "distributed/communicator.hpp"

namespace thalweg {

/// Broadcasts rank 0's text to every rank.
[[nodiscard]] std::string from_first(Communicator& ranks, std::string text);
/// Broadcasts the text of the first rank with `yes`, or rank 0's if there is none.
[[nodiscard]] std::string from_first_that(Communicator& ranks, bool yes, std::string text);
/// Whether `yes` is true on any rank.
[[nodiscard]] bool any_rank(Communicator& ranks, bool yes);
/// Gathers every rank's numbers on every rank, in the order of the ranks; all must give the same number of them.
[[nodiscard]] std::vector<std::uint64_t> gather(Communicator& ranks, std::span<const std::uint64_t> own);

}  // namespace thalweg
