// The IDX files of MNIST and its relatives, plain or gzip.

#include <zlib.h>

#include <algorithm>
#include <array>
#include <bit>
#include <optional>

#include "core/checked.hpp"
#include "data/file.hpp"
#include "data/memory.hpp"
#include "thalweg/data.hpp"

namespace thalweg::data {

namespace {

constexpr std::size_t chunk = 1 << 16;

/// The bytes of a file from its beginning, decompressed where it is gzip.
class Bytes {
 public:
  Bytes(const File& file, bool gzip) : file_(file), gzip_(gzip) {
    if (!gzip_) return;
    constexpr int gzip_only = 16 + MAX_WBITS;
    if (inflateInit2(&stream_, gzip_only) != Z_OK) fail<MemoryError>("[idx] {}: no memory to decompress", file_.name());
  }
  ~Bytes() {
    if (gzip_) inflateEnd(&stream_);
  }
  Bytes(const Bytes&) = delete;
  Bytes& operator=(const Bytes&) = delete;

  /// Fills `into`; fewer bytes than that only at the end.
  std::size_t read(std::span<std::byte> into) {
    std::size_t done = 0;
    while (done < into.size()) {
      const std::size_t got = gzip_ ? inflate_some(into.subspan(done)) : read_some(into.subspan(done));
      if (got == 0) break;
      done += got;
    }
    return done;
  }

 private:
  std::size_t read_some(std::span<std::byte> into) {
    const std::size_t got = file_.read_at(place_, into);
    place_ += got;
    return got;
  }

  std::size_t inflate_some(std::span<std::byte> into) {
    const auto room = static_cast<uInt>(std::min<std::size_t>(into.size(), 1 << 30));
    stream_.next_out = reinterpret_cast<Bytef*>(into.data());
    stream_.avail_out = room;
    while (stream_.avail_out == room) {
      if (stream_.avail_in == 0 && !refill()) {
        if (!between_members_) fail<DataError>("[idx] {}: the gzip file is cut short", file_.name());
        return 0;
      }
      const int status = ::inflate(&stream_, Z_NO_FLUSH);
      between_members_ = status == Z_STREAM_END;
      if (status == Z_STREAM_END) {
        inflateReset(&stream_);  // a gzip file may be several, one after the other
      } else if (status != Z_OK) {
        fail<DataError>("[idx] {}: the gzip file is damaged ({})", file_.name(), stream_.msg ? stream_.msg : "zlib");
      }
    }
    return room - stream_.avail_out;
  }

  bool refill() {
    const std::size_t got = read_some(buffer_);
    stream_.next_in = reinterpret_cast<Bytef*>(buffer_.data());
    stream_.avail_in = static_cast<uInt>(got);
    return got != 0;
  }

  const File& file_;
  bool gzip_;
  bool between_members_ = false;
  std::int64_t place_ = 0;
  z_stream stream_{};
  std::array<std::byte, chunk> buffer_;
};

struct Header {
  Shape shape;
  DType dtype = u8;
  std::int64_t bytes = 0;  // of the header itself
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

/// Two zero bytes, the element type, the number of axes; then each size in four bytes, the highest first.
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

/// How large the file says it is, header and elements.
std::int64_t promised_bytes(const Header& header, const std::string& name) {
  std::int64_t bytes = static_cast<std::int64_t>(size_of(header.dtype));
  for (const std::int64_t size : header.shape) bytes = checked_mul<DataError>(bytes, size, "idx " + name);
  return checked_add<DataError>(bytes, header.bytes, "idx " + name);
}

/// How large the file could be, decompressed: a byte of deflate stands for 1032 bytes at most.
std::int64_t largest_bytes(const File& file, bool gzip) {
  constexpr std::int64_t most = 1032;
  return gzip ? checked_mul<DataError>(file.size(), most, "idx " + file.name()) : file.size();
}

/// How large the file is, decompressed; counting ends one byte past the promise, which is as wrong as a million.
std::int64_t real_bytes(const File& file, bool gzip, std::int64_t promised) {
  if (!gzip) return file.size();
  Bytes bytes(file, gzip);
  std::array<std::byte, chunk> buffer;
  std::int64_t real = 0;
  while (real <= promised) {
    const std::size_t got = bytes.read(buffer);
    real += static_cast<std::int64_t>(got);
    if (got < buffer.size()) break;
  }
  return real;
}

/// IDX stores the highest byte first; this machine has it last.
void to_native_order(Tensor& tensor) {
  static_assert(std::endian::native == std::endian::little);
  const std::size_t width = size_of(tensor.dtype());
  if (width == 1) return;
  std::byte* const begin = tensor.mutable_raw();
  for (std::size_t at = 0; at < tensor.bytes(); at += width) std::reverse(begin + at, begin + at + width);
}

bool starts_as_gzip(const File& file) {
  std::array<std::byte, 2> magic{};
  return file.read_at(0, magic) == magic.size() && magic[0] == std::byte{0x1f} && magic[1] == std::byte{0x8b};
}

}  // namespace

Tensor idx(const Path& path) {
  const File file(path.string());
  if (file.size() < 0) fail<UsageError>("[idx] '{}' is not a plain file. Hint: it is read twice.", file.name());
  const bool gzip = starts_as_gzip(file);
  Bytes bytes(file, gzip);
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
  // The whole file is looked at before memory is asked for, so that a false header costs time alone.
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
