#include "train/write_by_ranks.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <chrono>
#include <fstream>

#include "core/error.hpp"
#include "core/hint.hpp"
#include "distributed/collectives.hpp"
#include "distributed/shares.hpp"
#include "store/atomic_file.hpp"

namespace thalweg {

namespace {

namespace fs = std::filesystem;

constexpr const char* token_file = "token";

/// Different in every checkpoint of every run, so that a rank can tell the folder that rank 0 made from one with the
/// same name on another host's disk.
std::string new_token() {
  return fmt::format("{} {}", ::getpid(), std::chrono::system_clock::now().time_since_epoch().count());
}

bool sees(const fs::path& temporary, const std::string& token) {
  std::ifstream file(temporary / token_file);
  std::string found;
  return std::getline(file, found) && found == token;
}

/// The outcome of writing a rank's slice.
struct Written {
  std::uint64_t checksum = 0;
  std::array<char, 1016> problem{};  ///< empty on success
};
using WrittenWords = std::array<std::uint64_t, sizeof(Written) / sizeof(std::uint64_t)>;

/// Runs f and returns the message of its error; empty on success.
template <class F>
std::string problem_of(const F& f) {
  try {
    f();
  } catch (const IoError& error) {
    return error.what();
  }
  return {};
}

class SlicedCheckpoint {
 public:
  SlicedCheckpoint(Communicator& ranks, const Objectives& objectives, const fs::path& folder, const Checkpoint& own)
      : ranks_(ranks), objectives_(objectives), folder_(folder), own_(own) {}

  /// Returns false if a rank does not see the folder; nothing is written then.
  bool write(int keep) {
    const fs::path temporary = checkpoint_under_way(folder_, own_.state.step);
    try {
      if (!begin(temporary)) {
        abandon();
        return false;
      }
      const std::vector<std::uint32_t> checksums = all_written(write_own(temporary));
      by_first([&] {
        std::error_code gone;  // a file that remains is no part of the checkpoint
        fs::remove(temporary / token_file, gone);
        commit_checkpoint(folder_, own_, checksums, keep);
      });
    } catch (...) {
      abandon();
      throw;
    }
    return true;
  }

 private:
  void abandon() {
    if (ranks_.rank() == 0) abandon_checkpoint(folder_, own_.state.step);
  }

  /// Runs f on rank 0. Throws IoError on every rank if it fails.
  template <class F>
  void by_first(const F& f) {
    std::string problem;
    if (ranks_.rank() == 0) problem = problem_of(f);
    problem = from_first(ranks_, std::move(problem));
    if (!problem.empty()) fail<IoError>("{}", problem);
  }

  bool begin(const fs::path& temporary) {
    std::string token;
    by_first([&] {
      token = new_token();
      write_atomically(begin_checkpoint(folder_, own_.state.step) / token_file, token + "\n");
    });
    token = from_first(ranks_, std::move(token));
    return !any_rank(ranks_, !sees(temporary, token));
  }

  [[nodiscard]] Tensor slice(const Tensor& block) const {
    const Share mine = slice_of(ranks_.rank(), ranks_.size(), block.size());
    return block.rows(mine.first, mine.last);
  }

  Written write_own(const fs::path& temporary) const {
    std::vector<NamedTensor> tensors = objectives_.slots_to_write(ranks_, own_.state);
    tensors.emplace(tensors.begin(), "parameters", slice(own_.state.parameters));
    if (own_.best_parameters) tensors.emplace_back("best_parameters", slice(*own_.best_parameters));
    Written written;
    const std::string problem = problem_of([&] {
      written.checksum = write_slice(temporary, {ranks_.rank(), ranks_.size()}, std::move(tensors));
    });
    std::ranges::copy(std::string_view(problem).substr(0, written.problem.size() - 1), written.problem.begin());
    return written;
  }

  /// The checksums of all slices. Throws IoError on every rank if a slice could not be written.
  std::vector<std::uint32_t> all_written(const Written& own) {
    const std::vector<std::uint64_t> all = gather(ranks_, std::bit_cast<WrittenWords>(own));
    std::vector<std::uint32_t> checksums;
    for (int rank = 0; rank < ranks_.size(); ++rank) {
      WrittenWords words;
      std::copy_n(all.begin() + rank * std::ssize(words), words.size(), words.begin());
      const auto written = std::bit_cast<Written>(words);
      if (written.problem[0] != 0)
        fail<IoError>("{}", with_note(written.problem.data(), fmt::format("rank {} on {}", rank, ranks_.host(rank))));
      checksums.push_back(static_cast<std::uint32_t>(written.checksum));
    }
    return checksums;
  }

  Communicator& ranks_;
  const Objectives& objectives_;
  const fs::path& folder_;
  const Checkpoint& own_;
};

}  // namespace

void write_by_ranks(Communicator* ranks, const Objectives& objectives, const fs::path& folder, const Checkpoint& own,
                    int keep) {
  if (!ranks) return write_checkpoint(folder, own, keep);
  if (objectives.shares_slots() && SlicedCheckpoint(*ranks, objectives, folder, own).write(keep)) return;
  Checkpoint whole = own;
  whole.state = objectives.whole(*ranks, own.state, false);
  std::string problem;
  if (ranks->rank() == 0) problem = problem_of([&] { write_checkpoint(folder, whole, keep); });
  problem = from_first(*ranks, std::move(problem));
  if (!problem.empty()) fail<IoError>("{}", problem);
}

}  // namespace thalweg
