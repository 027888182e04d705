#pragma once
// Memory of the GPU, and the pinned memory of this host through which bytes go there and come back. None of these
// classes locks: the driver does.

#include <deque>
#include <map>
#include <vector>

#include "cuda/context.hpp"

namespace thalweg::cuda {

/// Blocks that are given out again as soon as they are released: all work is in one order, so what is done with a block
/// next comes after what was done with it before.
class MemoryPool {
 public:
  MemoryPool(const Context& context, const OwnStream& stream) : context_(context), stream_(stream) {}
  ~MemoryPool();
  MemoryPool(const MemoryPool&) = delete;
  MemoryPool& operator=(const MemoryPool&) = delete;

  /// Null where the GPU has not that much, not even without the blocks that wait to be used again.
  [[nodiscard]] std::byte* take(std::size_t bytes);
  void give_back(std::byte* block);

 private:
  [[nodiscard]] std::byte* new_block(std::size_t bytes);
  void return_unused();

  const Context& context_;
  const OwnStream& stream_;
  std::map<std::byte*, std::size_t> sizes_;        // of what is given out
  std::multimap<std::size_t, std::byte*> unused_;  // by size
};

/// Bytes of the host on their way there. They are copied into pieces of pinned memory, which are used in turn: a sender
/// waits only where the GPU is all pieces behind.
class SendingRing {
 public:
  SendingRing(const Context& context, const OwnStream& stream) : context_(context), stream_(stream) {}
  void send(std::byte* there, const std::byte* here, std::size_t bytes);

 private:
  static constexpr std::size_t pieces = 16, piece_bytes = std::size_t{2} << 20;
  struct Piece {
    Pinned memory;
    Event sent;  ///< recorded when the piece is full
  };
  /// The piece after the current one, when what it held is there.
  void turn();

  const Context& context_;
  const OwnStream& stream_;
  std::vector<Piece> ring_;  // pieces are made when the first turn comes to them
  std::size_t current_ = 0, used_ = piece_bytes;
};

/// Two ints on the GPU: what kernels found wrong, and whether a kernel of this host threw.
struct ErrorWords {
  int kernels = 0, host = 0;
};

/// Bytes that were asked for, and the error words as they were then.
struct Reading {
  std::uint64_t number = 0;
  Event done;
  Pinned staging;  ///< the error words, and then the bytes
  std::byte* here = nullptr;
  std::size_t bytes = 0;

  [[nodiscard]] ErrorWords words() const;
  void copy_out() const;
};

/// Bytes on their way here, in their order.
class Readings {
 public:
  Readings(const Context& context, const OwnStream& stream) : context_(context), stream_(stream) {}

  /// Asks for the bytes, and for the error words behind them.
  [[nodiscard]] std::uint64_t ask(std::byte* here, const std::byte* there, std::size_t bytes, CUdeviceptr words);
  /// Those up to a number which nobody has taken.
  [[nodiscard]] std::vector<Reading> take(std::uint64_t number);
  /// Events and pinned memory are used again.
  void give_back(std::vector<Reading> readings);
  [[nodiscard]] std::uint64_t last() const { return last_; }

 private:
  const Context& context_;
  const OwnStream& stream_;
  std::uint64_t last_ = 0;
  std::deque<Reading> asked_;
  std::multimap<std::size_t, Pinned> memory_;  // unused, by size
  std::vector<Event> events_;                  // unused
};

}  // namespace thalweg::cuda
