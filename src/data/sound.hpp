#pragma once
// Sounds from the bytes of a file, and the preprocessing of a table of sounds with their texts.

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "thalweg/sound.hpp"

namespace thalweg::data {

/// The sound in the bytes of a WAV, FLAC or Ogg file; `name` is its name in messages. Throws as read_sound does.
[[nodiscard]] Sound sound_in(std::span<const std::byte> bytes, std::string_view name);
/// Whether sounds can be read: this library was built with libsndfile, which is also installed.
[[nodiscard]] bool reads_sounds();

/// Throws UsageError that names the missing package, if sounds cannot be read.
[[noreturn]] void refuse_sounds(std::string_view name);
/// Whether the matrices for the spectrum of a window are small enough.
[[nodiscard]] bool has_room(const StepOptions& steps);

/// The conversion of sounds and their texts to rows: steps of log-mel frames, and the letters of the text as labels
/// from 1 on; 0 is the blank of connectionist temporal classification.
struct SoundPreprocessing {
  StepOptions steps = {};
  std::vector<std::string> letters = {};  ///< UTF-8, one character each
  std::vector<std::string> groups = {};   ///< for these rows: the names of the numbers in the column "group"
  std::vector<std::string> files = {};    ///< for these rows: the names of the numbers in the column "sound"
  /// If steps.standardise is false: mean and deviation of each band over the frames of all training sounds, (bands).
  std::vector<double> mean = {}, deviation = {};

  /// Computes mean and deviation of the bands over these steps.
  void fit(std::span<const Tensor* const> steps);
  /// Converts steps (steps, width) to the form in which rows store them, in place.
  void scale(std::span<float> steps) const;
  /// Log-mel frames (frames, bands) of the steps (steps, width) of rows, not below the logarithm of the floor.
  [[nodiscard]] Tensor frames_of(const Tensor& steps) const;
  /// Throws DataError that names `where` for a character that is not one of the letters.
  [[nodiscard]] std::vector<std::int32_t> labels_of(std::string_view text, std::string_view where) const;
  [[nodiscard]] std::string text_of(std::span<const std::int32_t> labels) const;
  friend bool operator==(const SoundPreprocessing&, const SoundPreprocessing&) = default;
};
/// The distinct characters of a text, in the order of their code points. Throws DataError that names `where` if it is
/// not UTF-8.
[[nodiscard]] std::vector<std::string> letters_of(std::string_view text, std::string_view where);

}  // namespace thalweg::data
