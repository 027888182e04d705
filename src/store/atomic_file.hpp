#pragma once
// Writes files atomically: under a temporary name, flushed to the disk, then renamed. A reader never sees a partial
// file.

#include <cstdio>
#include <filesystem>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

namespace thalweg {

/// Writes the pieces one after another. Throws IoError; the previous file then remains unchanged. A link at this path
/// is replaced, not followed: a folder from elsewhere may hold links to any file.
void write_atomically(const std::filesystem::path& path, const std::vector<std::span<const std::byte>>& pieces);
void write_atomically(const std::filesystem::path& path, std::string_view text);
/// Writes a file that the user named: through a link to the file it leads to, and straight into a device or a pipe, for
/// which it throws as open_output does.
void write_output(const std::filesystem::path& path, std::string_view text);
using OutputFile = std::unique_ptr<std::FILE, int (*)(std::FILE*)>;
/// Opens a file that the user named, to write it piece by piece. Throws IoError, also for a pipe that nobody reads:
/// opening it would wait for a reader, and a signal that ends the command would be lost meanwhile.
[[nodiscard]] OutputFile open_output(const std::filesystem::path& path);
/// Flushes the directory entries of a folder to the disk.
void sync_folder(const std::filesystem::path& folder);

}  // namespace thalweg
