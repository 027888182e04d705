// Sound from the magnitudes of a spectrum.

#include <algorithm>
#include <cmath>
#include <complex>
#include <numbers>
#include <unsupported/Eigen/FFT>
#include <vector>

#include "core/error.hpp"
#include "core/hann.hpp"
#include "thalweg/sound.hpp"

namespace thalweg {

namespace {

using Complex = std::complex<double>;
using Spectrum = std::vector<Complex>;  // (frames, bins)

/// The transform of frames with a Hann window, and the sound nearest to a spectrum.
class Frames {
 public:
  Frames(std::int64_t frames, const SpectrumOptions& o)
      : frames_(static_cast<std::size_t>(frames)),
        hop_(static_cast<std::size_t>(o.hop)),
        size_(static_cast<std::size_t>(o.size)),
        bins_(size_ / 2 + 1),
        samples_((frames_ - 1) * hop_ + static_cast<std::size_t>(o.window)),
        window_(hann_window(o.window)),
        weights_(samples_) {
    for (std::size_t frame = 0; frame < frames_; ++frame) {
      for (std::size_t n = 0; n < window_.size(); ++n) weights_[frame * hop_ + n] += window_[n] * window_[n];
    }
  }

  void transform(const std::vector<double>& sound, Spectrum& into) {
    std::vector<double> part(size_);
    std::vector<Complex> spectrum;
    for (std::size_t frame = 0; frame < frames_; ++frame) {
      for (std::size_t n = 0; n < window_.size(); ++n) part[n] = window_[n] * sound[frame * hop_ + n];
      fft_.fwd(spectrum, part);
      std::copy_n(spectrum.begin(), bins_, into.begin() + static_cast<std::ptrdiff_t>(frame * bins_));
    }
  }

  /// The least-squares solution: windowed frames are added and divided by the sum of squared windows (Griffin and Lim,
  /// eq. 6).
  void invert(const Spectrum& spectrum, std::vector<double>& into) {
    constexpr double smallest = 1e-8;
    std::ranges::fill(into, 0.);
    std::vector<double> part;
    std::vector<Complex> whole(size_);
    for (std::size_t frame = 0; frame < frames_; ++frame) {
      for (std::size_t k = 0; k < size_; ++k) {  // a real sound has a symmetric spectrum
        const Complex& half = spectrum[frame * bins_ + std::min(k, size_ - k)];
        whole[k] = k < bins_ ? half : std::conj(half);
      }
      std::vector<Complex> time;
      fft_.inv(time, whole);
      for (std::size_t n = 0; n < window_.size(); ++n) into[frame * hop_ + n] += window_[n] * time[n].real();
    }
    for (std::size_t i = 0; i < samples_; ++i) into[i] /= std::max(weights_[i], smallest);
  }

  [[nodiscard]] std::size_t samples() const { return samples_; }

 private:
  std::size_t frames_, hop_, size_, bins_, samples_;
  std::vector<double> window_, weights_;
  Eigen::FFT<double> fft_;
};

/// The triangles, stored for each bin: the bands that contain it.
class Triangles {
 public:
  Triangles(const Tensor& filters, std::size_t bands) : bands_(bands), bins_(filters.shape()[0]) {
    for (std::size_t i = 0; i < bins_.size() * bands; ++i) {
      const double height = filters.at(static_cast<std::int64_t>(i));
      if (height > 0) bins_[i / bands].push_back({i % bands, height});
    }
  }
  [[nodiscard]] std::size_t bins() const { return bins_.size(); }
  /// (bins) -> (bands), and back.
  void gather(const std::vector<double>& bins, std::vector<double>& into) const {
    into.assign(bands_, 0.);
    for (std::size_t k = 0; k < bins_.size(); ++k) {
      for (const auto& [band, height] : bins_[k]) into[band] += height * bins[k];
    }
  }
  void spread(const std::vector<double>& bands, std::vector<double>& into) const {
    into.assign(bins_.size(), 0.);
    for (std::size_t k = 0; k < bins_.size(); ++k) {
      for (const auto& [band, height] : bins_[k]) into[k] += height * bands[band];
    }
  }

