#pragma once
// Counts heap allocations, so that a test can expect none. allocations.cpp replaces operator new of the whole program.

namespace thalweg::testing {

/// The number of calls of operator new in this program so far.
[[nodiscard]] long allocations();

}  // namespace thalweg::testing
