#pragma once
// Reads a file sequentially and decompresses it if it is gzip.

#include <memory>

#include "data/file.hpp"

namespace thalweg::data {

/// Reads a plain file from its beginning. Throws DataError for gzip that is damaged or cut short.
class Bytes {
 public:
  /// `reader` is the prefix of error messages: "idx". The file must outlive this object.
  Bytes(const File& file, std::string reader);
  ~Bytes();

  /// Whether the file is compressed.
  [[nodiscard]] bool gzip() const { return inflater_ != nullptr; }
  /// Fills `into`; fewer bytes than that only at the end.
  std::size_t read(std::span<std::byte> into);

 private:
  struct Inflater;
  std::size_t read_some(std::span<std::byte> into);
  std::size_t inflate_some(std::span<std::byte> into);
  bool refill();

  const File& file_;
  std::string reader_;
  std::int64_t place_ = 0;
  std::unique_ptr<Inflater> inflater_;
};

}  // namespace thalweg::data
