#include "distributed/supervise.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "core/error.hpp"

namespace thalweg {

namespace {

constexpr std::array passed_on = {SIGINT, SIGTERM, SIGHUP, SIGUSR1};
volatile pid_t worker = 0;
volatile std::sig_atomic_t passed = 0;  // the last signal

/// A launcher may signal only this process, or its whole group; the worker treats a second signal shortly after the
/// first as the same one.
void pass_on(int signal) {
  passed = signal;
  if (worker > 0) ::kill(worker, signal);
}

/// Ends the worker without static destructors: its own have already run.
[[noreturn]] void end_worker(int code, int pipe) {
  std::fflush(nullptr);
  const unsigned char said = static_cast<unsigned char>(code);
  (void)!::write(pipe, &said, 1);
  ::_exit(code);
}

int wait_for(pid_t child) {
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return status;
}

/// Whether this process got the signal too. A launcher that ends a rank may signal the worker first.
bool was_told_to_end(int signal) {
  if (std::ranges::find(passed_on, signal) == passed_on.end()) return false;
  for (int tries = 0; passed != signal && tries < 10; ++tries) ::usleep(10'000);
  return passed == signal;
}

}  // namespace

int supervise(const std::function<int()>& work, const std::function<int(const char* reason)>& died) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) fail<IoError>("[distributed] pipe: {}", std::strerror(errno));
  const pid_t parent = ::getpid();
  const pid_t child = ::fork();
  if (child < 0) fail<IoError>("[distributed] fork: {}", std::strerror(errno));
  if (child == 0) {
    ::close(ends[0]);
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) ::_exit(8);
    end_worker(work(), ends[1]);
  }
  ::close(ends[1]);
  worker = child;
  for (const int signal : passed_on) std::signal(signal, pass_on);
  const int status = wait_for(child);
  unsigned char said = 0;
  const bool in_order = ::read(ends[0], &said, 1) == 1;
  ::close(ends[0]);
  if (in_order) return said;
  if (WIFSIGNALED(status) && was_told_to_end(WTERMSIG(status))) return 128 + WTERMSIG(status);
  const std::string reason =
      WIFSIGNALED(status) ? fmt::format("was killed by signal {} ({})", WTERMSIG(status), ::strsignal(WTERMSIG(status)))
                          : fmt::format("ended in the middle with exit code {}", WEXITSTATUS(status));
  return died(reason.c_str());
}

}  // namespace thalweg
