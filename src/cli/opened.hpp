#pragma once
// A run folder as a session again: its configuration, its data, and the parameters that it has got to.

#include <filesystem>

#include "cli/session.hpp"
#include "run/run.hpp"

namespace thalweg::cli {

struct Opened {
  std::string name;
  Config config;
  Session session;
  bool finished = false;
  std::int64_t total_steps = 0;  ///< of the run as it was asked for; 0 where no checkpoint says
};

/// Of a finished run the model; of one that was stopped what its newest checkpoint would be evaluated with: the best
/// parameters so far, where it keeps them. Throws UsageError for anything but a run folder and for a run without a
/// checkpoint, DataError where its data has changed since.
[[nodiscard]] Opened open_run(const std::filesystem::path& folder, const Context& context);

}  // namespace thalweg::cli
