// Texts of random numbers: Philox 4x32-10 (Salmon et al. 2011) by the counters of core/random.hpp, so that a sample's
// numbers are the same on every device.

#include "cuda/texts/text.hpp"

namespace thalweg::cuda::texts {

namespace {

constexpr std::int64_t per_counter = 4;

constexpr std::string_view philox = R"(
  const auto mix = [](unsigned long long x) {
    x += 0x9e3779b97f4a7c15ull;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
    return x ^ (x >> 31);
  };
  struct Words { unsigned at[4]; };
  const auto words_of = [=](unsigned long long seed, unsigned long long purpose, unsigned long long counter) {
    unsigned w[4] = {(unsigned)counter, (unsigned)(counter >> 32), (unsigned)purpose, (unsigned)(purpose >> 32)};
    const unsigned long long key = mix(seed);
    unsigned low = (unsigned)key, high = (unsigned)(key >> 32);
    for (int round = 0; round < 10; ++round) {
      const unsigned long long a = 0xd2511f53ull * w[0], b = 0xcd9e8d57ull * w[2];
      const unsigned next[4] = {(unsigned)(b >> 32) ^ w[1] ^ low, (unsigned)b, (unsigned)(a >> 32) ^ w[3] ^ high,
                                (unsigned)a};
      for (int k = 0; k < 4; ++k) w[k] = next[k];
      low += 0x9e3779b9u;
      high += 0xbb67ae85u;
    }
    return Words{{w[0], w[1], w[2], w[3]}};
  };
)";

constexpr std::string_view key = R"(
      const tw_index sample = i / counters, first = i % counters * 4;
      const unsigned long long seed = (unsigned long long)in0[0];
      const unsigned long long own = mix((unsigned long long)purpose ^ mix((unsigned long long)in1[0]));
      const unsigned long long counter = (unsigned long long)((long long)in2[sample] * counters + i % counters);
      const Words high = words_of(seed, own, counter);
)";
constexpr std::string_view narrow_numbers = R"(
      for (int k = 0; k < 4 && first + k < share; ++k)
        put0(sample * share + first + k, (float)(high.at[k] >> 8) * 0x1p-24f);
)";
/// The words of a second stream come below those of the first.
constexpr std::string_view wide_numbers = R"(
      const Words low = words_of(seed, mix(own ^ mix(1)), counter);
      for (int k = 0; k < 4 && first + k < share; ++k) {
        const unsigned long long bits = (unsigned long long)high.at[k] << 32 | low.at[k];
        put0(sample * share + first + k, (double)(bits >> 11) * 0x1p-53);
      }
)";

std::optional<EmittedKernel> uniform(const KernelSite& site) {
  const std::int64_t samples = elements(site.inputs[2].shape), share = elements(site.output.shape) / samples;
  const std::int64_t counters = parts_of(share, per_counter);
  Text text(site);
  text.let("purpose", site.ints[0]).let("share", share).let("counters", counters).head(philox);
  return text
      .each("", samples * counters,
            std::string(key) + std::string(site.output.dtype == f32 ? narrow_numbers : wide_numbers))
      .made();
}

/// kernels/random.cpp, poisson_quantile.
std::optional<EmittedKernel> poisson_count(const KernelSite& site) {
  Text text(site);
  return text
      .each("", elements(site.output.shape), R"(
      const double u = (double)get0(i), mean = (double)get1(i), negligible = 1e-18;
      if (!(mean >= 0 && mean <= 1e8)) {
        put0(i, (T)(tw_infinity() - tw_infinity()));
      } else {
        double first = tw_floor_of(mean), weight = 1;
        while (first > 0 && weight > negligible) {
          weight *= first / mean;
          --first;
        }
        double total = 0, sum = 0, k = first, w = weight;
        for (; !(k > mean && w <= negligible); ++k) {
          total += w;
          w *= mean / (k + 1);
        }
        for (k = first, w = weight;; ++k) {
          sum += w;
          if (sum > u * total || (k > mean && w <= negligible)) break;
          w *= mean / (k + 1);
        }
        put0(i, (T)k);
      }
)")
      .made();
}

}  // namespace

std::span<const TextRow> random_texts() {
  static constexpr TextRow rows[] = {{"uniform", uniform}, {"poisson_count", poisson_count}};
  return rows;
}

}  // namespace thalweg::cuda::texts
