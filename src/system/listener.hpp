#pragma once
// A trained speech recogniser that listens to what a system says.

#include <functional>
#include <string>

#include "system/finished_run.hpp"
#include "thalweg/sound.hpp"

namespace thalweg {

/// The text of a sound, by the likeliest path of a run of speech_recogniser. Throws ModelError for a damaged one.
using Listener = std::function<std::string(const Sound&)>;
[[nodiscard]] Listener listener(const FinishedRun& recogniser, int threads);

}  // namespace thalweg
