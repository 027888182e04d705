#pragma once
// Compresses a text with gzip.

#include <gtest/gtest.h>
#include <zlib.h>

#include <string>

namespace thalweg::test {

inline std::string gzip(const std::string& content) {
  z_stream stream{};
  constexpr int gzip_header = 16;
  EXPECT_EQ(deflateInit2(&stream, 9, Z_DEFLATED, gzip_header + MAX_WBITS, 8, Z_DEFAULT_STRATEGY), Z_OK);
  std::string out(deflateBound(&stream, content.size()) + 64, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(content.data()));
  stream.avail_in = static_cast<uInt>(content.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

}  // namespace thalweg::test
