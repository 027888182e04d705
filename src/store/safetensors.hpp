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
  /// Throws ModelError where there is none of that name.
  [[nodiscard]] const Tensor& tensor(const std::string& name) const;
};

/// Writes the file whole or not at all, with a checksum of the numbers among its metadata. Throws IoError.
void write_safetensors(const std::filesystem::path& path, const SafetensorsFile& file);
/// Reads a file that may be damaged or hostile: every size is checked against the file's before anything is allocated.
/// Throws UsageError when there is no such file, ModelError when it is anything but one whole safetensors file,
/// and where it has a checksum and other numbers.
[[nodiscard]] SafetensorsFile read_safetensors(const std::filesystem::path& path);
/// Of parameters that are going to be used: throws ModelError for the first number that is not finite.
void expect_finite(const SafetensorsFile& file, const std::string& name);

}  // namespace thalweg
