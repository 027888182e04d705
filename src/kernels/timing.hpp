#pragma once
// How long a short call takes on this machine, in seconds.

#include <functional>

#include "core/workers.hpp"

namespace thalweg {

/// Seconds of one call while `at_once` threads (at most those of the workers) make such calls at the same time: the
/// median of some rounds, in each of which a short call is made many times. `call(thread, i)` is the i-th call of a
/// thread. If all workers make calls, the processor time of their threads is measured, so that other programs do not
/// distort the result.
[[nodiscard]] double seconds_a_call(Workers& workers, std::int64_t at_once,
                                    const std::function<void(std::int64_t, std::int64_t)>& call);

}  // namespace thalweg
