#pragma once
// How rows are dealt to threads: a short row to a few, several rows a block; a long one to a block.

#include "cuda/texts/text.hpp"

namespace thalweg::cuda::texts {

struct Lanes {
  /// Elements of a thread, but for long rows: enough to read several at once, and few joins between threads.
  static constexpr std::int64_t most_each = 8;
  std::int64_t rows = 0, length = 0;  ///< all but the last axis, and the last
  int lanes = 1;                      ///< threads of a row, a power of two

  Lanes(std::int64_t count, std::int64_t n) : rows(count), length(n) {
    while (lanes < block_threads && most_each * lanes < length) lanes *= 2;
  }
  explicit Lanes(const Shape& shape) : Lanes(rows_of(shape), along(shape, -1)) {}
  [[nodiscard]] int together() const { return block_threads / lanes; }  ///< rows a block
  [[nodiscard]] std::int64_t blocks() const { return parts_of(rows, together()); }

 private:
  static std::int64_t rows_of(const Shape& shape) {
    const std::int64_t n = along(shape, -1);
    return n > 0 ? elements(shape) / n : 0;
  }
};

}  // namespace thalweg::cuda::texts
