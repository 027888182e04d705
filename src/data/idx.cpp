// Reads IDX files, the format of MNIST and similar data sets, plain or gzip.

#include <algorithm>
#include <array>
#include <bit>
#include <optional>

#include "core/checked.hpp"
#include "data/bytes.hpp"
#include "data/memory.hpp"
#include "thalweg/data.hpp"

namespace thalweg::data {

namespace {

constexpr std::size_t chunk = 1 << 16;

struct Header {
  Shape shape;
  DType dtype = u8;
  std::int64_t bytes = 0;  // size of the header itself
};

std::optional<DType> element_type(std::byte code) {
  switch (std::to_integer<int>(code)) {
    case 0x08: return u8;
    case 0x0c: return i32;
    case 0x0d: return f32;
    case 0x0e: return f64;
    default: return std::nullopt;
  }
}

/// Two zero bytes, the element type, the number of axes; then each size as four bytes, big-endian.
Header read_header(Bytes& bytes, const std::string& name) {
  std::array<std::byte, 4> word;
  const auto next_word = [&] {
    if (bytes.read(word) != word.size()) fail<DataError>("[idx] {}: the file ends inside its header", name);
  };
  next_word();
  const int axes = std::to_integer<int>(word[3]);
  if (word[0] != std::byte{0} || word[1] != std::byte{0} || axes < 1 || axes > Shape::max_rank) {
    fail<DataError>("[idx] {}: the file starts with {:02x} {:02x} {:02x} {:02x}. Wanted: 00 00, a type, 1 to {} axes",
                    name, word[0], word[1], word[2], word[3], Shape::max_rank);
  }
  const auto dtype = element_type(word[2]);
  if (!dtype) {
    fail<DataError>("[idx] {}: element type {:#04x}. Wanted: 0x08 (u8), 0x0c (i32), 0x0d (f32) or 0x0e (f64)", name,
                    std::to_integer<int>(word[2]));
  }
  Header header;
  header.dtype = *dtype;
  header.bytes = 4 + 4 * axes;
  for (int axis = 0; axis < axes; ++axis) {
    next_word();
    std::int64_t size = 0;
    for (const std::byte b : word) size = size << 8 | std::to_integer<std::int64_t>(b);
    header.shape.push_back(size);
  }
  return header;
}

/// The size of the file according to its header, header included.
std::int64_t promised_bytes(const Header& header, const std::string& name) {
  std::int64_t bytes = static_cast<std::int64_t>(size_of(header.dtype));
  for (const std::int64_t size : header.shape) bytes = checked_mul<DataError>(bytes, size, "idx " + name);
  return checked_add<DataError>(bytes, header.bytes, "idx " + name);
}

/// The largest possible size of the file, decompressed: a byte of deflate gives at most 1032 bytes.
std::int64_t largest_bytes(const File& file, bool gzip) {
  constexpr std::int64_t most = 1032;
  return gzip ? checked_mul<DataError>(file.size(), most, "idx " + file.name()) : file.size();
}

/// The size of the file, decompressed; counting stops one byte after the size in the header, which is already an error.
std::int64_t real_bytes(const File& file, bool gzip, std::int64_t promised) {
  if (!gzip) return file.size();
  Bytes bytes(file, "idx");
  std::array<std::byte, chunk> buffer;
  std::int64_t real = 0;
  while (real <= promised) {
    const std::size_t got = bytes.read(buffer);
    real += static_cast<std::int64_t>(got);
    if (got < buffer.size()) break;
  }
  return real;
}

/// IDX is big-endian, this machine little-endian.
void to_native_order(Tensor& tensor) {
  static_assert(std::endian::native == std::endian::little);
  const std::size_t width = size_of(tensor.dtype());
  if (width == 1) return;
  std::byte* const begin = tensor.mutable_raw();
  for (std::size_t at = 0; at < tensor.bytes(); at += width) std::reverse(begin + at, begin + at + width);
}

}  // namespace

Tensor idx(const Path& path) {
  const File file(path.string());
  if (file.size() < 0) fail<UsageError>("[idx] '{}' is not a plain file. Hint: it is read twice.", file.name());
  Bytes bytes(file, "idx");
  const bool gzip = bytes.gzip();
  const Header header = read_header(bytes, file.name());
  const std::int64_t promised = promised_bytes(header, file.name());
  if (promised > largest_bytes(file, gzip)) {
    fail<DataError>("[idx] {}: {} of shape {} take {} bytes, and the file holds at most {}. Hint: it is cut short.",
                    file.name(), header.dtype, header.shape, promised, largest_bytes(file, gzip));
  }
  if (promised > memory_budget()) {
    fail<MemoryError>("[idx] {}: {} of shape {} take {} MB, and {} MB are allowed", file.name(), header.dtype,
                      header.shape, promised >> 20, memory_budget() >> 20);
  }
  // The whole file is read before memory is allocated, so that a false header costs only time.
  const std::int64_t real = real_bytes(file, gzip, promised);
  if (real != promised) {
    fail<DataError>("[idx] {}: {} of shape {} take {} bytes, and the file holds {}{}. Hint: {}.", file.name(),
                    header.dtype, header.shape, promised, gzip && real > promised ? "at least " : "", real,
                    real < promised ? "it is cut short" : "something else follows");
  }
  Tensor result(header.shape, header.dtype);
  if (bytes.read({result.mutable_raw(), result.bytes()}) != result.bytes()) {
    fail<DataError>("[idx] {}: the file changed while it was read", file.name());
  }
  to_native_order(result);
  return result;
}

}  // namespace thalweg::data
