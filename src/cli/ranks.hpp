#pragma once
// A command whose work is shared by several processes that a launcher started.

#include <functional>
#include <string>

#include "cli/command.hpp"

namespace thalweg::cli {

struct RankOptions {
  std::string distributed = "auto";  ///< auto (mpi if a launcher started several processes), mpi or none
  double patience = 30;              ///< seconds after which a rank that does not answer counts as lost
};

/// Runs `work` alone, or as one of the ranks. In the second case the context holds the ranks, and all but rank 0 are
/// quiet. Returns the exit code. When a rank dies, its number and host are reported, and the other ranks end.
int over_ranks(const RankOptions& options, const Context& context, const std::function<int(const Context&)>& work);

/// The default number of threads of a rank: the ranks of a host share its cores.
[[nodiscard]] int threads_of_rank(const Communicator& ranks);

}  // namespace thalweg::cli
