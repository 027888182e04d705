// The communicator over MPI. One thread makes all calls of MPI: it moves messages while the other threads compute,
// because MPI moves them only inside its calls, and it checks whether the neighbouring rank is alive.

#include <mpi.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "distributed/launch.hpp"

namespace thalweg {

namespace {

using Clock = std::chrono::steady_clock;
using namespace std::chrono_literals;

constexpr int most_in_turn = 4;                        // so that the next one is under way when one ends
constexpr std::size_t longest = std::size_t{1} << 30;  // bytes of one call of MPI, whose counts are of type int
enum Tag { alive_tag, goodbye_tag, first_channel_tag };
enum Goodbye : char { all_is_done, something_failed };

class MpiCommunicator final : public Communicator {
 public:
  explicit MpiCommunicator(std::chrono::seconds patience) : patience_(patience) {
    thread_ = std::thread([this] { talk(); });
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return ready_ || !problem_.empty(); });
    if (problem_.empty()) return;
    lock.unlock();
    thread_.join();
    fail<UsageError>("[distributed] {}", problem_);
  }

  ~MpiCommunicator() override {
    {
      const std::lock_guard lock(mutex_);
      over_ = true;
    }
    wake_.notify_one();
    thread_.join();
  }

  [[nodiscard]] int rank() const override { return rank_; }
  [[nodiscard]] int size() const override { return size_; }
  [[nodiscard]] const std::string& host(int rank) const override { return hosts_.at(static_cast<std::size_t>(rank)); }
  [[nodiscard]] int ranks_on_host() const override { return ranks_on_host_; }

  [[nodiscard]] Ticket start(const Messages& messages, int channel, const std::shared_ptr<Relay>& relay) override {
    const std::lock_guard lock(mutex_);
    ++last_ticket_;
    if (channel == in_turn) {  // what a rank receives does not hold up what it sends
      ask({{}, messages.received}, channel, {});
      ask({messages.sent, {}}, channel, {});
    } else {
      ask(messages, channel, relay);
    }
    active_ = Clock::now();
    wake_.notify_one();
    return last_ticket_;
  }

  void wait(Ticket ticket) override {
    std::unique_lock lock(mutex_);
    ++waiting_;
    active_ = Clock::now();
    wake_.notify_one();
    changed_.wait(lock, [&] { return !problem_.empty() || is_done(ticket); });
    --waiting_;
    if (!problem_.empty()) throw DistributedError("[distributed] " + problem_);
  }

  void finish() override {
    std::unique_lock lock(mutex_);
    ends_ = End::in_order;
    wake_.notify_one();
    changed_.wait(lock, [&] { return !problem_.empty() || ended_; });
    if (!problem_.empty()) throw DistributedError("[distributed] " + problem_);
  }

  bool give_up(std::chrono::milliseconds patience) override {
    std::unique_lock lock(mutex_);
    if (rank_ == 0) {
      ends_ = End::for_an_error;
      wake_.notify_one();
      changed_.wait_for(lock, 1s, [&] { return !problem_.empty() || ended_; });
      return true;
    }
    return changed_.wait_for(lock, patience, [&] { return first_gave_up_ || !problem_.empty(); }) && first_gave_up_;
  }

 private:
  struct Exchange {
    Ticket ticket = 0;
    int channel = 0;
    std::vector<Message> sent, received;
    std::vector<MPI_Request> requests;
    std::shared_ptr<Relay> relay;
    bool is_relayed = false;  // whether the second exchange has begun
  };
  using Exchanges = std::vector<std::unique_ptr<Exchange>>;
  enum class End { not_yet, in_order, for_an_error };

  // the caller holds mutex_
  void ask(const Messages& messages, int channel, const std::shared_ptr<Relay>& relay) {
    if (free_.empty()) free_.push_back(std::make_unique<Exchange>());
    Exchange& own = *asked_.emplace_back(std::move(free_.back()));
    free_.pop_back();
    own.ticket = last_ticket_;
    own.channel = channel;
    own.relay = relay;
    own.is_relayed = false;
    own.sent.assign(messages.sent.begin(), messages.sent.end());
    own.received.assign(messages.received.begin(), messages.received.end());
  }

  [[nodiscard]] bool is_done(Ticket ticket) const {
    const auto has = [&](const Exchanges& some) {
      return std::ranges::any_of(some, [&](const auto& exchange) { return exchange->ticket == ticket; });
    };
    return !has(asked_) && !has(queued_) && !has(begun_);
  }

  void fail_with(std::string problem) {
    const std::lock_guard lock(mutex_);
    if (problem_.empty()) problem_ = std::move(problem);
    changed_.notify_all();
  }

  /// The main function of the thread.
  void talk() {
    if (!connect()) return;
    listen();
    while (step()) {
    }
    if (ends_ == End::in_order && problem_.empty()) {
      for (MPI_Request* request : {&heard_, &told_}) {
        if (*request == MPI_REQUEST_NULL) continue;
        MPI_Cancel(request);
        MPI_Request_free(request);
      }
      MPI_Finalize();
    }
    const std::lock_guard lock(mutex_);
    ended_ = true;
    changed_.notify_all();
  }

