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
  std::int64_t window = 400;  ///< samples of a frame, with a periodic Hann window
  std::int64_t hop = 160;     ///< samples from one frame to the next
  std::int64_t size = 512;    ///< size of the transform, at least `window`; the frame is padded with zeros
};
/// The short-time Fourier transform: x (batch, samples) -> (batch, frames, 2, size / 2 + 1), real and imaginary parts
/// of sum_n window[n] x[frame hop + n] e^(-2 pi i k n / size). Frames begin at 0; their number is 1 + (samples -
/// window) / hop, so every frame is full. The transform is computed as a product with its matrix, with the same
/// derivatives, threads and reproducible bits as any product; with 400 samples per frame it takes some 40 million
/// operations per second of sound.
Var stft(const Arg& x, const SpectrumOptions& options = {});

struct MelOptions {
  std::int64_t rate = 16'000;  ///< samples per second of the sound
  std::int64_t bands = 80;
  double low = 0;        ///< the lower end of the lowest band, in Hz
  double high = 0;       ///< the upper end of the highest band; 0 is rate / 2
  double floor = 1e-10;  ///< energies below it count as it
};
/// Triangles of height 1 over the bins of a spectrum. Their corners are evenly spaced in mel = 2595 log10(1 + f / 700):
/// f64 (size / 2 + 1, bands).
[[nodiscard]] Tensor mel_filters(const SpectrumOptions& spectrum, const MelOptions& options = {});
/// log max(|stft|^2 filters, floor): x (batch, samples) -> (batch, frames, bands).
Var log_mel(const Arg& x, const SpectrumOptions& spectrum = {}, const MelOptions& options = {});

/// Sound from the magnitudes of its spectrum, (frames, size / 2 + 1): phases start at random and are improved by
/// iterations (Griffin and Lim 1984) with momentum (Perraudin, Balazs and Søndergaard 2013). Returns (samples), f32,
/// for the time that the frames cover. Throws UsageError for shapes that do not fit.
[[nodiscard]] Tensor griffin_lim(const Tensor& magnitudes, const SpectrumOptions& options = {},
                                 std::int64_t iterations = 32, double momentum = 0.99, std::uint64_t seed = 1);

/// Magnitudes whose log-mel frames are as near as possible to the given ones (frames, bands). In each of 50 iterations,
/// the energy of each bin is multiplied by the ratio of wanted to present energies of its bands, averaged in logarithms
/// with the triangles as weights (SMART, Byrne 1993). So energies stay positive, and weak bands next to strong ones
/// become right too. Returns (frames, size / 2 + 1), f32, for griffin_lim. Throws UsageError for frames of another
/// number of bands.
[[nodiscard]] Tensor magnitudes_of_mel(const Tensor& log_mel, const SpectrumOptions& spectrum = {},
                                       const MelOptions& options = {});

/// The input of a recogniser: log-mel frames of a sound at the recogniser's rate, with several frames side by side as
/// one step.
struct StepOptions {
  std::int64_t rate = 8000;  ///< sounds of another rate are resampled
  std::int64_t bands = 40;
  std::int64_t window = 200, hop = 80;  ///< samples
  std::int64_t frames = 3;              ///< frames of a step
  double floor = 1e-10;                 ///< energies below it count as it
  bool standardise = true;              ///< scale each band of a sound to mean 0 and deviation 1

  [[nodiscard]] std::int64_t width() const { return frames * bands; }
  [[nodiscard]] SpectrumOptions spectrum() const;  ///< the transform of a frame; its size is a power of 2
  [[nodiscard]] MelOptions mel() const { return {.rate = rate, .bands = bands, .floor = floor}; }
  friend bool operator==(const StepOptions&, const StepOptions&) = default;
};
/// A function of a sound. Several threads may call it at once; the bits depend on the sound alone.
class SoundSteps {
 public:
  explicit SoundSteps(const StepOptions& options);
  /// f32 (steps, frames * bands): enough steps for the whole sound, at least one. The last step is padded with zeros if
  /// bands are standardised, otherwise with the logarithm of the floor.
  [[nodiscard]] Tensor operator()(const Sound& sound) const;

 private:
  struct Impl;
  std::shared_ptr<const Impl> impl_;
};

}  // namespace thalweg
