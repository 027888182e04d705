#pragma once
// SIGINT, SIGTERM, SIGHUP, SIGUSR1 (which mpirun passes on) and SIGXFSZ while a run is under way: the first is noted,
// so that the run can end in order; the next ends the process at once. Only SIGXFSZ does not: every write beyond a
// limit raises it, and fails besides.

#include <array>
#include <csignal>

namespace thalweg::cli {

class SignalWatch {
 public:
  SignalWatch();
  ~SignalWatch();
  SignalWatch(const SignalWatch&) = delete;
  SignalWatch& operator=(const SignalWatch&) = delete;

  /// The signal that came; 0 where none did.
  [[nodiscard]] int received() const;

 private:
  struct Watched {
    int signal;
    void (*before)(int) = SIG_DFL;
  };
  std::array<Watched, 5> watched_ = {{{SIGINT}, {SIGTERM}, {SIGHUP}, {SIGUSR1}, {SIGXFSZ}}};
};

}  // namespace thalweg::cli
