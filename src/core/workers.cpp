#include "core/workers.hpp"

#include <pthread.h>
#include <signal.h>

#include <sched.h>
#include <sys/resource.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <string_view>
#include <system_error>

#include "core/error.hpp"
#include "core/machine.hpp"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace thalweg {

namespace {

void pause_briefly() {
#if defined(__x86_64__)
  _mm_pause();
#else
  std::this_thread::yield();
#endif
}

constexpr int most_threads = 1024;
std::atomic<int> chosen_threads = 0;  // by DefaultThreads

/// How many threads fit into the limit of address space (`ulimit -v`). Their stacks get an eighth of it, because the
/// allocator reserves several times as much for each thread, and libraries end the process if they get no memory.
int threads_with_room() {
  rlimit space{}, stack{};
  if (getrlimit(RLIMIT_AS, &space) != 0 || space.rlim_cur == RLIM_INFINITY) return most_threads;
  constexpr rlim_t usual_stack = 8 << 20;
  if (getrlimit(RLIMIT_STACK, &stack) != 0 || stack.rlim_cur == RLIM_INFINITY) stack.rlim_cur = usual_stack;
  const rlim_t fit = space.rlim_cur / 8 / std::max<rlim_t>(stack.rlim_cur, 1 << 16);
  return static_cast<int>(std::clamp<rlim_t>(fit, 1, most_threads));
}

}  // namespace

int available_cores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  int cores = static_cast<int>(std::thread::hardware_concurrency());
  if (sched_getaffinity(0, sizeof set, &set) == 0) cores = CPU_COUNT(&set);
  const double granted = std::min(ControlGroups{}.cores().value_or(1e9), 1e9);
  return std::max(1, std::min(cores, static_cast<int>(granted + 0.5)));
}

DefaultThreads::DefaultThreads(int threads) : before_(chosen_threads) {
  if (threads > 0) chosen_threads = std::min(threads, most_threads);
}
DefaultThreads::~DefaultThreads() { chosen_threads = before_; }

int default_threads() {
  if (const int chosen = chosen_threads; chosen > 0) return chosen;
  const char* variable = std::getenv("THALWEG_THREADS");
  const std::string_view wanted = variable ? variable : "";
  if (wanted.empty()) return available_cores();
  int threads = 0;
  const auto [end, error] = std::from_chars(wanted.data(), wanted.data() + wanted.size(), threads);
  if (error != std::errc{} || end != wanted.data() + wanted.size() || threads < 0) {
    fail<UsageError>("[threads] THALWEG_THREADS={}. Wanted: how many threads, or 0 for every core",
                     wanted.substr(0, 80));
  }
  return threads > 0 ? std::min(threads, most_threads) : available_cores();
}

Workers::Workers(int threads) {
  const int total = std::min(threads > 0 ? threads : default_threads(), threads_with_room());
  helpers_.reserve(static_cast<std::size_t>(total) - 1);
  try {
    for (int i = 1; i < total; ++i) helpers_.emplace_back([this] { help_until_stopped(); });
  } catch (const std::system_error&) {  // fewer threads than requested will do: no result depends on their number
  } catch (const std::bad_alloc&) {
  }
}

Workers::~Workers() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  for (std::thread& helper : helpers_) helper.join();
}

Workers::Job::Job(TaskRef t, std::int64_t n) : task(t), count(n), flushes(FlushDenormals::is_on()) {}

void Workers::work_on(Job& job, End end) {
  while (job.claimed.fetch_add(1, std::memory_order_relaxed) < job.count) {
    const std::int64_t task = end == End::front ? job.from_front.fetch_add(1, std::memory_order_relaxed)
                                                : job.count - 1 - job.from_back.fetch_add(1, std::memory_order_relaxed);
    try {
      job.task(task);
    } catch (...) {
      const std::lock_guard lock(job.error_mutex);
      if (!job.error || task < job.error_task) {
        job.error = std::current_exception();
        job.error_task = task;
      }
    }
    job.done.fetch_add(1, std::memory_order_release);
  }
}

