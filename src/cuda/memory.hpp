#pragma once
// Memory of the GPU, and the pinned host memory through which bytes are copied in both directions. These classes do not
// lock; the driver does.

#include <deque>
#include <map>
#include <vector>

#include "cuda/context.hpp"

namespace thalweg::cuda {

/// Blocks that may be reused as soon as they are released: all work is in one order, so new work on a block comes after
/// the old work on it.
class MemoryPool {
 public:
  MemoryPool(const Context& context, const OwnStream& stream) : context_(context), stream_(stream) {}
  ~MemoryPool();
  MemoryPool(const MemoryPool&) = delete;
  MemoryPool& operator=(const MemoryPool&) = delete;

  /// Null if the GPU does not have enough memory, even after released blocks were freed.
  [[nodiscard]] std::byte* take(std::size_t bytes);
  void give_back(std::byte* block);

 private:
  [[nodiscard]] std::byte* new_block(std::size_t bytes);
  void return_unused();

  const Context& context_;
  const OwnStream& stream_;
  std::map<std::byte*, std::size_t> sizes_;        // sizes of blocks in use
  std::multimap<std::size_t, std::byte*> unused_;  // by size
};

/// Bytes on their way to the GPU. They are copied into pieces of pinned memory, which are used in turn: a sender waits
/// only if the GPU has not finished any of the pieces.
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
  /// The piece after the current one, when its old content has arrived.
  void turn();

  const Context& context_;
  const OwnStream& stream_;
  std::vector<Piece> ring_;  // each piece is made at its first use
  std::size_t current_ = 0, used_ = piece_bytes;
};

/// Two ints on the GPU: the error that a kernel found, and whether a kernel of this CPU threw.
struct ErrorWords {
  int kernels = 0, host = 0;
};

/// Requested bytes, and the error words at that moment.
struct Reading {
  std::uint64_t number = 0;
  Event done;
  Pinned staging;  ///< the error words, and then the bytes
  std::byte* here = nullptr;
  std::size_t bytes = 0;

  [[nodiscard]] ErrorWords words() const;
  void copy_out() const;
};

/// Bytes on their way to the host, in order.
class Readings {
 public:
  Readings(const Context& context, const OwnStream& stream) : context_(context), stream_(stream) {}

  /// Requests the bytes, and then the error words.
  [[nodiscard]] std::uint64_t ask(std::byte* here, const std::byte* there, std::size_t bytes, CUdeviceptr words);
  /// All reads up to a number that have not been taken yet.
  [[nodiscard]] std::vector<Reading> take(std::uint64_t number);
  /// Returns events and pinned memory for reuse.
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
