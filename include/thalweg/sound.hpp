#pragma once
// Sound: files read, rates changed, spectra as differentiable functions, and sounds from spectra.

#include <memory>

#include "thalweg/path.hpp"
#include "thalweg/tensor.hpp"
#include "thalweg/var.hpp"

namespace thalweg {

/// One channel of sound. Medium::sound makes a WAV of it.
struct Sound {
  Tensor samples = {};    ///< f32 (samples), full scale is [-1, 1]
  std::int64_t rate = 0;  ///< samples per second

  [[nodiscard]] double seconds() const { return static_cast<double>(samples.size()) / static_cast<double>(rate); }
};

/// A WAV, FLAC or Ogg file (Vorbis or Opus); several channels become their mean. Throws UsageError when there is no
/// such file, and where the library was built without libsndfile; DataError, naming the file, for another format, no
/// samples, and a damaged or truncated file; MemoryError for a file larger than half the memory of the machine.
[[nodiscard]] Sound read_sound(const Path& path);

/// The sound at another rate: up / down = to / rate in lowest terms, a low-pass filter of 20 max(up, down) + 1 taps (a
/// sinc in a Kaiser window with beta = 5, as in scipy.signal.resample_poly); the sound is 0 outside. The result has
/// ceil(samples up / down) samples, computed in f64. Throws UsageError for a rate below 1 or above 1,000,000.
[[nodiscard]] Sound resampled(const Sound& sound, std::int64_t rate);

struct SpectrumOptions {
  std::int64_t window = 400;  ///< samples of a frame, under a periodic Hann window
  std::int64_t hop = 160;     ///< samples from one frame to the next
  std::int64_t size = 512;    ///< of the transform, at least the window; the rest is zeros
};
/// The short-time Fourier transform: x (batch, samples) -> (batch, frames, 2, size / 2 + 1), real and imaginary parts
/// of sum_n window[n] x[frame hop + n] e^(-2 pi i k n / size). Frames begin at 0 and are as many as the samples fill, 1
/// + (samples - window) / hop. It is computed as a product with the matrix of the transform, so derivatives, threads
/// and bits are those of a product; with 400 samples per frame it takes some 40 million operations per second of sound.
Var stft(const Arg& x, const SpectrumOptions& options = {});

struct MelOptions {
  std::int64_t rate = 16'000;  ///< of the sound
  std::int64_t bands = 80;
  double low = 0;        ///< where the lowest band begins, in Hz
  double high = 0;       ///< where the highest ends; 0 is rate / 2
  double floor = 1e-10;  ///< energies below it count as it
};
/// Triangles over the bins of a spectrum, of height 1, whose corners are evenly spaced in mel = 2595 log10(1 + f /
/// 700): f64 (size / 2 + 1, bands).
[[nodiscard]] Tensor mel_filters(const SpectrumOptions& spectrum, const MelOptions& options = {});
/// log max(|stft|^2 filters, floor): x (batch, samples) -> (batch, frames, bands).
Var log_mel(const Arg& x, const SpectrumOptions& spectrum = {}, const MelOptions& options = {});

/// Sound from the magnitudes of its spectrum, (frames, size / 2 + 1): phases begin at random and are improved by
/// iterations (Griffin and Lim 1984) with momentum (Perraudin, Balazs and Søndergaard 2013). -> (samples), f32, as many
/// as the frames cover. Throws UsageError for shapes that do not fit.
[[nodiscard]] Tensor griffin_lim(const Tensor& magnitudes, const SpectrumOptions& options = {},
                                 std::int64_t iterations = 32, double momentum = 0.99, std::uint64_t seed = 1);

/// Magnitudes that have such log-mel frames (frames, bands), as nearly as can be: the energy of each bin is multiplied
/// 50 times by the mean ratio, in logarithms and weighted by the triangles, of its bands' energies to what they are
/// (SMART, Byrne 1993), so that energies stay positive and weak bands beside strong ones come out right. -> (frames,
/// size / 2 + 1), f32, for griffin_lim. Throws UsageError for frames of another number of bands.
[[nodiscard]] Tensor magnitudes_of_mel(const Tensor& log_mel, const SpectrumOptions& spectrum = {},
                                       const MelOptions& options = {});

/// The input of a recogniser: log-mel frames of a sound at the recogniser's rate, with several frames side by side as
/// one step.
struct StepOptions {
  std::int64_t rate = 8000;  ///< sounds of another rate are resampled
  std::int64_t bands = 40;
  std::int64_t window = 200, hop = 80;  ///< samples
  std::int64_t frames = 3;              ///< of a step
  double floor = 1e-10;                 ///< energies below it count as it
  bool standardise = true;              ///< each band over the sound, to mean 0 and deviation 1

  [[nodiscard]] std::int64_t width() const { return frames * bands; }
  [[nodiscard]] SpectrumOptions spectrum() const;  ///< of a frame; the transform's size is a power of 2
  [[nodiscard]] MelOptions mel() const { return {.rate = rate, .bands = bands, .floor = floor}; }
  friend bool operator==(const StepOptions&, const StepOptions&) = default;
};
/// A function of a sound. Several threads may call it at once; the bits depend on the sound alone.
class SoundSteps {
 public:
  explicit SoundSteps(const StepOptions& options);
  /// f32 (steps, frames bands): as many steps as hold the whole sound, at least one. The last is filled up with zeros
  /// where bands are standardised, else with the logarithm of the floor.
  [[nodiscard]] Tensor operator()(const Sound& sound) const;

 private:
  struct Impl;
  std::shared_ptr<const Impl> impl_;
};

}  // namespace thalweg
