#include "distributed/launch.hpp"

#include <dlfcn.h>

#include <cstdlib>
#include <filesystem>
#include <string>

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

/// The folder of the file that this code is in: the library, or a program that has it inside.
std::filesystem::path own_folder() {
  Dl_info info{};
  if (::dladdr(reinterpret_cast<const void*>(&launched), &info) == 0 || !info.dli_fname) return {};
  return std::filesystem::path(info.dli_fname).parent_path();
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
  std::string problem;
  for (const std::filesystem::path& place : {own_folder() / name, std::filesystem::path(name)}) {
    void* library = ::dlopen(place.c_str(), RTLD_NOW | RTLD_GLOBAL);  // MPI opens parts of its own, which look in it
    if (!library) {
      if (problem.empty()) problem = ::dlerror();
      continue;
    }
    const auto open = reinterpret_cast<OpenCommunicator>(::dlsym(library, open_communicator_name));
    if (!open) fail<UsageError>("[distributed] {} is of another version", place.string());
    return std::shared_ptr<Communicator>(open(patience));
  }
  fail<UsageError>(
      "[distributed] {}. Wanted: the library for several ranks. Hint: it is built where MPI is found (Debian: "
      "libopenmpi-dev).",
      problem);
}

}  // namespace thalweg
