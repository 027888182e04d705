#include "distributed/launch.hpp"

#include <dlfcn.h>

#include <cstdlib>

#include "core/beside.hpp"
#include "core/error.hpp"

namespace thalweg {

namespace {

std::optional<int> number_in(const char* variable) {
  const char* text = std::getenv(variable);
  if (!text || !*text) return std::nullopt;
  char* end = nullptr;
  const long number = std::strtol(text, &end, 10);
  if (*end || number < 0 || number > 1'000'000) return std::nullopt;
  return static_cast<int>(number);
}

}  // namespace

std::optional<Launch> launched() {
  // Open MPI, MPICH and its relatives, Slurm
  constexpr std::pair<const char*, const char*> variables[] = {{"OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"},
                                                               {"PMI_RANK", "PMI_SIZE"},
                                                               {"SLURM_PROCID", "SLURM_STEP_NUM_TASKS"}};
  for (const auto& [rank, size] : variables) {
    const auto r = number_in(rank), s = number_in(size);
    if (r && s && *r < *s) return Launch{*r, *s};
  }
  return std::nullopt;
}

std::shared_ptr<Communicator> open_mpi(std::chrono::seconds patience) {
  constexpr const char* name = "libthalweg_mpi.so";
  // RTLD_GLOBAL, because MPI opens its own plugins, which need its symbols
  void* library = open_beside(name, RTLD_NOW | RTLD_GLOBAL, "distributed",
                              "Wanted: the library for several ranks. Hint: it is built where MPI is found (Debian: "
                              "libopenmpi-dev).");
  const auto open = reinterpret_cast<OpenCommunicator>(::dlsym(library, open_communicator_name));
  if (!open) fail<UsageError>("[distributed] {} is of another version", name);
  return std::shared_ptr<Communicator>(open(patience));
}

}  // namespace thalweg