  bool connect() {
    int provided = 0;
    if (MPI_Init_thread(nullptr, nullptr, MPI_THREAD_FUNNELED, &provided) != MPI_SUCCESS) {
      fail_with("MPI does not start");
      return false;
    }
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank_);
    MPI_Comm_size(MPI_COMM_WORLD, &size_);
    std::array<char, MPI_MAX_PROCESSOR_NAME> name{};
    int length = 0;
    MPI_Get_processor_name(name.data(), &length);
    std::vector<char> names(name.size() * static_cast<std::size_t>(size_));
    constexpr int bytes = MPI_MAX_PROCESSOR_NAME;
    MPI_Allgather(name.data(), bytes, MPI_CHAR, names.data(), bytes, MPI_CHAR, MPI_COMM_WORLD);
    for (int r = 0; r < size_; ++r) hosts_.emplace_back(names.data() + static_cast<std::size_t>(r) * name.size());
    ranks_on_host_ = static_cast<int>(std::ranges::count(hosts_, host(rank_)));
    has_core_ = ranks_on_host_ <= ::sysconf(_SC_NPROCESSORS_ONLN);
    const std::lock_guard lock(mutex_);
    ready_ = true;
    changed_.notify_all();
    return true;
  }

  /// Waits for heartbeats of the previous rank, and for rank 0's final message.
  void listen() {
    last_heard_ = Clock::now();
    if (size_ == 1) return;
    MPI_Irecv(&heard_byte_, 1, MPI_CHAR, before(), alive_tag, MPI_COMM_WORLD, &heard_);
    if (rank_ != 0) MPI_Irecv(&goodbye_, 1, MPI_CHAR, 0, goodbye_tag, MPI_COMM_WORLD, &told_);
  }

  [[nodiscard]] int before() const { return (rank_ + size_ - 1) % size_; }

  /// Makes progress on everything; returns false when there is nothing left to do.
  bool step() {
    const auto begun = Clock::now();
    begin_asked();
    if (!test_begun()) return false;
    if (size_ > 1 && !exchange_signs_of_life()) return false;
    std::unique_lock lock(mutex_);
    if (over_) return false;
    if (asked_.empty() && queued_.empty() && begun_.empty() && ends_ != End::not_yet) {
      if (rank_ == 0) say_goodbye(lock);
      if (rank_ == 0 || first_is_done_) return false;
    }
    if (asked_.empty()) rest(lock, begun);
    return true;
  }

  /// Rests until there is something to do, or to be looked at again. While nobody waits for a message, the core is that
  /// of the computing threads, which each look interrupts. While somebody waits, this thread keeps the core for a
  /// moment if each rank has one: most messages take less time than other programs would.
  void rest(std::unique_lock<std::mutex>& lock, Clock::time_point begun) {
    const auto now = Clock::now();
    const bool is_busy = !begun_.empty() || !queued_.empty();
    const auto is_awaited = [&] { return waiting_ > 0 && is_busy; };
    if (is_awaited()) {
      const bool keeps = has_core_ && now - active_ < 1ms;
      lock.unlock();
      if (!keeps) std::this_thread::yield();
      return;
    }
    const auto pause = !is_busy ? std::clamp<Clock::duration>(now - active_, 1ms, 16ms)
                                : std::clamp<Clock::duration>(8 * (now - begun), 200us, 500us);
    wake_.wait_for(lock, pause, [&] { return over_ || !asked_.empty() || is_awaited(); });
  }

  void begin_asked() {
    const std::lock_guard lock(mutex_);
    for (auto& exchange : asked_) {
      if (exchange->channel == in_turn && !exchange->sent.empty()) {
        queued_.push_back(std::move(exchange));
      } else {
        begin(std::move(exchange));
      }
    }
    asked_.clear();
    const auto takes_turn = [](const auto& e) { return e->channel == in_turn && !e->sent.empty(); };
    for (auto moving = std::ranges::count_if(begun_, takes_turn); moving < most_in_turn && !queued_.empty(); ++moving) {
      begin(std::move(queued_.front()));
      queued_.erase(queued_.begin());
    }
  }

  void begin(std::unique_ptr<Exchange> exchange) {
    post(*exchange, {exchange->sent, exchange->received}, exchange->channel);
    begun_.push_back(std::move(exchange));
  }

  static void post(Exchange& exchange, const Messages& messages, int channel) {
    exchange.requests.clear();
    const int tag = first_channel_tag + channel;
    const auto each = [&](std::span<const Message> some, const auto& call) {
      for (const Message& m : some) {
        for (std::size_t done = 0; done < m.bytes; done += longest) {
          call(m.data + done, static_cast<int>(std::min(longest, m.bytes - done)), m.peer,
               &exchange.requests.emplace_back(MPI_REQUEST_NULL));
        }
      }
    };
    each(messages.received, [&](std::byte* data, int bytes, int peer, MPI_Request* request) {
      MPI_Irecv(data, bytes, MPI_BYTE, peer, tag, MPI_COMM_WORLD, request);
    });
    each(messages.sent, [&](std::byte* data, int bytes, int peer, MPI_Request* request) {
      MPI_Isend(data, bytes, MPI_BYTE, peer, tag, MPI_COMM_WORLD, request);
    });
  }

  bool test_begun() {
    int missing = 0;
    for (std::size_t i = 0; i < begun_.size();) {  // only this thread removes elements
      int done = 0;
      Exchange& one = *begun_[i];
      if (one.channel == in_turn && one.sent.empty() && ++missing > most_in_turn) {  // it comes after those before it
        ++i;
        continue;
      }
      if (MPI_Testall(static_cast<int>(one.requests.size()), one.requests.data(), &done, MPI_STATUSES_IGNORE) !=
          MPI_SUCCESS) {
        fail_with("a message was lost: another rank is gone");
        return false;
      }
      if (!done) {
        ++i;
        continue;
      }
      if (one.relay && !std::exchange(one.is_relayed, true)) {
        post(one, one.relay->second(one.channel), one.channel + 1);
        continue;
      }
      one.relay.reset();
      const std::lock_guard lock(mutex_);
      active_ = Clock::now();
      free_.push_back(std::move(begun_[i]));
      begun_.erase(begun_.begin() + static_cast<std::ptrdiff_t>(i));
      changed_.notify_all();
    }
    return true;
  }

  /// Sends a heartbeat to the next rank every second, and receives one from the previous rank.
  bool exchange_signs_of_life() {
    const auto now = Clock::now();
    if (now - last_told_ >= 1s) {
      int sent = 1;
      if (telling_ != MPI_REQUEST_NULL) MPI_Test(&telling_, &sent, MPI_STATUS_IGNORE);
      if (sent) MPI_Isend(&alive_byte_, 1, MPI_CHAR, (rank_ + 1) % size_, alive_tag, MPI_COMM_WORLD, &telling_);
      last_told_ = now;
    }
    int came = 0;
    MPI_Test(&heard_, &came, MPI_STATUS_IGNORE);
    if (came) {
      last_heard_ = now;
      MPI_Irecv(&heard_byte_, 1, MPI_CHAR, before(), alive_tag, MPI_COMM_WORLD, &heard_);
    }
    if (rank_ != 0 && told_ != MPI_REQUEST_NULL) hear_goodbye();
    if (now - last_heard_ < patience_) return true;
    if (first_is_done_) {
      if (begun_.empty()) return true;
      fail_with(fmt::format("rank 0 on {} has ended, and rank {} still waits", host(0), rank_));
      return false;
    }
    fail_with(fmt::format("rank {} on {} has not answered for {} s", before(), host(before()), patience_.count()));
    return false;
  }

  void hear_goodbye() {
    int came = 0;
    MPI_Test(&told_, &came, MPI_STATUS_IGNORE);
    if (!came) return;
    const std::lock_guard lock(mutex_);
    (goodbye_ == all_is_done ? first_is_done_ : first_gave_up_) = true;
    changed_.notify_all();
  }

  /// On rank 0: informs all other ranks. Gives up after `patience_`: a rank that cannot be reached has ended.
  void say_goodbye(std::unique_lock<std::mutex>& lock) {
    goodbye_ = ends_ == End::in_order ? all_is_done : something_failed;
    lock.unlock();
    std::vector<MPI_Request> requests(static_cast<std::size_t>(size_ - 1));
    for (int peer = 1; peer < size_; ++peer)
      MPI_Isend(&goodbye_, 1, MPI_CHAR, peer, goodbye_tag, MPI_COMM_WORLD,
                &requests[static_cast<std::size_t>(peer - 1)]);
    const auto until = Clock::now() + patience_;
    int sent = 0;
    while (!sent && Clock::now() < until)
      MPI_Testall(static_cast<int>(requests.size()), requests.data(), &sent, MPI_STATUSES_IGNORE);
    lock.lock();
  }

  const std::chrono::seconds patience_;
  int rank_ = 0, size_ = 1, ranks_on_host_ = 1;
  bool has_core_ = false;  // whether each rank of this host has one
  std::vector<std::string> hosts_;

  std::mutex mutex_;
  std::condition_variable wake_, changed_;   // the first for this thread, the second for the others
  Exchanges asked_, queued_, begun_, free_;  // queued: for their turn
  Ticket last_ticket_ = 0;
  int waiting_ = 0;
  Clock::time_point active_ = {};  // when something was last asked for, awaited or done
  std::string problem_;
  bool ready_ = false, over_ = false, ended_ = false, first_is_done_ = false, first_gave_up_ = false;
  End ends_ = End::not_yet;

  // used only by this thread
  MPI_Request heard_ = MPI_REQUEST_NULL, told_ = MPI_REQUEST_NULL, telling_ = MPI_REQUEST_NULL;
  char alive_byte_ = 1, heard_byte_ = 0, goodbye_ = all_is_done;
  Clock::time_point last_told_ = {}, last_heard_ = {};
  std::thread thread_;
};

}  // namespace

extern "C" Communicator* thalweg_open_communicator(std::chrono::seconds patience) {
  return std::make_unique<MpiCommunicator>(patience).release();
}

}  // namespace thalweg
