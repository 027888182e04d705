#pragma once
// Checkpoints: all that a run needs to go on as if nothing had happened. A folder each, `step-000000123`, that appears
// whole or not at all.

#include <filesystem>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "thalweg/schedule.hpp"
#include "thalweg/state.hpp"
#include "thalweg/train.hpp"

namespace thalweg {

/// Where a run stands besides its state.
struct RunPosition {
  std::int64_t first_step = 0;   ///< the state's step when the run began
  std::int64_t total_steps = 0;  ///< of the run
  /// A mean over the epoch under way, so far.
  struct Running {
    std::string name;
    double sum = 0, weight = 0;
    friend bool operator==(const Running&, const Running&) = default;
  };
  double epoch_loss = 0, epoch_weight = 0;                            ///< the loss so far in the epoch under way
  std::vector<Running> reports = {};                                  ///< what is reported besides
  std::vector<PlateauState> plateaus = std::vector<PlateauState>(1);  ///< of each objective
  std::optional<double> best_value;                                   ///< of the early-stopping metric
  std::int64_t best_epoch = 0, best_step = 0;
  std::int64_t epochs_recorded = 0;
};

struct Checkpoint {
  State state;
  std::optional<Tensor> best_parameters;
  RunPosition position;
  std::string fingerprint;
  std::optional<Collection> collection = {};        ///< that the run is in, where it makes its rows itself
  std::map<std::string, std::string> made_on = {};  ///< CPU, instruction set, libraries: the last digits go by them
};

/// Writes a checkpoint and removes all but the newest `keep`. Throws IoError; those before stay then.
void write_checkpoint(const std::filesystem::path& folder, const Checkpoint& checkpoint, int keep);

// A checkpoint in slices: several processes write one together, each a slice, at the same time. One of them begins it,
// and commits it when all slices are on the disk; until then it has another name, which nobody reads.

using NamedTensor = std::pair<std::string, Tensor>;
struct SlicePlace {
  int number = 0, count = 1;
};
/// Makes an empty folder for the slices, and removes what a killed process left of another. Throws IoError.
[[nodiscard]] std::filesystem::path begin_checkpoint(const std::filesystem::path& folder, std::int64_t step);
/// The same folder, by its name alone.
[[nodiscard]] std::filesystem::path checkpoint_under_way(const std::filesystem::path& folder, std::int64_t step);
/// Writes a slice and flushes it to the disk. A tensor is the parts that slices have of it, one after another in the
/// order of the slices; one that is no row of numbers is whole in one slice. Gives the checksum of the slice.
[[nodiscard]] std::uint32_t write_slice(const std::filesystem::path& temporary, const SlicePlace& place,
                                        std::vector<NamedTensor> tensors);
/// Writes the rest of the checkpoint, which names the tensors of the slices, and gives the folder its final name. Then
/// removes all but the newest `keep`. Throws IoError; those before stay then.
void commit_checkpoint(const std::filesystem::path& folder, const Checkpoint& checkpoint,
                       std::span<const std::uint32_t> checksums, int keep);
void abandon_checkpoint(const std::filesystem::path& folder, std::int64_t step);

/// The newest checkpoint that is whole, found by looking at what is there. One that is damaged, or that no run can have
/// written, is passed over with a warning. Nothing where there is none. `like` is a state of the same model and
/// optimizer, whose parameters and slots it must have; those of a checkpoint with another fingerprint are not compared.
/// Throws ModelError with the difference where the parameters are another model's.
[[nodiscard]] std::optional<Checkpoint> newest_checkpoint(const std::filesystem::path& folder, const State& like,
                                                          const std::string& fingerprint,
                                                          std::vector<std::string>& warnings);

/// The step of the newest checkpoint by its name, whole or not; nothing where there is none.
[[nodiscard]] std::optional<std::int64_t> newest_step(const std::filesystem::path& folder);

/// Every checkpoint of the folder that is whole, the oldest first. Otherwise as above.
[[nodiscard]] std::vector<Checkpoint> all_checkpoints(const std::filesystem::path& folder, const State& like,
                                                      const std::string& fingerprint,
                                                      std::vector<std::string>& warnings);

}  // namespace thalweg
