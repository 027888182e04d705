// Turns sounds into the steps that a recogniser reads.

#include <algorithm>
#include <bit>
#include <cmath>

#include "core/error.hpp"
#include "thalweg/apply.hpp"
#include "thalweg/ops.hpp"
#include "thalweg/sound.hpp"

namespace thalweg {

namespace {

constexpr std::int64_t portion = 64;  // frames at a time, so that sounds of all lengths share one plan

/// Each band of frames (frames, bands) to mean 0 and deviation 1; a band that does not vary becomes 0.
void standardise_bands(std::span<float> frames, std::size_t bands) {
  constexpr double smallest = 1e-3;
  const double count = static_cast<double>(frames.size() / bands);
  for (std::size_t band = 0; band < bands; ++band) {
    double sum = 0, squares = 0;
    for (std::size_t i = band; i < frames.size(); i += bands) sum += static_cast<double>(frames[i]);
    const double mean = sum / count;
    for (std::size_t i = band; i < frames.size(); i += bands)
      squares += std::pow(static_cast<double>(frames[i]) - mean, 2);
    const double deviation = std::max(smallest, std::sqrt(squares / count));
    for (std::size_t i = band; i < frames.size(); i += bands)
      frames[i] = static_cast<float>((static_cast<double>(frames[i]) - mean) / deviation);
  }
}

}  // namespace

SpectrumOptions StepOptions::spectrum() const {
  return {.window = window,
          .hop = hop,
          .size = static_cast<std::int64_t>(std::bit_ceil(static_cast<std::uint64_t>(window)))};
}

struct SoundSteps::Impl {
  StepOptions options;
  State state = {};
  Apply bands;

  explicit Impl(const StepOptions& o)
      : options(o), bands([o](Scope, const Batch& b) { return log_mel(b["x"], o.spectrum(), o.mel()); }, 1) {
    state.layout = std::make_shared<const Layout>();  // no parameters
    state.parameters = Tensor({0});
  }
};

SoundSteps::SoundSteps(const StepOptions& options) : impl_(std::make_shared<const Impl>(options)) {
  if (options.frames < 1 || options.window < 1 || options.hop < 1 || options.rate < 1 || options.bands < 1)
    fail<UsageError>(
        "[sound] {} frames of {} bands, a window of {} and a hop of {} samples at {} a second. Wanted: 1 or "
        "more of each",
        options.frames, options.bands, options.window, options.hop, options.rate);
}

Tensor SoundSteps::operator()(const Sound& sound) const {
  const StepOptions& o = impl_->options;
  const Sound own = resampled(sound, o.rate);
  const auto from = own.samples.values<float>();
  const std::int64_t behind = std::max<std::int64_t>(0, own.samples.size() - o.window);
  const std::int64_t frames = 1 + (behind + o.hop - 1) / o.hop, steps = (frames + o.frames - 1) / o.frames;
  Tensor result({steps, o.width()});
  const auto into = result.mutable_values<float>();
  const auto bands = static_cast<std::size_t>(o.bands);
  for (std::int64_t begin = 0; begin < frames; begin += portion) {
    Tensor piece({1, (portion - 1) * o.hop + o.window});
    const std::int64_t place = begin * o.hop, there = std::min(piece.size(), own.samples.size() - place);
    if (there > 0) std::copy_n(from.begin() + place, there, piece.mutable_values<float>().begin());
    const Tensor some = impl_->bands(impl_->state, {{"x", piece}});
    const std::size_t wanted = static_cast<std::size_t>(std::min(portion, frames - begin)) * bands;
    std::ranges::copy(some.values<float>().first(wanted), into.begin() + begin * o.bands);
  }
  const std::size_t end = static_cast<std::size_t>(frames) * bands;
  if (o.standardise) {
    standardise_bands(into.first(end), bands);
  } else {
    std::ranges::fill(into.subspan(end), static_cast<float>(std::log(o.floor)));
  }
  return result;
}

}  // namespace thalweg
