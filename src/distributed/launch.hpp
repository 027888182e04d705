#pragma once
// Who started this process, and the communicator that comes with it.

#include <memory>
#include <optional>

#include "distributed/communicator.hpp"

namespace thalweg {

/// What a launcher (mpirun, srun) tells a process it starts.
struct Launch {
  int rank = 0, size = 1;
};
/// By the environment; nothing where no launcher started this process.
[[nodiscard]] std::optional<Launch> launched();

/// Opens `libthalweg_mpi.so`, which lies beside the library. `patience` is how long a rank may be silent before the
/// others give it up. Throws UsageError where it is not there or its MPI does not start.
[[nodiscard]] std::shared_ptr<Communicator> open_mpi(std::chrono::seconds patience);

/// What that library exports, under this name.
using OpenCommunicator = Communicator* (*)(std::chrono::seconds patience);
inline constexpr const char* open_communicator_name = "thalweg_open_communicator";

}  // namespace thalweg
