#include "insight/look.hpp"

#include <cmath>
#include <limits>

namespace thalweg {

namespace {

constexpr double bins_a_decade = 4;
constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN();

template <class T>
void add_to(Moved& moved, std::span<const T> before, std::span<const T> after, std::span<const T> gradient) {
  constexpr double rounding = 4 * static_cast<double>(std::numeric_limits<T>::epsilon());
  for (std::size_t i = 0; i < before.size(); ++i) {
    const double value = std::abs(static_cast<double>(before[i]));
    const double change = std::abs(static_cast<double>(after[i]) - static_cast<double>(before[i]));
    const double rate = change / std::abs(static_cast<double>(gradient[i]));
    moved.before += value * value;
    moved.change += change * change;
    if (!(change > rounding * value) || !std::isfinite(rate)) {
      ++moved.rates.unmoved;
    } else {
      ++moved.rates.bins[static_cast<int>(std::lround(bins_a_decade * std::log10(rate)))];
    }
  }
}

}  // namespace

double RateHistogram::rate_of(int bin) { return std::pow(10, bin / bins_a_decade); }

std::int64_t RateHistogram::moved() const {
  std::int64_t all = 0;
  for (const auto& [bin, count] : bins) all += count;
  return all;
}

double RateHistogram::quantile(double part) const {
  const double wanted = part * static_cast<double>(moved());
  std::int64_t seen = 0;
  for (const auto& [bin, count] : bins) {
    seen += count;
    if (static_cast<double>(seen) >= wanted) return rate_of(bin);
  }
  return not_a_number;
}

Estimate noise_scale(std::span<const Look> looks) {
  const auto count = static_cast<double>(looks.size());
  double signal = 0, noise = 0, mean = 0, squares = 0;
  for (const Look& look : looks) signal += look.signal, noise += look.noise;
  if (!(signal > 0)) return {not_a_number, not_a_number};
  const auto without = [&](const Look& look) {
    const double rest = signal - look.signal;
    return rest > 0 ? (noise - look.noise) / rest : std::numeric_limits<double>::infinity();
  };
  for (const Look& look : looks) mean += without(look) / count;
  for (const Look& look : looks) squares += std::pow(without(look) - mean, 2);
  const bool is_known = looks.size() >= 3 && std::isfinite(mean);
  return {noise / signal,
          is_known ? std::sqrt((count - 1) / count * squares) : std::numeric_limits<double>::infinity()};
}

double signal_to_noise(std::span<const Look> looks) {
  double signal = 0, noise = 0;
  for (const Look& look : looks) signal += look.signal, noise += look.noise / static_cast<double>(look.batch_size);
  return signal > 0 ? signal / noise : not_a_number;
}

void Moved::add(const Tensor& values_before, const Tensor& values_after, const Tensor& gradient, std::int64_t begin,
                std::int64_t end) {
  const auto from = static_cast<std::size_t>(begin), size = static_cast<std::size_t>(end - begin);
  const auto part = [&]<class T>(T) {
    add_to<T>(*this, values_before.values<T>().subspan(from, size), values_after.values<T>().subspan(from, size),
              gradient.values<T>().subspan(from, size));
  };
  values_before.dtype() == f32 ? part(float{}) : part(double{});
}

}  // namespace thalweg
