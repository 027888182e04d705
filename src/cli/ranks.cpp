#include "cli/ranks.hpp"

#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdlib>
#include <thread>

#include "cli/output.hpp"
#include "core/workers.hpp"
#include "distributed/launch.hpp"
#include "distributed/supervise.hpp"

namespace thalweg::cli {

namespace {

using namespace std::chrono_literals;

constexpr int distributed_exit = 8;

std::string own_host() {
  std::array<char, 256> name{};
  ::gethostname(name.data(), name.size() - 1);
  return name.data();
}

/// If rank 0 has the same error, only rank 0 reports it, and the launcher then ends the other ranks.
int report_error(Communicator& ranks, int code, std::string_view message) {
  if (ranks.rank() == 0) {
    say("thalweg: {}\n", message);
    ranks.give_up({});
    return code;
  }
  // Slurm ends the other ranks by SIGTERM, and its exit code is the highest of all: so each keeps that of the error
  std::signal(SIGTERM, SIG_IGN);
  const bool of_all = code == static_cast<int>(ErrorKind::numbers);  // the same numbers on every rank
  if (ranks.give_up(of_all ? std::chrono::milliseconds(1h) : 2s)) {
    std::this_thread::sleep_for(1s);
  } else {
    say("thalweg: rank {} on {}: {}\n", ranks.rank(), ranks.host(ranks.rank()), message);
  }
  return code;
}

cpu_set_t cores_of(pid_t process) {
  cpu_set_t cores;
  CPU_ZERO(&cores);
  ::sched_getaffinity(process, sizeof cores, &cores);
  return cores;
}

/// Open MPI binds one or two ranks of a host to a core each, and more to sockets, if it is not told how. Where these
/// are not equal shares of the cores, for example two ranks on a host of 16, the rank runs on all cores of its
/// launcher.
void undo_default_binding() {
  const char* const ranks_here = std::getenv("OMPI_COMM_WORLD_LOCAL_SIZE");
  if (!ranks_here || !std::getenv("OMPI_MCA_orte_bound_at_launch") || std::getenv("OMPI_MCA_hwloc_base_binding_policy"))
    return;
  const cpu_set_t own = cores_of(0), all = cores_of(::getppid());
  if (CPU_COUNT(&own) * std::atoi(ranks_here) != CPU_COUNT(&all)) ::sched_setaffinity(0, sizeof all, &all);
}

int work_as_rank(const RankOptions& options, const Context& context, const std::function<int(const Context&)>& work) {
  std::shared_ptr<Communicator> ranks;
  const auto report = [&](int code, std::string_view message) {
    if (ranks) return report_error(*ranks, code, message);
    say("thalweg: {}\n", message);
    return code;
  };
  return guarded(report, [&] {
    ranks = open_mpi(std::chrono::seconds(static_cast<std::int64_t>(options.patience)));
    Context own = context;
    own.ranks = ranks;
    own.quiet = own.quiet || ranks->rank() != 0;
    if (!own.quiet) say("{} ranks\n", ranks->size());
    const int code = work(own);
    flush_output();
    ranks->finish();
    return code;
  });
}

}  // namespace

int over_ranks(const RankOptions& options, const Context& context, const std::function<int(const Context&)>& work) {
  const std::optional<Launch> launch = launched();
  if (launch) undo_default_binding();
  const bool several = options.distributed == "mpi" || (options.distributed == "auto" && launch && launch->size > 1);
  if (!several) return work(context);
  return supervise([&] { return work_as_rank(options, context, work); },
                   [&](const char* reason) {
                     say("thalweg: [distributed] rank {} on {} {}. Hint: --resume goes on from the last checkpoint, "
                         "with any number of ranks.\n",
                         launch ? launch->rank : 0, own_host(), reason);
                     return distributed_exit;
                   });
}

int threads_of_rank(const Communicator& ranks) {
  const int threads = default_threads();
  return std::getenv("THALWEG_THREADS") ? threads : std::max(1, threads / ranks.ranks_on_host());
}

}  // namespace thalweg::cli
