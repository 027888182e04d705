#pragma once
// Runs whose files are neither models nor systems.

#include <filesystem>

#include "store/safetensors.hpp"

namespace thalweg {

/// Throws UsageError for the folder of a run that has no command of this name, and names its kind.
[[noreturn]] void refuse_run(const std::filesystem::path& folder);
/// Throws UsageError where these are the tensors of embeddings, a recommender or a classifier of texts: what they have
/// are commands of their own.
void refuse_other_kind(const SafetensorsFile& file, const std::filesystem::path& path);

}  // namespace thalweg
