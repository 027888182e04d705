#pragma once
// A trained speech recogniser that transcribes the sounds of a system.

#include <functional>
#include <string>

#include "system/finished_run.hpp"
#include "thalweg/sound.hpp"

namespace thalweg {

/// The text of a sound, by the likeliest path of a run of speech_recogniser. Throws ModelError if that run's model is
/// damaged.
using Listener = std::function<std::string(const Sound&)>;
[[nodiscard]] Listener listener(const FinishedRun& recogniser, int threads);

}  // namespace thalweg
