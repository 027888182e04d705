#pragma once
// Checksums of tensors and bytes.

#include <cstdint>
#include <span>

#include "store/safetensors.hpp"

namespace thalweg {

/// CRC-32, continued from `start`.
[[nodiscard]] std::uint32_t checksum(std::span<const std::byte> bytes, std::uint32_t start = 0);
/// The checksum over the bytes of all tensors, in their order; names and metadata do not count.
[[nodiscard]] std::uint32_t checksum_of(const SafetensorsFile& file);
/// The checksum over what these bytes mean: names, types and shapes of the tensors, and the metadata.
[[nodiscard]] std::uint32_t header_checksum_of(const SafetensorsFile& file);

}  // namespace thalweg
