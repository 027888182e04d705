// BLEU, from counts of n-grams of tokens.

#include "thalweg/bleu.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

namespace thalweg {

namespace {

using Run = std::array<std::int32_t, 4>;

/// How often each n-gram occurs.
std::map<Run, std::int64_t> runs_of(std::span<const std::int32_t> tokens, std::size_t n) {
  std::map<Run, std::int64_t> counts;
  for (std::size_t begin = 0; begin + n <= tokens.size(); ++begin) {
    Run run = {};
    std::ranges::copy(tokens.subspan(begin, n), run.begin());
    ++counts[run];
  }
  return counts;
}

}  // namespace

double BleuCounts::bleu() const {
  if (length == 0 && reference > 0) return 0;
  double logarithm = 0;
  for (std::size_t i = 0; i < matches.size(); ++i) {
    if (matches[i] == 0) return written[i] == 0 ? std::numeric_limits<double>::quiet_NaN() : 0;
    logarithm += std::log(static_cast<double>(matches[i]) / static_cast<double>(written[i])) / 4;
  }
  return std::exp(logarithm + std::min(0., 1 - static_cast<double>(reference) / static_cast<double>(length)));
}

BleuCounts& BleuCounts::operator+=(const BleuCounts& other) {
  for (std::size_t i = 0; i < matches.size(); ++i) {
    matches[i] += other.matches[i];
    written[i] += other.written[i];
  }
  length += other.length;
  reference += other.reference;
  return *this;
}

BleuCounts bleu_counts(std::span<const std::int32_t> written, std::span<const std::int32_t> reference) {
  BleuCounts counts{.length = std::ssize(written), .reference = std::ssize(reference)};
  for (std::size_t i = 0; i < counts.matches.size(); ++i) {
    const std::map<Run, std::int64_t> there = runs_of(reference, i + 1);
    for (const auto& [run, count] : runs_of(written, i + 1)) {
      counts.written[i] += count;
      if (const auto found = there.find(run); found != there.end()) counts.matches[i] += std::min(count, found->second);
    }
  }
  return counts;
}

}  // namespace thalweg
