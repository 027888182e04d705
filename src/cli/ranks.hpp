#pragma once
// A command whose work is shared by several processes, as a launcher started them.

#include <functional>
#include <string>

#include "cli/command.hpp"

namespace thalweg::cli {

struct RankOptions {
  std::string distributed = "auto";  ///< auto: where a launcher started several; mpi; none
  double patience = 30;              ///< seconds after which a rank that does not answer is given up
};

/// Runs `work` alone, or as one of the ranks: then the context has them, and all but rank 0 are quiet. Gives the exit
/// code. A rank that dies is reported with its host, and ends the others.
int over_ranks(const RankOptions& options, const Context& context, const std::function<int(const Context&)>& work);

/// The threads of a rank where none are asked for: the ranks of a host share its cores.
[[nodiscard]] int threads_of_rank(const Communicator& ranks);

}  // namespace thalweg::cli
