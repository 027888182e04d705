#pragma once
// Quantiles of the durations of a frequent event, in memory that does not grow.

#include <array>
#include <bit>
#include <cstdint>

namespace thalweg::cli {

/// Counts durations in nanoseconds, in bins that are 1/32 of an octave wide. A quantile is accurate to 3 %.
class Latencies {
 public:
  void add(std::int64_t nanoseconds) {
    ++bins_[bin_of(static_cast<std::uint64_t>(nanoseconds < 0 ? 0 : nanoseconds))];
    ++count_;
  }
  [[nodiscard]] std::int64_t count() const { return count_; }
  /// In seconds: the fraction `part` of all durations is at most this long. 0 if there are none.
  [[nodiscard]] double quantile(double part) const {
    std::int64_t left = static_cast<std::int64_t>(part * static_cast<double>(count_));
    for (std::size_t bin = 0; bin < bins_.size(); ++bin) {
      left -= bins_[bin];
      if (left < 0 || (left == 0 && part == 1)) return upper_end(bin) * 1e-9;
    }
    return 0;
  }

 private:
  static constexpr unsigned fine_bits = 5;
  static constexpr std::size_t fine = std::size_t{1} << fine_bits;

  static std::size_t bin_of(std::uint64_t time) {
    if (time < fine) return static_cast<std::size_t>(time);
    const auto octave = static_cast<unsigned>(std::bit_width(time)) - 1 - fine_bits;
    return (octave + 1) * fine + static_cast<std::size_t>((time >> octave) - fine);
  }
  static double upper_end(std::size_t bin) {
    if (bin < fine) return static_cast<double>(bin);
    const auto octave = static_cast<unsigned>(bin / fine - 1);
    return static_cast<double>(((bin % fine + fine + 1) << octave) - 1);
  }

  std::array<std::int64_t, (64 - fine_bits + 1) * fine> bins_{};
  std::int64_t count_ = 0;
};

}  // namespace thalweg::cli
