#pragma once
// Detects a launcher of several ranks, and opens the communicator for them.

#include <memory>
#include <optional>

#include "distributed/communicator.hpp"

namespace thalweg {

/// The information that a launcher (mpirun, srun) gives a process.
struct Launch {
  int rank = 0, size = 1;
};
/// Read from the environment; nothing if no launcher started this process.
[[nodiscard]] std::optional<Launch> launched();

/// Opens `libthalweg_mpi.so`, which is installed beside this library. `patience` is how long a rank may be silent
/// before the others treat it as gone. Throws UsageError if the library does not exist or its MPI does not start.
[[nodiscard]] std::shared_ptr<Communicator> open_mpi(std::chrono::seconds patience);

/// The function that this library exports with that name.
using OpenCommunicator = Communicator* (*)(std::chrono::seconds patience);
inline constexpr const char* open_communicator_name = "thalweg_open_communicator";

}  // namespace thalweg
