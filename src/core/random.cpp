#include "core/random.hpp"

#include <Random123/philox.h>

#include <cmath>
#include <numbers>
#include <numeric>

namespace thalweg {

namespace {
// splitmix64's finaliser: spreads close inputs over all 64 bits.
std::uint64_t mix(std::uint64_t x) {
  x += 0x9e3779b97f4a7c15ULL;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
  return x ^ (x >> 31);
}
}  // namespace

RandomKey RandomKey::fold(std::string_view name) const {
  std::uint64_t hash = 0xcbf29ce484222325ULL;  // FNV-1a
  for (unsigned char c : name) hash = (hash ^ c) * 0x100000001b3ULL;
  return fold(hash);
}

RandomKey RandomKey::fold(std::uint64_t number) const { return {seed, mix(purpose ^ mix(number))}; }

double seed_number(std::uint64_t seed) { return static_cast<double>(RandomKey{}.fold(seed).purpose >> 11); }

std::array<std::uint32_t, 4> random_words(RandomKey key, std::uint64_t counter) {
  const r123::Philox4x32::ctr_type words{
      {static_cast<std::uint32_t>(counter), static_cast<std::uint32_t>(counter >> 32),
       static_cast<std::uint32_t>(key.purpose), static_cast<std::uint32_t>(key.purpose >> 32)}};
  const std::uint64_t seed = mix(key.seed);
  const r123::Philox4x32::key_type seed_words{
      {static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32)}};
  const auto out = r123::Philox4x32{}(words, seed_words);
  return {out[0], out[1], out[2], out[3]};
}

namespace {
double unit(std::uint32_t high, std::uint32_t low) {
  return static_cast<double>(((static_cast<std::uint64_t>(high) << 32) | low) >> 11) * 0x1p-53;
}
}  // namespace

double random_unit(RandomKey key, std::uint64_t counter) {
  const auto w = random_words(key, counter);
  return unit(w[0], w[1]);
}

double random_gauss(RandomKey key, std::uint64_t counter) {
  const auto w = random_words(key, counter);
  const double radius = std::sqrt(-2.0 * std::log(1.0 - unit(w[0], w[1])));
  return radius * std::cos(2.0 * std::numbers::pi * unit(w[2], w[3]));
}

__extension__ using Wide = unsigned __int128;

std::vector<std::int64_t> shuffled(RandomKey key, std::int64_t n) {
  std::vector<std::int64_t> order(static_cast<std::size_t>(n));
  std::iota(order.begin(), order.end(), 0);
  const std::uint64_t start = mix(key.purpose ^ mix(key.seed));
  std::int64_t* const rows = order.data();
  for (std::uint64_t i = 0, left = order.size(); left > 1; ++i, --left) {
    // the high half of a product is uniform below its factor, up to an error of n / 2^64 (Lemire 2019)
    const auto word = static_cast<Wide>(mix(start + i));
    std::swap(rows[i], rows[i + static_cast<std::uint64_t>(word * left >> 64)]);
  }
  return order;
}

Permutation::Permutation(RandomKey key, std::int64_t n) : key_(key), n_(n) {
  while ((std::int64_t{1} << (2 * half_bits_)) < n) ++half_bits_;
}

std::int64_t Permutation::operator()(std::int64_t place) const {
  const std::uint64_t mask = (std::uint64_t{1} << half_bits_) - 1;
  auto value = static_cast<std::uint64_t>(place);
  do {
    std::uint64_t left = value >> half_bits_, right = value & mask;
    for (std::uint64_t round = 0; round < 6; ++round) {
      const std::uint64_t scrambled = mix(right ^ mix(key_.purpose ^ mix(key_.seed + round))) & mask;
      const std::uint64_t next = left ^ scrambled;
      left = right;
      right = next;
    }
    value = (left << half_bits_) | right;
  } while (value >= static_cast<std::uint64_t>(n_));
  return static_cast<std::int64_t>(value);
}

}  // namespace thalweg
