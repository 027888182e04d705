#pragma once
// Runs a rank as two processes: a worker, and a parent that outlives it and reports how it ended.

#include <functional>

namespace thalweg {

/// Runs `work` in its own process and returns its exit code. If that process died (killed, out of memory, an exit in
/// between), `died` is called with the reason, such as "was killed by signal 9 (Killed)", and its result is returned.
/// Must be called before the process has a second thread.
int supervise(const std::function<int()>& work, const std::function<int(const char* reason)>& died);

}  // namespace thalweg