void Workers::share_out(std::int64_t count, TaskRef task) {
  if (count <= 0) return;
  if (helpers_.empty() || is_alone_) {
    for (std::int64_t i = 0; i < count; ++i) task(i);
    return;
  }
  Job job(task, count);
  bool wake = false;
  {
    const std::lock_guard lock(mutex_);
    jobs_.push_back(&job);
    posted_.fetch_add(1, std::memory_order_release);
    wake = sleeping_ > 0;
  }
  if (wake) wake_.notify_all();
  work_on(job, End::front);
  for (int spins = 0; job.done.load(std::memory_order_acquire) < count; ++spins) {
    if (spins < 4000) {
      pause_briefly();
    } else {
      std::this_thread::yield();
    }
  }
  // A helper may still be inside the job, which is on this stack.
  for (bool inside = true; inside;) {
    const std::lock_guard lock(mutex_);
    std::erase(jobs_, &job);
    inside = job.helpers > 0;
  }
  if (job.error) std::rethrow_exception(job.error);
}

Workers::Job* Workers::job_with_work() {
  for (Job* job : jobs_) {
    if (job->claimed.load(std::memory_order_relaxed) < job->count) return job;
  }
  return nullptr;
}

namespace {

/// Blocks signals on the pool's threads, so that only the program's own threads handle them: some products of oneDNN
/// keep their stack pointer at the start of a buffer, and a handler on this thread's stack would then overwrite the
/// memory before the buffer.
void leave_signals_to_others() {
  sigset_t signals;
  sigfillset(&signals);
  for (const int own : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGABRT}) sigdelset(&signals, own);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
}

}  // namespace

void Workers::help_until_stopped() {
  leave_signals_to_others();
  constexpr int spin_limit = 5000;  // some tens of microseconds: about the time between two jobs of a small step
  std::uint64_t seen = 0;
  while (true) {
    bool news = false;
    for (int spins = 0; spins < spin_limit && !news; ++spins) {
      news = posted_.load(std::memory_order_acquire) != seen || stopping_.load(std::memory_order_relaxed);
      if (!news) pause_briefly();
    }
    std::unique_lock lock(mutex_);
    if (!news) {
      ++sleeping_;
      wake_.wait(lock, [&] { return stopping_ || job_with_work(); });
      --sleeping_;
    }
    if (stopping_) return;
    seen = posted_.load(std::memory_order_relaxed);
    while (Job* job = job_with_work()) {
      ++job->helpers;
      lock.unlock();
      {
        std::optional<FlushDenormals> flush;
        if (job->flushes) flush.emplace();
        work_on(*job, End::back);
      }
      lock.lock();
      --job->helpers;
    }
  }
}

#if defined(__x86_64__)
// Writing the register is slow, so it is written only to change its value.
namespace {
constexpr unsigned flush_bits = 0x8040;
}
bool FlushDenormals::is_on() { return (_mm_getcsr() & flush_bits) == flush_bits; }
FlushDenormals::FlushDenormals() : saved_(_mm_getcsr()) {
  if ((saved_ & flush_bits) != flush_bits) _mm_setcsr(static_cast<unsigned>(saved_) | flush_bits);
}
FlushDenormals::~FlushDenormals() {
  if ((saved_ & flush_bits) != flush_bits) _mm_setcsr(static_cast<unsigned>(saved_));
}
#elif defined(__aarch64__)
FlushDenormals::FlushDenormals() {
  asm volatile("mrs %0, fpcr" : "=r"(saved_));
  asm volatile("msr fpcr, %0" ::"r"(saved_ | (1UL << 24)));
}
FlushDenormals::~FlushDenormals() { asm volatile("msr fpcr, %0" ::"r"(saved_)); }
bool FlushDenormals::is_on() {
  unsigned long mode = 0;
  asm volatile("mrs %0, fpcr" : "=r"(mode));
  return mode >> 24 & 1;
}
#else
bool FlushDenormals::is_on() { return false; }
FlushDenormals::FlushDenormals() = default;
FlushDenormals::~FlushDenormals() = default;
#endif

}  // namespace thalweg
