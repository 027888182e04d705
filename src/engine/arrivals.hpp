#pragma once
// The parameters that ranks send each other after a shared update: they arrive while the next step already computes.

#include <atomic>
#include <deque>
#include <memory>
#include <vector>

#include "distributed/communicator.hpp"
#include "engine/shard_program.hpp"
#include "engine/slot_shares.hpp"

namespace thalweg {

/// Each rank sends its part in pieces, in the order in which a step needs them, and a step waits only for those that
/// its next instruction reads.
class Arrivals {
 public:
  /// For parameters of this dtype, of all objectives; null for one whose update is not shared.
  Arrivals(std::shared_ptr<Communicator> ranks, std::vector<const SlotShares*> shares, DType dtype)
      : ranks_(std::move(ranks)), shares_(std::move(shares)), element_(size_of(dtype)) {}
  ~Arrivals() { abandon(); }
  Arrivals(const Arrivals&) = delete;
  Arrivals& operator=(const Arrivals&) = delete;

  /// Cuts the pieces in the order in which this program needs them; only the first call does. All ranks must give the
  /// same program.
  void cut_for(const ShardProgram& program) {
    if (pieces_.empty()) cut(program.needed());
  }
  /// Tells that this rank has updated its part of an objective's parameters. Nothing is sent yet.
  void expect(std::size_t objective, std::byte* parameters);
  /// Begins to send and to receive what is expected. From now on nobody may write to these parameters until `settle`.
  void begin();
  /// Waits until a piece is there, if it is expected; after `begin`. May be called from any thread.
  void wait(std::size_t piece);
  /// Begins, and waits for everything.
  void settle();
  /// After an error: waits for what has begun, unless another rank is gone.
  void abandon() noexcept;

  [[nodiscard]] std::size_t pieces() const { return pieces_.size(); }
  /// What this rank receives by a piece, as runs of the flat block of parameters.
  [[nodiscard]] Runs received_by(std::size_t piece) const;

 private:
  void cut(const std::vector<ShardProgram::Needed>& order);
  struct Piece {
    std::size_t objective;
    std::vector<Runs> parts;                     // of each rank
    std::byte* expected = nullptr;               // the parameters, until it begins
    std::atomic<Communicator::Ticket> ticket{};  // 0 where nothing is on its way
  };

  std::shared_ptr<Communicator> ranks_;
  std::vector<const SlotShares*> shares_;
  std::size_t element_;  // bytes
  std::deque<Piece> pieces_;
  std::vector<Message> sent_, received_;
};

}  // namespace thalweg
