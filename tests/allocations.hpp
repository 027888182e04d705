#pragma once

namespace thalweg::testing {

/// Calls of operator new in this program so far.
[[nodiscard]] long allocations();

}  // namespace thalweg::testing
