#pragma once
// How the ranks of a run talk: messages between pairs of them. Everything above is made of it, and MPI is one file.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
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

struct Messages {
  std::span<const Message> sent = {}, received = {};
};

/// What follows an exchange without anybody waiting for it.
class Relay {
 public:
  virtual ~Relay() = default;
  /// The messages of a second exchange, on the channel behind that of the first, whose messages have all come. Called
  /// by the communicator, perhaps on a thread of its own, which moves no messages meanwhile. What the messages lie in
  /// is the relay's.
  virtual Messages second(int channel) = 0;
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
  /// Where there is a relay, its second exchange belongs to the ticket too, and the communicator keeps it until then.
  /// May be called from any thread.
  [[nodiscard]] virtual Ticket start(const Messages& messages, int channel = 0,
                                     const std::shared_ptr<Relay>& relay = {}) = 0;
  virtual void wait(Ticket ticket) = 0;
  void exchange(std::span<const Message> sent, std::span<const Message> received, int channel = 0) {
    wait(start({sent, received}, channel));
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

  /// The gradients of a step over the ranks, measured: of each time the slowest rank's.
  struct Measured {
    double computing = 0;   ///< seconds in which the shards are computed, nothing sent
    double messages = 0;    ///< in which the messages move, nothing computed
    double together = 0;    ///< in which a step does both
    double update = 0;      ///< after that
    double parameters = 0;  ///< of it, in which ranks that share the update send each other its results
    double hidden = 0;      ///< of `messages`, those that cost no time beside the computing
    std::int64_t bytes = 0, parameter_bytes = 0;  ///< that a rank sends
    std::int64_t shards = 0, buckets = 0;
  };
  [[nodiscard]] const Measured& measured() const { return measured_; }
  void note(const Measured& measured) { measured_ = measured; }

 private:
  Kept kept_;
  Measured measured_;
};

}  // namespace thalweg
