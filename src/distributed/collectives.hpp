#pragma once
// What all ranks do together, each at the same place of its own course.

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "distributed/communicator.hpp"

namespace thalweg {

/// Rank 0's text, on every rank.
[[nodiscard]] std::string from_first(Communicator& ranks, std::string text);
/// The text of the first rank that says yes, or else rank 0's.
[[nodiscard]] std::string from_first_that(Communicator& ranks, bool yes, std::string text);
/// Whether any rank says yes.
[[nodiscard]] bool any_rank(Communicator& ranks, bool yes);
/// Every rank's numbers, rank by rank; each gives as many.
[[nodiscard]] std::vector<std::uint64_t> gather(Communicator& ranks, std::span<const std::uint64_t> own);

}  // namespace thalweg
