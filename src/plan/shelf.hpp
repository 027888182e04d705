#pragma once
// Packing of buffers into one arena: each at the lowest offset that is free while it lives.

#include <cstdint>
#include <vector>

namespace thalweg {

/// A buffer and the instructions from which and up to which it is alive.
struct Buffer {
  std::int64_t bytes = 0;
  int first = 0, last = 0;
  std::int64_t offset = 0;

  [[nodiscard]] std::int64_t end() const { return offset + bytes; }
  [[nodiscard]] bool lives_with(const Buffer& other) const { return first <= other.last && other.first <= last; }
};

/// The buffers placed so far, in the order of their offsets. They are kept in blocks, so that a block is passed in one
/// step where all or none of its buffers are in the way.
class Shelf {
 public:
  /// Chooses the offset of a buffer and stores the buffer.
  void place(Buffer& buffer);
  /// The end of the last buffer.
  [[nodiscard]] std::int64_t end() const { return end_; }

 private:
  static constexpr std::size_t most_in_block = 256;
  /// After this many buffers were examined one by one, a buffer is placed after all others.
  static constexpr int most_looks = 1 << 14;

  struct Block {
    std::vector<Buffer> buffers;
    std::int64_t begin = 0, end = 0;  // from the first byte of any to the last
    std::int64_t widest_gap = 0;      // bytes between them that none of them covers
    int first = 0,
        last = 0;  // from when any of them lives to when none does any more
    int latest_first = 0, earliest_last = 0;

    void summarise();
    void add_to_summary(const Buffer& b);
    [[nodiscard]] bool is_apart_from(const Buffer& buffer) const;
    [[nodiscard]] bool is_full_for(const Buffer& buffer) const;
  };

  void find_offset(Buffer& buffer) const;
  void keep(const Buffer& buffer);

  std::vector<Block> blocks_;
  std::int64_t end_ = 0;
};

}  // namespace thalweg
