#include "store/checksum.hpp"

#include <fmt/format.h>
#include <zlib.h>

#include <map>
#include <string>

#include "core/error.hpp"

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

std::uint32_t header_checksum_of(const SafetensorsFile& file) {
  std::uint32_t sum = 0;
  const auto add = [&](const std::string& text) {
    sum = checksum(std::as_bytes(std::span(text.c_str(), text.size() + 1)), sum);  // its end counts, too
  };
  for (const auto& [key, value] : file.metadata) add(key), add(value);
  std::map<std::string, const Tensor*> tensors;  // by name: empty ones have no order in a file
  for (const auto& [name, tensor] : file.tensors) tensors[name] = &tensor;
  for (const auto& [name, tensor] : tensors) {
    add(name);
    add(fmt::format("{} {}", tensor->dtype(), tensor->shape()));
  }
  return sum;
}

}  // namespace thalweg
