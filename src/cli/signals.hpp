#pragma once
// SIGINT and SIGTERM while a run is under way: the first is noted, so that the run can end in order; the next ends the
// process at once.

namespace thalweg::cli {

class SignalWatch {
 public:
  SignalWatch();
  ~SignalWatch();
  SignalWatch(const SignalWatch&) = delete;
  SignalWatch& operator=(const SignalWatch&) = delete;

  /// The signal that came; 0 where none did.
  [[nodiscard]] int received() const;
};

}  // namespace thalweg::cli
