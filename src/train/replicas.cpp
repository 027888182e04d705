#include "train/replicas.hpp"

#include <zlib.h>

#include <array>

#include "distributed/collectives.hpp"

namespace thalweg {

namespace {

std::uint64_t checksum(const Tensor& values, std::uint64_t start) {
  return ::crc32_z(start, reinterpret_cast<const unsigned char*>(values.raw()), values.bytes());
}

}  // namespace

void compare_replicas(Communicator& ranks, const State& state, bool with_slots) {
  std::uint64_t sum = checksum(state.parameters, 0);
  for (const auto& [name, values] : state.slots) {
    if (with_slots) sum = checksum(values, sum);
  }
  const std::array own = {static_cast<std::uint64_t>(state.step), sum};
  const std::vector<std::uint64_t> all = gather(ranks, own);
  for (int rank = 1; rank < ranks.size(); ++rank) {
    const std::size_t at = own.size() * static_cast<std::size_t>(rank);
    if (all[at] != all[0]) {
      throw DistributedError(fmt::format(
          "[distributed] rank {} on {} is at step {}, rank 0 at step {}. Wanted: a run folder that all ranks see.",
          rank, ranks.host(rank), all[at], all[0]));
    }
    if (all[at + 1] == all[1]) continue;
    throw DistributedError(fmt::format(
        "[distributed] at step {} the parameters or slots of rank {} on {} are not those of rank 0 on {}. Wanted: the "
        "same bits, by the same library, data and kind of processor. Hint: --resume goes on from the last checkpoint.",
        state.step, rank, ranks.host(rank), ranks.host(0)));
  }
}

}  // namespace thalweg
