#pragma once
// The communication between the ranks of a run: messages between pairs of them. All collective operations are built on
// it, and only one file uses MPI.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "core/error.hpp"

namespace thalweg {

/// A rank died, or no longer answers. Exit code 8.
class DistributedError : public Error {
 public:
  explicit DistributedError(const std::string& message) : Error(ErrorKind{8}, message) {}
};

/// Bytes to send to a rank, or to receive from it.
struct Message {
  int peer = 0;
  std::byte* data = nullptr;
  std::size_t bytes = 0;
};

struct Messages {
  std::span<const Message> sent = {}, received = {};
};

/// A second exchange that follows another one without a caller waiting in between.
class Relay {
 public:
  virtual ~Relay() = default;
  /// The messages of the second exchange, called when all messages of the first have arrived. They use the next
  /// channel. The communicator may call it on its own thread, which moves no other messages in the meantime. The relay
  /// owns the memory of the messages.
  virtual Messages second(int channel) = 0;
};

/// From how many numbers on ranks share an update that does little with each. With fewer, waiting for the norm and for
/// the results of the others takes longer than updating all of them on every rank.
inline constexpr std::int64_t fewest_shared = 1 << 18;

/// The ranks of a run. Every call throws DistributedError that names rank and host if another rank is gone.
class Communicator {
 public:
  using Ticket = std::uint64_t;

  virtual ~Communicator() = default;
  [[nodiscard]] virtual int rank() const = 0;
  [[nodiscard]] virtual int size() const = 0;
  [[nodiscard]] virtual const std::string& host(int rank) const = 0;
  /// The number of ranks on this rank's host.
  [[nodiscard]] virtual int ranks_on_host() const = 0;

  [[nodiscard]] virtual std::int64_t least_to_share() const { return fewest_shared; }

  /// A channel whose exchanges move in the order of the calls, few at a time, so that the first one arrives first. On
  /// the other channels, everything that has been started moves at the same time.
  static constexpr int in_turn = 1 << 10;
  /// Starts sending and receiving, and returns immediately; the communicator uses the memory until wait(ticket).
  /// Between each pair of ranks, messages of one channel arrive in the order in which they were sent. Empty messages
  /// are not sent. If there is a relay, its second exchange belongs to the same ticket, and the communicator keeps the
  /// relay until then. May be called from any thread.
  [[nodiscard]] virtual Ticket start(const Messages& messages, int channel = 0,
                                     const std::shared_ptr<Relay>& relay = {}) = 0;
  virtual void wait(Ticket ticket) = 0;
  void exchange(std::span<const Message> sent, std::span<const Message> received, int channel = 0) {
    wait(start({sent, received}, channel));
  }

  /// Must be called by every rank at the end. It returns on the other ranks only after rank 0 has called it too, so
  /// that rank 0 can first write the common results.
  virtual void finish() = 0;
  /// Ends after an error. Rank 0 informs the others; another rank waits for that at most `patience`, and returns
  /// whether it was informed: if all ranks meet the same error, only one of them is to report it.
  virtual bool give_up(std::chrono::milliseconds patience) = 0;

  /// Bytes of an optimizer's slots: in total, and on the rank with the most.
  struct Kept {
    std::int64_t whole_slots = 0, most_slots = 0;
  };
  [[nodiscard]] const Kept& kept() const { return kept_; }
  /// Records what the current training keeps, for reports.
  void note(const Kept& kept) { kept_ = kept; }

  /// The time that the ranks need for the gradients of a step; each time is that of the slowest rank.
  struct Measured {
    double computing = 0;   ///< seconds for the shards alone, without messages
    double messages = 0;    ///< seconds for the messages alone, without computation
    double together = 0;    ///< seconds for both at the same time, as in a step
    double update = 0;      ///< seconds for the update after that
    double parameters = 0;  ///< the part of the update in which ranks that share it exchange its results
    double whole = 0;       ///< seconds for a step among others, where the next one computes during that exchange
    double hidden = 0;      ///< the part of `messages` that the computation hides
    double parameters_hidden = 0;                 ///< the part of `parameters` that the next step hides
    std::int64_t bytes = 0, parameter_bytes = 0;  ///< bytes that a rank sends
    std::int64_t shards = 0, buckets = 0;
  };
  [[nodiscard]] const Measured& measured() const { return measured_; }
  void note(const Measured& measured) { measured_ = measured; }

 private:
  Kept kept_;
  Measured measured_;
};

}  // namespace thalweg
