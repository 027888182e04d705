#pragma once
// SIGINT, SIGTERM, SIGHUP, SIGUSR1 (which mpirun passes on) and SIGXFSZ while a run is under way: the first is noted,
// so that the run can end in order; the next ends the process at once. Only SIGXFSZ does not: every write beyond a
// limit raises it, and fails besides.
//
// The handler has a stack of its own: while it computes, a thread's stack pointer need not be on its stack (some of
// oneDNN's products keep it at the start of a buffer), and what lies below would be written over.

#include <signal.h>

#include <array>

namespace thalweg::cli {

class SignalWatch {
 public:
  /// The handler's stack is that of the calling thread, which is the one that trains beside the workers.
  SignalWatch();
  ~SignalWatch();
  SignalWatch(const SignalWatch&) = delete;
  SignalWatch& operator=(const SignalWatch&) = delete;

  /// The signal that came; 0 where none did.
  [[nodiscard]] int received() const;

 private:
  struct Watched {
    int signal;
    struct sigaction before = {};
  };
  std::array<Watched, 5> watched_ = {{{SIGINT}, {SIGTERM}, {SIGHUP}, {SIGUSR1}, {SIGXFSZ}}};
};

}  // namespace thalweg::cli
