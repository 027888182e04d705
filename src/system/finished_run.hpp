#pragma once
// Opens finished runs, for systems that start from them or are measured with them.

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
  std::string checksum;  ///< checksum of its parameters, in hexadecimal digits
};
/// Throws OptionError for `key` if `run` is not the folder of a finished run of this kind ("gpt", "reward").
[[nodiscard]] FinishedRun finished_run(std::string_view key, const std::string& run, std::string_view kind);
/// The same for a run that was checked when this run began. Throws DataError if it is gone, or if its parameters no
/// longer have this checksum.
[[nodiscard]] FinishedRun finished_run_as_it_was(std::string_view key, const std::string& run, std::string_view kind,
                                                 const std::string& checksum);

}  // namespace thalweg
