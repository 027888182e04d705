#pragma once
// Workers: a pool of waiting threads that share numbered tasks. Any thread may post tasks at any time, even a worker
// inside a task; idle workers help. The result of a task does not depend on the thread that runs it.

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

namespace thalweg {

/// The number of cores that this process may use, by its affinity and by the quota of its control groups.
[[nodiscard]] int available_cores();
/// The number of DefaultThreads; else THALWEG_THREADS, or available_cores() if it is not set or 0. A larger number than
/// the pool allows is reduced. Throws UsageError unless the variable is a whole number, at least 0.
[[nodiscard]] int default_threads();

/// Sets the default number of threads while this object lives; 0 keeps what it was.
class DefaultThreads {
 public:
  explicit DefaultThreads(int threads);
  ~DefaultThreads();
  DefaultThreads(const DefaultThreads&) = delete;
  DefaultThreads& operator=(const DefaultThreads&) = delete;

 private:
  int before_;
};

/// A reference to a callable, valid for the duration of a call.
class TaskRef {
 public:
  template <class F>
  TaskRef(const F& f)
      : object_(&f), call_([](const void* object, std::int64_t task) { (*static_cast<const F*>(object))(task); }) {}
  void operator()(std::int64_t task) const { call_(object_, task); }

 private:
  const void* object_;
  void (*call_)(const void*, std::int64_t);
};

class Workers {
 public:
  /// `threads` counts the calling thread; 0 means default_threads(). There are fewer if the system cannot start that
  /// many.
  explicit Workers(int threads = 0);
  ~Workers();
  Workers(const Workers&) = delete;
  Workers& operator=(const Workers&) = delete;

  [[nodiscard]] int threads() const { return static_cast<int>(helpers_.size()) + 1; }

  /// Whether the calling thread runs all tasks itself from now on. No task may be running.
  void stay_alone(bool alone) { is_alone_ = alone; }

  /// Runs task(0), ..., task(count - 1), each once, on this thread and on idle workers, and returns when all are done.
  /// Rethrows the exception of the task with the lowest number that threw.
  void run(std::int64_t count, TaskRef task) {
    if (count == 1) {  // the common case in a small step
      task(0);
    } else {
      share_out(count, task);
    }
  }

 private:
  struct Job {
    TaskRef task;
    std::int64_t count;
    bool flushes;  // whether the posting thread flushes denormals; helpers do the same, so that they round alike
    std::atomic<std::int64_t> claimed = 0;  // tasks taken so far, whether finished or not
    std::atomic<std::int64_t> from_front = 0, from_back = 0;
    std::atomic<std::int64_t> done = 0;
    int helpers = 0;  // helpers inside this job now; guarded by mutex_
    std::mutex error_mutex;
    std::int64_t error_task = -1;
    std::exception_ptr error;
    Job(TaskRef t, std::int64_t n);
  };
  void share_out(std::int64_t count, TaskRef task);
  /// The thread that posted a job takes its tasks from the front, helpers take them from the back. With two threads,
  /// each then works on the same half of the memory in kernel after kernel and finds it in its own cache.
  enum class End { front, back };
  static void work_on(Job& job, End end);
  void help_until_stopped();
  Job* job_with_work();  // the caller holds mutex_

  std::mutex mutex_;
  std::condition_variable wake_;
  std::vector<Job*> jobs_;
  std::atomic<std::uint64_t> posted_ = 0;
  std::atomic<bool> stopping_ = false;
  int sleeping_ = 0;
  bool is_alone_ = false;
  std::vector<std::thread> helpers_;
};

/// Flushes denormal numbers to zero on this thread while it lives, because a product with denormals takes 200 times as
/// long; the destructor restores the thread's floating-point mode.
class FlushDenormals {
 public:
  FlushDenormals();
  ~FlushDenormals();
  [[nodiscard]] static bool is_on();  ///< on this thread
  FlushDenormals(const FlushDenormals&) = delete;
  FlushDenormals& operator=(const FlushDenormals&) = delete;

 private:
  unsigned long saved_ = 0;
};

}  // namespace thalweg
