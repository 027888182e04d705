#pragma once
// The safetensors format: a JSON header that names tensors, then their bytes.

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "thalweg/tensor.hpp"

namespace thalweg {

struct SafetensorsFile {
  std::vector<std::pair<std::string, Tensor>> tensors;
  std::map<std::string, std::string> metadata;
  /// Throws ModelError if there is no tensor with this name.
  [[nodiscard]] const Tensor& tensor(const std::string& name) const;
};

/// Writes the file atomically, with checksums of the numbers and of the header in its metadata. Throws IoError.
void write_safetensors(const std::filesystem::path& path, const SafetensorsFile& file);
/// Reads a file that may be damaged or malicious: every size is checked against the file's before memory is allocated.
/// Throws UsageError if the file does not exist, ModelError unless it is a complete safetensors file, and if a
/// checksum does not match.
[[nodiscard]] SafetensorsFile read_safetensors(const std::filesystem::path& path);
/// Checks parameters before use: throws ModelError for the first number that is not finite.
void expect_finite(const SafetensorsFile& file, const std::string& name);

}  // namespace thalweg
