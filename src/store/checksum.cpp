#include "store/checksum.hpp"

#include <zlib.h>

namespace thalweg {

std::uint32_t checksum(std::span<const std::byte> bytes, std::uint32_t start) {
  return static_cast<std::uint32_t>(
      ::crc32_z(start, reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size()));
}

std::uint32_t checksum_of(const SafetensorsFile& file) {
  std::uint32_t sum = 0;
  for (const auto& [name, tensor] : file.tensors) sum = checksum({tensor.raw(), tensor.bytes()}, sum);
  return sum;
}

}  // namespace thalweg
