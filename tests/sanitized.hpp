#pragma once
// Which sanitizer the tests are built with. Sanitizers add memory and threads of their own, so tests that count these
// are skipped or loosened.

namespace thalweg::testing {

#ifdef __SANITIZE_ADDRESS__
constexpr bool address_sanitizer = true;
#else
constexpr bool address_sanitizer = false;
#endif
#ifdef __SANITIZE_THREAD__
constexpr bool thread_sanitizer = true;
#else
constexpr bool thread_sanitizer = false;
#endif

}  // namespace thalweg::testing
