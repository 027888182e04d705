#include "data/bytes.hpp"

#include <zlib.h>

#include <algorithm>
#include <array>

#include "core/error.hpp"

namespace thalweg::data {

struct Bytes::Inflater {
  z_stream stream{};
  bool between_members = false;
  std::array<std::byte, 1 << 16> buffer;

  ~Inflater() { inflateEnd(&stream); }
};

Bytes::Bytes(const File& file, std::string reader) : file_(file), reader_(std::move(reader)) {
  std::array<std::byte, 2> magic{};
  const bool gzip = file.size() >= 0 && file.read_at(0, magic) == magic.size() && magic[0] == std::byte{0x1f} &&
                    magic[1] == std::byte{0x8b};
  if (!gzip) return;
  constexpr int gzip_only = 16 + MAX_WBITS;
  inflater_ = std::make_unique<Inflater>();
  if (inflateInit2(&inflater_->stream, gzip_only) != Z_OK)
    fail<MemoryError>("[{}] {}: no memory to decompress", reader_, file_.name());
}

Bytes::~Bytes() = default;

std::size_t Bytes::read(std::span<std::byte> into) {
  std::size_t done = 0;
  while (done < into.size()) {
    const std::size_t got = gzip() ? inflate_some(into.subspan(done)) : read_some(into.subspan(done));
    if (got == 0) break;
    done += got;
  }
  return done;
}

std::size_t Bytes::read_some(std::span<std::byte> into) {
  const std::size_t got = file_.read_at(place_, into);
  place_ += static_cast<std::int64_t>(got);
  return got;
}

std::size_t Bytes::inflate_some(std::span<std::byte> into) {
  z_stream& stream = inflater_->stream;
  const auto room = static_cast<uInt>(std::min<std::size_t>(into.size(), 1 << 30));
  stream.next_out = reinterpret_cast<Bytef*>(into.data());
  stream.avail_out = room;
  while (stream.avail_out == room) {
    if (stream.avail_in == 0 && !refill()) {
      if (!inflater_->between_members) fail<DataError>("[{}] {}: the gzip file is cut short", reader_, file_.name());
      return 0;
    }
    const int status = ::inflate(&stream, Z_NO_FLUSH);
    inflater_->between_members = status == Z_STREAM_END;
    if (status == Z_STREAM_END) {
      inflateReset(&stream);  // a gzip file may be several, one after the other
    } else if (status != Z_OK) {
      fail<DataError>("[{}] {}: the gzip file is damaged ({})", reader_, file_.name(),
                      stream.msg ? stream.msg : "zlib");
    }
  }
  return room - stream.avail_out;
}

bool Bytes::refill() {
  const std::size_t got = read_some(inflater_->buffer);
  inflater_->stream.next_in = reinterpret_cast<Bytef*>(inflater_->buffer.data());
  inflater_->stream.avail_in = static_cast<uInt>(got);
  return got != 0;
}

}  // namespace thalweg::data
