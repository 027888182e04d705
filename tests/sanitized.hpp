#pragma once
// Which sanitizer the tests are built with. Sanitizers add memory and threads of their own, so tests that count these
// are skipped or loosened.

namespace thalweg::testing {

// g++ defines a macro for each sanitizer; Clang is asked
#ifdef __has_feature
constexpr bool address_sanitizer = __has_feature(address_sanitizer);
constexpr bool thread_sanitizer = __has_feature(thread_sanitizer);
#else
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
#endif

}  // namespace thalweg::testing
