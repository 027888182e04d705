#pragma once
// Returns free memory of this process to the system.

namespace thalweg {

/// Returns the C library's free memory to the system. The library would otherwise keep what ended threads have freed.
void return_free_memory();

}  // namespace thalweg
