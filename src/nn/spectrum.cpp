// Spectra of sounds, in primitive ops.

#include <algorithm>
#include <cmath>
#include <numbers>

#include "core/error.hpp"
#include "core/hann.hpp"
#include "graph/tracing.hpp"
#include "thalweg/ops.hpp"
#include "thalweg/sound.hpp"

namespace thalweg {

namespace {

constexpr double turn = 2 * std::numbers::pi;

void check(const SpectrumOptions& o) {
  if (o.window >= 1 && o.hop >= 1 && o.size >= o.window) return;
  fail<UsageError>(
      "[stft] a window of {} and a hop of {} samples, a transform of {}. Wanted: at least 1, 1 and the window",
      o.window, o.hop, o.size);
}

std::int64_t bins_of(const SpectrumOptions& o) { return o.size / 2 + 1; }

/// f64 (window, 2 bins): the window times cos, then times -sin.
Tensor transform_of(const SpectrumOptions& o) {
  const std::int64_t bins = bins_of(o);
  Tensor matrix({o.window, 2 * bins}, f64);
  const auto values = matrix.mutable_values<double>();
  const std::vector<double> window = hann_window(o.window);
  for (std::int64_t n = 0; n < o.window; ++n) {
    const double weight = window[static_cast<std::size_t>(n)];
    for (std::int64_t k = 0; k < bins; ++k) {  // the angle modulo a full turn, so that it keeps its digits
      const double angle = turn * static_cast<double>(k * n % o.size) / static_cast<double>(o.size);
      values[static_cast<std::size_t>(n * 2 * bins + k)] = weight * std::cos(angle);
      values[static_cast<std::size_t>(n * 2 * bins + bins + k)] = -weight * std::sin(angle);
    }
  }
  return matrix;
}

/// (batch, samples) -> (batch, frames, window): cuts the samples into pieces of one hop, and joins consecutive pieces
/// to a frame.
Var frames_of(Var x, const SpectrumOptions& o) {
  const std::int64_t batch = x.dim(0), frames = 1 + (x.dim(1) - o.window) / o.hop,
                     pieces = (o.window + o.hop - 1) / o.hop, needed = (frames + pieces - 1) * o.hop;
  const Var all = needed > x.dim(1) ? pad(x, {{0, 0}, {0, needed - x.dim(1)}}) : x;
  std::vector<Var> parts;
  for (std::int64_t i = 0; i < pieces; ++i)
    parts.push_back(reshape(slice(all, i * o.hop, (i + frames) * o.hop, 1), {batch, frames, o.hop}));
  return slice(parts.size() == 1 ? parts.front() : concat(parts, -1), 0, o.window, -1);
}

double mel(double frequency) { return 2595 * std::log10(1 + frequency / 700); }
double frequency(double mel) { return 700 * (std::pow(10, mel / 2595) - 1); }

}  // namespace

Var stft(const Arg& x, const SpectrumOptions& options) {
  check(options);
  const Var v = var_of(x);
  if (v.rank() != 2 || !is_float(v.dtype()) || v.dim(1) < options.window)
    fail<UsageError>("[stft] {} {}. Wanted: f32 or f64 (batch, samples), at least the window's {} samples{}", v.dtype(),
                     v.shape(), options.window, at(x.source()));
  const Var frames = frames_of(v, options);
  const Var matrix = v.graph().constant(transform_of(options).to(v.dtype()));
  return reshape(matmul(frames, matrix), {v.dim(0), frames.dim(1), 2, bins_of(options)});
}

Tensor mel_filters(const SpectrumOptions& spectrum, const MelOptions& o) {
  check(spectrum);
  const double nyquist = static_cast<double>(o.rate) / 2, high = o.high == 0 ? nyquist : o.high;
  if (o.bands < 1 || o.rate < 1 || o.low < 0 || !(o.low < high) || high > nyquist)
    fail<UsageError>("[log_mel] {} bands from {} to {} Hz at {} samples a second. Wanted: within 0 to {} Hz", o.bands,
                     o.low, high, o.rate, nyquist);
  const std::int64_t bins = bins_of(spectrum);
  const auto corner = [&](std::int64_t i) {
    return frequency(mel(o.low) + (mel(high) - mel(o.low)) * static_cast<double>(i) / static_cast<double>(o.bands + 1));
  };
  Tensor filters({bins, o.bands}, f64);
  for (std::int64_t band = 0; band < o.bands; ++band) {
    const double left = corner(band), centre = corner(band + 1), right = corner(band + 2);
    for (std::int64_t k = 0; k < bins; ++k) {
      const double f = static_cast<double>(k * o.rate) / static_cast<double>(spectrum.size);
      const double height = std::min((f - left) / (centre - left), (right - f) / (right - centre));
      filters.set(k * o.bands + band, std::max(0., height));
    }
  }
  return filters;
}

Var log_mel(const Arg& x, const SpectrumOptions& spectrum, const MelOptions& options) {
  if (!(options.floor > 0)) fail<UsageError>("[log_mel] a floor of {}. Wanted: > 0", options.floor);
  const Tensor filters = mel_filters(spectrum, options);
  const Var parts = stft(x, spectrum), energy = sum(square(parts), 2);
  const Var bands = matmul(energy, parts.graph().constant(filters.to(parts.dtype())));
  return log(maximum(bands, options.floor));
}

}  // namespace thalweg
