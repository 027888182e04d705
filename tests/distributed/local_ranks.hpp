#pragma once
// Ranks as threads of one process, for tests without MPI: messages are copies in memory.

#include <gtest/gtest.h>

#include <condition_variable>
#include <cstring>
#include <deque>
#include <map>
#include <mutex>
#include <thread>
#include <tuple>
#include <vector>

#include "distributed/communicator.hpp"
#include "temporary_folder.hpp"
#include "thalweg/train.hpp"

namespace thalweg::testing {

class LocalRanks {
 public:
  explicit LocalRanks(int size, std::int64_t least_to_share = 1 << 16) : size_(size), least_to_share_(least_to_share) {}

  /// Runs `work` once for each rank, on a thread of its own.
  template <class Work>
  void run(const Work& work) {
    std::vector<std::thread> threads;
    for (int rank = 0; rank < size_; ++rank)
      threads.emplace_back([this, &work, rank] { work(std::make_shared<Rank>(*this, rank)); });
    for (std::thread& thread : threads) thread.join();
  }
  /// The number of bytes that all ranks have sent.
  [[nodiscard]] std::size_t bytes() const { return bytes_; }

 private:
  using Way = std::tuple<int, int, int>;  // from, to, channel

  class Rank final : public Communicator {
   public:
    Rank(LocalRanks& all, int rank) : all_(all), rank_(rank) {}
    [[nodiscard]] int rank() const override { return rank_; }
    [[nodiscard]] int size() const override { return all_.size_; }
    [[nodiscard]] const std::string& host(int) const override { return host_; }
    [[nodiscard]] int ranks_on_host() const override { return all_.size_; }
    /// Few, for small networks to be shared in the tests.
    [[nodiscard]] std::int64_t least_to_share() const override { return all_.least_to_share_; }

    [[nodiscard]] Ticket start(const Messages& messages, int channel, const std::shared_ptr<Relay>& relay) override {
      const std::lock_guard lock(all_.mutex_);
      open_[++last_] = {{messages.received.begin(), messages.received.end()}, channel, relay};
      send(messages.sent, channel);
      return last_;
    }

    void wait(Ticket ticket) override {
      std::unique_lock lock(all_.mutex_);
      while (open_.contains(ticket)) {
        if (move_on(lock)) {
          all_.came_.notify_all();  // other threads of this rank may wait too
        } else {
          all_.came_.wait(lock);
        }
      }
    }

    void finish() override {}
    bool give_up(std::chrono::milliseconds) override { return true; }

   private:
    struct Open {
      std::deque<Message> missing;
      int channel;
      std::shared_ptr<Relay> relay;
      bool is_relayed_now = false;  // by a thread without the lock
    };

    void send(std::span<const Message> sent, int channel) {
      for (const Message& m : sent) {
        if (m.bytes == 0) continue;
        all_.bytes_ += m.bytes;
        all_.on_their_way_[{rank_, m.peer, channel}].emplace_back(m.data, m.data + m.bytes);
      }
      all_.came_.notify_all();
    }

    /// Takes the messages that have arrived, and starts what follows them. Returns false if nothing changed.
    bool move_on(std::unique_lock<std::mutex>& lock) {
      bool moved = false;
      for (auto at = open_.begin(); at != open_.end();) {
        Open& open = at->second;
        if (open.is_relayed_now) {
          ++at;
          continue;
        }
        moved = take(open) || moved;
        if (!open.missing.empty()) {
          ++at;
          continue;
        }
        const std::shared_ptr<Relay> relay = std::move(open.relay);
        moved = true;
        if (!relay) {
          at = open_.erase(at);
          continue;
        }
        open.is_relayed_now = true;
        lock.unlock();
        const Messages next = relay->second(open.channel);
        lock.lock();
        open.is_relayed_now = false;
        open.missing.assign(next.received.begin(), next.received.end());
        send(next.sent, ++open.channel);
      }
      return moved;
    }

    bool take(Open& open) {
      bool took = false;
      for (; !open.missing.empty(); open.missing.pop_front(), took = true) {
        const Message& m = open.missing.front();
        if (m.bytes == 0) continue;
        auto& way = all_.on_their_way_[{m.peer, rank_, open.channel}];
        if (way.empty()) break;
        EXPECT_EQ(way.front().size(), m.bytes);
        std::memcpy(m.data, way.front().data(), std::min(m.bytes, way.front().size()));
        way.pop_front();
      }
      return took;
    }

    LocalRanks& all_;
    const int rank_;
    const std::string host_ = "here";
    std::map<Ticket, Open> open_;
    Ticket last_ = 0;
  };

  const int size_;
  const std::int64_t least_to_share_;
  std::mutex mutex_;
  std::condition_variable came_;
  std::map<Way, std::deque<std::vector<std::byte>>> on_their_way_;
  std::size_t bytes_ = 0;
};

/// Expects the same parameters and the same slots, bit for bit.
inline void expect_same(const State& a, const State& b, const std::string& where) {
  EXPECT_TRUE(identical(a.parameters, b.parameters)) << where;
  ASSERT_EQ(a.slots.size(), b.slots.size()) << where;
  for (std::size_t i = 0; i < a.slots.size(); ++i) {
    EXPECT_EQ(a.slots[i].first, b.slots[i].first) << where;
    EXPECT_TRUE(identical(a.slots[i].second, b.slots[i].second)) << where << ": " << a.slots[i].first;
  }
}

/// Trains in several parts, each by a number of ranks and up to a step, and returns the last state. Each part resumes
/// from the checkpoint of the part before. `train(options, own)` trains one part.
template <class Train>
State trained_in_parts(const FitOptions& options, const std::vector<std::pair<int, std::int64_t>>& parts,
                       const Train& train) {
  const TemporaryFolder folder;
  State last;
  for (const auto& [ranks, stop_after] : parts) {
    LocalRanks all(ranks);
    all.run([&, stop = stop_after](const std::shared_ptr<Communicator>& own) {
      FitOptions part = options;
      part.checkpoints = folder / "checkpoints";
      part.resume = true;
      part.stop_after = stop;
      const State state = train(part, own);
      if (own->rank() == 0) last = state;
    });
  }
  return last;
}

}  // namespace thalweg::testing
