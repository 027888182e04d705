#pragma once
// A rank as two processes: one that does the work, and one that outlives it and says how it ended.

#include <functional>

namespace thalweg {

/// Runs `work` in a process of its own and gives its exit code. Where it died instead (killed, out of memory, an exit
/// in its middle), `died` gets the reason, as "was killed by signal 9 (Killed)", and gives the code. To be called
/// before the process has a second thread.
int supervise(const std::function<int()>& work, const std::function<int(const char* reason)>& died);

}  // namespace thalweg
