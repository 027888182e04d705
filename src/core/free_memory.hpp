#pragma once
// Memory that is free in this process, and not yet for others.

namespace thalweg {

/// Gives the C library's free memory back to the system. It keeps what threads freed that have ended.
void return_free_memory();

}  // namespace thalweg
