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
/// Whether the library was built with libsndfile.
[[nodiscard]] bool reads_sounds();

/// Throws UsageError, naming the package, where the library was built without libsndfile.
[[noreturn]] void refuse_sounds(std::string_view name);
/// Whether the matrices of the spectrum of a window are small enough for memory.
[[nodiscard]] bool has_room(const StepOptions& steps);

/// How sounds and their texts become rows: steps of log-mel frames, and the letters of the text as labels from 1 on; 0
/// is the blank of connectionist temporal classification.
struct SoundPreprocessing {
  StepOptions steps = {};
  std::vector<std::string> letters = {};  ///< UTF-8, one character each
  std::vector<std::string> groups = {};   ///< of these rows: the names of the numbers in the column "group"
  std::vector<std::string> files = {};    ///< of these rows: those of the numbers in the column "sound"
  /// Where steps.standardise is false: each band over the frames of all training sounds, (bands).
  std::vector<double> mean = {}, deviation = {};

  /// Mean and deviation of the bands over these steps.
  void fit(std::span<const Tensor* const> steps);
  /// Steps as the rows have them, (steps, width), in place.
  void scale(std::span<float> steps) const;
  /// Log-mel frames (frames, bands) of rows' steps (steps, width), no lower than the logarithm of the floor.
  [[nodiscard]] Tensor frames_of(const Tensor& steps) const;
  /// Throws DataError, naming `where`, for a character that is not one of the letters.
  [[nodiscard]] std::vector<std::int32_t> labels_of(std::string_view text, std::string_view where) const;
  [[nodiscard]] std::string text_of(std::span<const std::int32_t> labels) const;
  friend bool operator==(const SoundPreprocessing&, const SoundPreprocessing&) = default;
};
/// The characters of a text, each once, in the order of their code points. Throws DataError, naming `where`, for a text
/// that is not UTF-8.
[[nodiscard]] std::vector<std::string> letters_of(std::string_view text, std::string_view where);

}  // namespace thalweg::data
