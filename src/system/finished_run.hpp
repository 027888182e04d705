#pragma once
// Finished runs that other systems start from or are measured by, as their files describe them.

#include <string>
#include <string_view>

#include "data/preprocessing.hpp"
#include "thalweg/options.hpp"

namespace thalweg {

/// A finished run of a model or a system.
struct FinishedRun {
  std::string file;  ///< its model.safetensors
  OptionMap options;
  data::Preprocessing preprocessing;
  std::string checksum;  ///< of its parameters, as hexadecimal digits
};
/// Throws OptionError for `key` where `run` is not the folder of a finished run of this kind: "gpt", "reward".
[[nodiscard]] FinishedRun finished_run(std::string_view key, const std::string& run, std::string_view kind);
/// The same of a run that was there when this one began. Throws DataError where it is not, or no longer has the
/// parameters with this checksum.
[[nodiscard]] FinishedRun finished_run_as_it_was(std::string_view key, const std::string& run, std::string_view kind,
                                                 const std::string& checksum);

}  // namespace thalweg
