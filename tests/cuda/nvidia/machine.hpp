#pragma once
// Internal declarations of the stand-in for libcuda.so.1: its global state, and the structures behind the handles.

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "stand_in.hpp"

namespace thalweg::nvidia {

using Work = std::function<void()>;

constexpr CUresult lost_error = CUDA_ERROR_ECC_UNCORRECTABLE;

[[noreturn]] void stop(const char* why);

/// The global state. It is never destroyed, because threads of streams may live as long as the process.
struct Machine {
  static constexpr std::size_t room = std::size_t{64} << 30;  // of addresses; pages are allocated when written

  Machine();
  void read_environment();
  [[nodiscard]] bool has(const std::byte* there) const { return there >= far_memory && there < far_memory + room; }
  [[nodiscard]] bool is_pinned(const std::byte* address) {
    const std::lock_guard lock(mutex);
    const auto after = pinned.upper_bound(address);
    return after != pinned.begin() && address < std::prev(after)->first + std::prev(after)->second;
  }

  std::byte *far_memory = nullptr, *near_memory = nullptr;
  std::atomic<int> gpus = 0;
  std::atomic<std::size_t> bytes = 0, lost_after = 0, launches = 0;
  std::atomic<bool> started = false, lost = false;
  std::mutex mutex;                                // guards the members below
  std::map<const std::byte*, std::size_t> sizes;   // of allocated blocks
  std::multimap<std::size_t, std::byte*> unused;   // free blocks by size
  std::map<const std::byte*, std::size_t> pinned;  // pinned memory of the host
  std::size_t end = 0, given_out = 0;
};

[[nodiscard]] Machine& machine();

inline thread_local bool has_context = false, in_host_function = false;

/// The result of a call that needs a context: an error without one, in a host function, or after the GPU is lost.
[[nodiscard]] CUresult state();
/// Aborts if there is no context. For functions that release something: these may be called after the GPU is lost.
void must_have_context();

}  // namespace thalweg::nvidia

struct CUgraph_st {
  std::vector<thalweg::nvidia::Work> nodes;
};

struct CUgraphExec_st {
  std::shared_ptr<const std::vector<thalweg::nvidia::Work>> nodes;
};

struct CUstream_st {
  CUstream_st() : thread([this] { work_until_stopped(); }) {}
  ~CUstream_st() {
    {
      const std::lock_guard lock(mutex);
      wanted = pushed;
      stopping = true;
    }
    wake.notify_all();
    thread.join();
  }

  /// Queues work and returns its number in this stream. While the stream is captured, adds the work to the graph.
  std::uint64_t push(thalweg::nvidia::Work work);
  void wait(std::uint64_t number);
  /// Whether a call that cannot be captured must fail, because the stream is being captured.
  bool refuses();
  void work_until_stopped();

  std::mutex mutex;
  std::condition_variable wake, done_changed;
  std::deque<thalweg::nvidia::Work> waiting;
  std::uint64_t pushed = 0, done = 0, wanted = 0;
  bool stopping = false, invalid = false;
  std::unique_ptr<CUgraph_st> capture;
  std::thread thread;
};

struct CUevent_st {
  CUstream stream = nullptr;
  std::uint64_t number = 0;
};

struct CUfunc_st {
  void (*call)(void* const* addresses) = nullptr;
  void (*block)(long long) = nullptr;
  int addresses = 0, threads = 0;
  bool flushes = false;
};

struct CUmod_st {
  int file = -1;
  void* library = nullptr;
  std::map<std::string, CUfunc_st> functions;
};
