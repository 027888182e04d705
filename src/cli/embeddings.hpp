#pragma once
// Embeddings of words in the commands.

#include "cli/looped.hpp"
#include "run/embeddings.hpp"

namespace thalweg::cli {

/// The words and vectors of a run that trained embeddings. Throws UsageError for another folder, ModelError if there is
/// no model yet.
[[nodiscard]] WordSpace trained_words(const std::filesystem::path& folder, const Registry& registry);

}  // namespace thalweg::cli
