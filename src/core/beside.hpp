#pragma once
// Opens libraries at run time that are installed in the same folder as this one.

namespace thalweg {

/// Calls dlopen for the file of this name in the folder of this library (or of the program that contains it), and if
/// that fails, wherever the loader looks. If both fail, throws UsageError with "[who] ", the loader's message about the
/// first attempt, and the hint.
void* open_beside(const char* name, int flags, const char* who, const char* hint);

}  // namespace thalweg
