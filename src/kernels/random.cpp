#include "kernels/random.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include "core/index.hpp"
#include "kernels/for_float.hpp"

namespace thalweg {

namespace {

constexpr std::int64_t per_counter = 4;

/// Four numbers. In f64, the words of a second stream give the lower bits, so that both dtypes give the same number,
/// truncated to 24 bits or to 53.
template <class T>
std::array<T, per_counter> units(RandomKey key, std::uint64_t counter) {
  const auto high = random_words(key, counter);
  std::array<T, per_counter> u;
  if constexpr (sizeof(T) == 4) {
    for (std::size_t k = 0; k < 4; ++k) u[k] = static_cast<float>(high[k] >> 8) * 0x1p-24F;
  } else {
    const auto low = random_words(key.fold(std::uint64_t{1}), counter);
    for (std::size_t k = 0; k < 4; ++k)
      u[k] = static_cast<double>((static_cast<std::uint64_t>(high[k]) << 32 | low[k]) >> 11) * 0x1p-53;
  }
  return u;
}

std::uint64_t first_counter(std::int64_t share, std::int64_t place) {
  return static_cast<std::uint64_t>(place * ((share + per_counter - 1) / per_counter));
}

template <class T>
void fill(RandomKey key, std::int64_t share, std::int64_t place, T* out) {
  std::uint64_t counter = first_counter(share, place);
  for (std::int64_t i = 0; i < share; i += per_counter) {
    const auto u = units<T>(key, counter++);
    std::copy_n(u.begin(), std::min(share - i, per_counter), out + i);
  }
}

template <class T>
Kernel make(std::uint64_t purpose, std::int64_t samples, std::int64_t share) {
  return {[=](const KernelCall& call) {
            const auto whole = [&](int input) { return static_cast<std::uint64_t>(*call.in<double>(input)); };
            const RandomKey key = RandomKey{whole(0), purpose}.fold(whole(1));
            const auto* places = call.in<std::int32_t>(2);
            // each sample has its own numbers, so that every split gives the same result
            const std::int64_t at_once = std::max<std::int64_t>(1, split_elements / std::max<std::int64_t>(1, share));
            call.workers.run((samples + at_once - 1) / at_once, [&](std::int64_t part) {
              const std::int64_t end = std::min(samples, (part + 1) * at_once);
              for (std::int64_t s = part * at_once; s < end; ++s)
                fill(key, share, places[s], call.out<T>() + s * share);
            });
          },
          0};
}

}  // namespace

Kernel make_uniform(const KernelSite& site) {
  const auto purpose = std::bit_cast<std::uint64_t>(site.ints[0]);
  const std::int64_t samples = site.inputs[2].shape.size(), share = site.output.shape.size() / samples;
  return site.output.dtype == f32 ? make<float>(purpose, samples, share) : make<double>(purpose, samples, share);
}

Kernel make_poisson_counts(const KernelSite& site) {
  constexpr std::int64_t at_once = 1 << 10;
  return for_float(site.output.dtype, [size = site.output.shape.size()]<class T>(T) -> Kernel {
    return {[size](const KernelCall& call) {
              const T *u = call.in<T>(0), *mean = call.in<T>(1);
              call.workers.run((size + at_once - 1) / at_once, [&](std::int64_t part) {
                for (std::int64_t i = part * at_once; i < std::min(size, (part + 1) * at_once); ++i)
                  call.out<T>()[i] = static_cast<T>(poisson_quantile(u[i], mean[i]));
              });
            },
            0};
  });
}

double poisson_quantile(double u, double mean) {
  constexpr double largest = 1e8, negligible = 1e-18;  // relative to the probability of the likeliest count
  if (!(mean >= 0 && mean <= largest)) return std::numeric_limits<double>::quiet_NaN();
  double first = std::floor(mean), weight = 1;  // probabilities up to a common factor
  while (first > 0 && weight > negligible) {
    weight *= first / mean;
    --first;
  }
  const auto last = [&](double k, double w) { return k > mean && w <= negligible; };
  double total = 0, sum = 0;
  for (double k = first, w = weight; !last(k, w); ++k) {
    total += w;
    w *= mean / (k + 1);
  }
  for (double k = first, w = weight;; ++k) {
    sum += w;
    if (sum > u * total || last(k, w)) return k;
    w *= mean / (k + 1);
  }
}

double uniform_element(RandomKey key, std::int64_t share, std::int64_t place, std::int64_t i) {
  const auto counter = first_counter(share, place) + static_cast<std::uint64_t>(i / per_counter);
  return at(units<double>(key, counter), i % per_counter);
}

}  // namespace thalweg
