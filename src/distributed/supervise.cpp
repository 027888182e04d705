#include "distributed/supervise.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

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

/// A launcher may signal only this process, or its whole group; the worker treats a second signal shortly after the
/// first as the same one.
void pass_on(int signal) {
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
  const std::string reason =
      WIFSIGNALED(status) ? fmt::format("was killed by signal {} ({})", WTERMSIG(status), ::strsignal(WTERMSIG(status)))
                          : fmt::format("ended in the middle with exit code {}", WEXITSTATUS(status));
  return died(reason.c_str());
}

}  // namespace thalweg
