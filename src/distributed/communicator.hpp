#pragma once
// How the ranks of a run talk: messages between pairs of them. Everything above is made of it, and MPI is one file.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "core/error.hpp"

namespace thalweg {

/// A rank died, or answers no more. Exit code 8.
class DistributedError : public Error {
 public:
  explicit DistributedError(const std::string& message) : Error(ErrorKind{8}, message) {}
};

/// Bytes for a rank, or from it.
struct Message {
  int peer = 0;
  std::byte* data = nullptr;
  std::size_t bytes = 0;
};

/// The ranks of a run. Every call throws DistributedError, naming rank and host, where another rank is gone.
class Communicator {
 public:
  using Ticket = std::uint64_t;

  virtual ~Communicator() = default;
  [[nodiscard]] virtual int rank() const = 0;
  [[nodiscard]] virtual int size() const = 0;
  [[nodiscard]] virtual const std::string& host(int rank) const = 0;
  /// How many ranks share this rank's host.
  [[nodiscard]] virtual int ranks_on_host() const = 0;

  /// Begins to send and to receive, and returns at once; the memory is the communicator's until wait(ticket). Between
  /// each pair of ranks messages of one channel arrive in the order in which they were sent. Empty ones are not sent.
  [[nodiscard]] virtual Ticket start(std::span<const Message> sent, std::span<const Message> received,
                                     int channel = 0) = 0;
  virtual void wait(Ticket ticket) = 0;
  void exchange(std::span<const Message> sent, std::span<const Message> received, int channel = 0) {
    wait(start(sent, received, channel));
  }

  /// Ends in order, on every rank; returns on the others only when rank 0 has made this call too, which thereby may
  /// still write what all have helped to make.
  virtual void finish() = 0;
  /// Ends for an error. Rank 0 tells the others so; another rank waits that long to be told, and gives whether it was:
  /// where all meet the same error, one of them is to report it.
  virtual bool give_up(std::chrono::milliseconds patience) = 0;

  /// Bytes of an optimizer's slots: of all, and on the rank that has most.
  struct Kept {
    std::int64_t whole_slots = 0, most_slots = 0;
  };
  [[nodiscard]] const Kept& kept() const { return kept_; }
  /// What the training under way keeps, for who reports it.
  void note(const Kept& kept) { kept_ = kept; }

 private:
  Kept kept_;
};

}  // namespace thalweg
