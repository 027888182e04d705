#pragma once
// Errors for runs whose files are neither models nor systems.

#include <filesystem>

#include "store/safetensors.hpp"

namespace thalweg {

/// Throws UsageError, with the kind of the run, for a run folder for which this command does not exist.
[[noreturn]] void refuse_run(const std::filesystem::path& folder);
/// Throws UsageError if the tensors belong to embeddings, a recommender or a classifier of texts, which have their own
/// commands.
void refuse_other_kind(const SafetensorsFile& file, const std::filesystem::path& path);

}  // namespace thalweg
