#pragma once
// Checkpoints: everything that a run needs to continue as if it had not been interrupted. Each is a folder,
// `step-000000123`, which appears atomically, when it is complete.

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

/// The position of a run, besides its state.
struct RunPosition {
  std::int64_t first_step = 0;   ///< the state's step when the run began
  std::int64_t total_steps = 0;  ///< steps of the whole run
  /// A mean over the current epoch, so far.
  struct Running {
    std::string name;
    double sum = 0, weight = 0;
    friend bool operator==(const Running&, const Running&) = default;
  };
  double epoch_loss = 0, epoch_weight = 0;                            ///< sums for the loss in the current epoch
  std::vector<Running> reports = {};                                  ///< other values that are reported
  std::vector<PlateauState> plateaus = std::vector<PlateauState>(1);  ///< one for each objective
  std::optional<double> best_value;                                   ///< value of the early-stopping metric
  std::int64_t best_epoch = 0, best_step = 0;
  std::int64_t measured_step = 0;  ///< of the last measurement of that metric: not every epoch may have one
  std::int64_t epochs_recorded = 0;
};

struct Checkpoint {
  State state;
  std::optional<Tensor> best_parameters;  ///< of the best epoch so far, where there is early stopping
  RunPosition position;
  std::string fingerprint;
  std::optional<Collection> collection = {};  ///< the current collection, if the run makes its own rows
  /// CPU, instruction set, libraries, on which the last digits of results depend
  std::map<std::string, std::string> made_on = {};
};

/// Writes a checkpoint and removes all but the newest `keep`. Throws IoError; earlier checkpoints then remain.
void write_checkpoint(const std::filesystem::path& folder, const Checkpoint& checkpoint, int keep);

// A checkpoint in slices: several processes write one together, each a slice, at the same time. One of them begins it,
// and commits it when all slices are on the disk; until then it has a temporary name, which no reader uses.

using NamedTensor = std::pair<std::string, Tensor>;
struct SlicePlace {
  int number = 0, count = 1;
};
/// Creates an empty folder for the slices, and removes folders that a killed process left behind. Throws IoError.
[[nodiscard]] std::filesystem::path begin_checkpoint(const std::filesystem::path& folder, std::int64_t step);
/// The path of that folder, without touching the disk.
[[nodiscard]] std::filesystem::path checkpoint_under_way(const std::filesystem::path& folder, std::int64_t step);
/// Writes a slice and flushes it to the disk. The parts of a tensor are distributed over the slices in order; a tensor
/// that does not have exactly one axis must be in one slice as a whole. Returns the checksum of the slice.
[[nodiscard]] std::uint32_t write_slice(const std::filesystem::path& temporary, const SlicePlace& place,
                                        std::vector<NamedTensor> tensors);
/// Writes the rest of the checkpoint, which names the tensors of the slices, and gives the folder its final name. Then
/// removes all but the newest `keep`. Throws IoError; earlier checkpoints then remain.
void commit_checkpoint(const std::filesystem::path& folder, const Checkpoint& checkpoint,
                       std::span<const std::uint32_t> checksums, int keep);
void abandon_checkpoint(const std::filesystem::path& folder, std::int64_t step);

/// The newest undamaged checkpoint in the folder. One that is damaged, or that no run can have written, is skipped with
/// a warning. Nothing if there is none. `like` is a state of the same model and optimizer; the checkpoint must have the
/// same parameters and slots, except that slots are not compared if it has another fingerprint. Throws ModelError with
/// the difference if the parameters are those of another model.
[[nodiscard]] std::optional<Checkpoint> newest_checkpoint(const std::filesystem::path& folder, const State& like,
                                                          const std::string& fingerprint,
                                                          std::vector<std::string>& warnings);

/// The step of the newest checkpoint by its name, damaged or not; nothing if there is none.
[[nodiscard]] std::optional<std::int64_t> newest_step(const std::filesystem::path& folder);

/// Every undamaged checkpoint of the folder, the oldest first. Otherwise as above.
[[nodiscard]] std::vector<Checkpoint> all_checkpoints(const std::filesystem::path& folder, const State& like,
                                                      const std::string& fingerprint,
                                                      std::vector<std::string>& warnings);

}  // namespace thalweg
