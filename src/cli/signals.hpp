#pragma once
// Handles SIGINT, SIGTERM, SIGHUP, SIGUSR1 (which mpirun passes on) and SIGXFSZ during a run. The first signal is
// recorded, so that the run can end in order; the next one ends the process at once. SIGXFSZ never ends it: every write
// beyond a size limit raises it, and the write fails anyway.
//
// The handler has its own stack. During a computation the stack pointer of a thread may point elsewhere than to its
// stack (some products of oneDNN set it to the start of a buffer), and a handler on it would overwrite other memory.

#include <signal.h>

#include <array>

namespace thalweg::cli {

class SignalWatch {
 public:
  /// The handler's stack belongs to the calling thread, which trains together with the worker threads.
  SignalWatch();
  ~SignalWatch();
  SignalWatch(const SignalWatch&) = delete;
  SignalWatch& operator=(const SignalWatch&) = delete;

  /// The received signal; 0 if there was none.
  [[nodiscard]] int received() const;

 private:
  struct Watched {
    int signal;
    struct sigaction before = {};
  };
  std::array<Watched, 5> watched_ = {{{SIGINT}, {SIGTERM}, {SIGHUP}, {SIGUSR1}, {SIGXFSZ}}};
};

}  // namespace thalweg::cli
