#include "engine/arrivals.hpp"

#include <algorithm>

namespace thalweg {

namespace {

constexpr std::int64_t piece_bytes = std::int64_t{1} << 19;

/// The same numbers: first those of parameters that are needed, in that order, then the others.
Runs in_order(const Runs& part, const std::vector<ShardProgram::Needed>& order) {
  Runs ordered, rest = part;
  for (const ShardProgram::Needed& needed : order) {
    const Runs common = common_part(rest, {needed.numbers});
    ordered.insert(ordered.end(), common.begin(), common.end());
    rest = difference(rest, common);
  }
  ordered.insert(ordered.end(), rest.begin(), rest.end());
  Runs joined;
  for (const Share run : ordered) {
    if (!joined.empty() && joined.back().last == run.first) {
      joined.back().last = run.last;
    } else {
      joined.push_back(run);
    }
  }
  return joined;
}

}  // namespace

void Arrivals::cut(const std::vector<ShardProgram::Needed>& order) {
  const std::int64_t each = piece_bytes / static_cast<std::int64_t>(element_);
  for (std::size_t objective = 0; objective < shares_.size(); ++objective) {
    if (shares_[objective] == nullptr) continue;
    std::vector<Runs> parts;
    for (const Runs& part : shares_[objective]->parts) parts.push_back(in_order(part, order));
    const std::int64_t most = length_of(std::ranges::max(parts, {}, length_of));
    for (std::int64_t first = 0; first < most; first += each) {
      Piece& piece = pieces_.emplace_back(objective);
      for (const Runs& part : parts) {
        const std::int64_t last = std::min(first + each, length_of(part));
        piece.parts.push_back(first < last ? part_of(part, {first, last}) : Runs{});
      }
    }
  }
}

void Arrivals::expect(std::size_t objective, std::byte* parameters) {
  if (pieces_.empty()) cut({});  // steps of one shard, which do not wait for pieces
  for (Piece& piece : pieces_) {
    if (piece.objective == objective) piece.expected = parameters;
  }
}

void Arrivals::begin() {
  for (Piece& piece : pieces_) {
    std::byte* const parameters = std::exchange(piece.expected, nullptr);
    if (parameters == nullptr) continue;
    sent_.clear(), received_.clear();
    const auto messages = [&](int peer, int owner, std::vector<Message>& list) {
      for (const Share run : piece.parts[static_cast<std::size_t>(owner)])
        list.push_back({peer, parameters + static_cast<std::size_t>(run.first) * element_,
                        static_cast<std::size_t>(run.size()) * element_});
    };
    for (int peer = 0; peer < ranks_->size(); ++peer) {
      if (peer == ranks_->rank()) continue;
      messages(peer, ranks_->rank(), sent_);
      messages(peer, peer, received_);
    }
    piece.ticket.store(ranks_->start({sent_, received_}, Communicator::in_turn), std::memory_order_release);
  }
}

void Arrivals::wait(std::size_t index) {
  Piece& piece = pieces_[index];
  const Communicator::Ticket ticket = piece.ticket.load(std::memory_order_acquire);
  if (ticket == 0) return;
  ranks_->wait(ticket);
  piece.ticket.store(0, std::memory_order_release);
}

void Arrivals::settle() {
  begin();
  for (std::size_t i = 0; i < pieces_.size(); ++i) wait(i);
}

void Arrivals::abandon() noexcept {
  for (std::size_t i = 0; i < pieces_.size(); ++i) {
    pieces_[i].expected = nullptr;
    try {
      wait(i);
    } catch (const DistributedError&) {  // the error that ends the run is known already
      return;
    }
  }
}

Runs Arrivals::received_by(std::size_t piece) const {
  Runs received;
  for (int rank = 0; rank < ranks_->size(); ++rank) {
    const Runs& part = pieces_[piece].parts[static_cast<std::size_t>(rank)];
    if (rank != ranks_->rank()) received.insert(received.end(), part.begin(), part.end());
  }
  return received;
}

}  // namespace thalweg
