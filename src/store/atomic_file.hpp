#pragma once
// Files that are there whole or not at all: written under a temporary name, flushed to the disk, and renamed.

#include <filesystem>
#include <span>
#include <string_view>
#include <vector>

namespace thalweg {

/// Writes the pieces one after another. Throws IoError; what was there before stays then.
void write_atomically(const std::filesystem::path& path, const std::vector<std::span<const std::byte>>& pieces);
void write_atomically(const std::filesystem::path& path, std::string_view text);
/// Flushes a folder's list of names.
void sync_folder(const std::filesystem::path& folder);

}  // namespace thalweg
