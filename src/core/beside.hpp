#pragma once
// Libraries that are opened at run time, and lie beside this one.

namespace thalweg {

/// dlopen of the file of this name in the folder of this library (or of the program that contains it), and otherwise
/// wherever the loader looks. Throws UsageError with what the loader said of the first, behind "[who] ", and the hint.
void* open_beside(const char* name, int flags, const char* who, const char* hint);

}  // namespace thalweg
