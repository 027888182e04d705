#include "cli/signals.hpp"

#include <unistd.h>

#include <csignal>

namespace thalweg::cli {

namespace {

// A handler may touch nothing else.
volatile std::sig_atomic_t last_signal = 0;

void note(int signal) {
  if (last_signal != 0) ::_exit(128 + signal);
  last_signal = signal;
}

}  // namespace

SignalWatch::SignalWatch() {
  last_signal = 0;
  std::signal(SIGINT, note);
  std::signal(SIGTERM, note);
}

SignalWatch::~SignalWatch() {
  std::signal(SIGINT, SIG_DFL);
  std::signal(SIGTERM, SIG_DFL);
}

int SignalWatch::received() const { return last_signal; }

}  // namespace thalweg::cli
