#pragma once
// A number by which the tensors of two files are told apart.

#include <cstdint>
#include <span>

#include "store/safetensors.hpp"

namespace thalweg {

/// CRC-32, going on from `start`.
[[nodiscard]] std::uint32_t checksum(std::span<const std::byte> bytes, std::uint32_t start = 0);
/// Of the bytes of all tensors, in their order; names and metadata do not count.
[[nodiscard]] std::uint32_t checksum_of(const SafetensorsFile& file);

}  // namespace thalweg
