#pragma once
// Counter-based random numbers (Philox 4x32-10; Salmon et al. 2011): a pure function of (key, counter), so that results
// do not depend on the order or the thread in which numbers are drawn.

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

namespace thalweg {

/// The key of a stream of random numbers: the user's seed and the purpose of the stream (a path, a name).
struct RandomKey {
  std::uint64_t seed = 0;
  std::uint64_t purpose = 0;
  /// Derives the key of a named purpose within this one.
  [[nodiscard]] RandomKey fold(std::string_view name) const;
  [[nodiscard]] RandomKey fold(std::uint64_t number) const;
};

/// A seed that a double can represent: 53 bits of a hash of it.
[[nodiscard]] double seed_number(std::uint64_t seed);

/// Four independent 32-bit words for one counter.
[[nodiscard]] std::array<std::uint32_t, 4> random_words(RandomKey key, std::uint64_t counter);
/// Uniform in [0, 1), 53 bits.
[[nodiscard]] double random_unit(RandomKey key, std::uint64_t counter);
/// Standard normal (Box and Muller 1958).
[[nodiscard]] double random_gauss(RandomKey key, std::uint64_t counter);

/// 0 .. n-1 in random order (Fisher and Yates 1938, from the front): fast if the whole order is needed.
[[nodiscard]] std::vector<std::int64_t> shuffled(RandomKey key, std::int64_t n);

/// A pseudo-random permutation of 0 .. n-1 that is evaluated at any position without being stored: a balanced Feistel
/// network over the next even power of two, repeated until the result is below n (Black and Rogaway 2002).
class Permutation {
 public:
  Permutation(RandomKey key, std::int64_t n);
  [[nodiscard]] std::int64_t operator()(std::int64_t place) const;
  [[nodiscard]] std::int64_t size() const { return n_; }

 private:
  RandomKey key_;
  std::int64_t n_;
  unsigned half_bits_ = 1;
};

}  // namespace thalweg