 private:
  std::size_t bands_;
  std::vector<std::vector<std::pair<std::size_t, double>>> bins_;
};

}  // namespace

Tensor magnitudes_of_mel(const Tensor& log_mel, const SpectrumOptions& spectrum, const MelOptions& options) {
  constexpr int turns = 50;
  constexpr double smallest = 1e-30;
  const Shape& shape = log_mel.shape();
  if (shape.rank() != 2 || shape[1] != options.bands)
    fail<UsageError>("[griffin_lim] log-mel frames {}. Wanted: (frames, {})", shape, options.bands);
  const auto bands = static_cast<std::size_t>(options.bands);
  const Triangles triangles(mel_filters(spectrum, options), bands);
  Tensor magnitudes({shape[0], static_cast<std::int64_t>(triangles.bins())});
  const auto into = magnitudes.mutable_values<float>();
  std::vector<double> energy(bands), power, own, change, heights;
  triangles.spread(std::vector<double>(bands, 1), heights);
  for (std::int64_t frame = 0; frame < shape[0]; ++frame) {
    for (std::size_t band = 0; band < bands; ++band)
      energy[band] = std::max(smallest, std::exp(log_mel.at(frame * shape[1] + static_cast<std::int64_t>(band))));
    triangles.spread(energy, power);
    for (int turn = 0; turn < turns; ++turn) {
      triangles.gather(power, own);
      for (std::size_t band = 0; band < bands; ++band)
        own[band] = std::log(energy[band] / std::max(own[band], smallest));
      triangles.spread(own, change);
      for (std::size_t k = 0; k < power.size(); ++k) power[k] *= std::exp(change[k] / std::max(heights[k], smallest));
    }
    for (std::size_t k = 0; k < power.size(); ++k)
      into[static_cast<std::size_t>(frame) * power.size() + k] = static_cast<float>(std::sqrt(power[k]));
  }
  return magnitudes;
}

Tensor griffin_lim(const Tensor& magnitudes, const SpectrumOptions& options, std::int64_t iterations, double momentum,
                   std::uint64_t seed) {
  const Shape& shape = magnitudes.shape();
  const bool fits = shape.rank() == 2 && shape[0] > 0 && options.window > 0 && options.hop > 0 &&
                    options.size >= options.window && shape[1] == options.size / 2 + 1 && iterations >= 0;
  if (!fits)
    fail<UsageError>("[griffin_lim] magnitudes {}, {} iterations. Wanted: (frames, {}), and 0 or more", shape,
                     iterations, options.size / 2 + 1);
  Frames frames(shape[0], options);
  const Tensor angles = random_uniform(shape, 0, 2 * std::numbers::pi, seed, f64);
  Spectrum guess(static_cast<std::size_t>(shape.size())), now(guess.size()), before(guess.size());
  for (std::size_t i = 0; i < guess.size(); ++i)
    guess[i] = std::polar(magnitudes.at(static_cast<std::int64_t>(i)), angles.at(static_cast<std::int64_t>(i)));
  std::vector<double> sound(frames.samples());
  for (std::int64_t turn = 0; turn < iterations; ++turn) {
    frames.invert(guess, sound);
    frames.transform(sound, now);
    for (std::size_t i = 0; i < guess.size(); ++i) {
      const Complex ahead = turn == 0 ? now[i] : now[i] + momentum * (now[i] - before[i]);
      const double size = std::abs(ahead);
      guess[i] = magnitudes.at(static_cast<std::int64_t>(i)) * (size > 0 ? ahead / size : Complex(1));
    }
    std::swap(now, before);
  }
  frames.invert(guess, sound);
  Tensor result({static_cast<std::int64_t>(sound.size())});
  std::ranges::transform(sound, result.mutable_values<float>().begin(), [](double x) { return static_cast<float>(x); });
  return result;
}

}  // namespace thalweg
