#pragma once
// Medium: pictures, a sound, a text or a table, which a run shows in the report and saves as a file.

#include <string>
#include <utility>
#include <vector>

#include "thalweg/tensor.hpp"

namespace thalweg {

/// A value, encoded in the format of its file.
struct Medium {
  enum class Kind { pictures, sound, text, table };
  Kind kind = Kind::text;
  std::string bytes = {};  ///< a PNG, a WAV, UTF-8, or the table's rows as JSON

  /// Pictures (count, height, width, 1 or 3) beside each other in `columns` columns (0: about twice as many columns as
  /// rows): u8, or floats clipped to [0, 1], where 0 is black and 1 white. Throws UsageError for another shape, and for
  /// no picture.
  [[nodiscard]] static Medium pictures(const Tensor& pixels, std::int64_t columns = 0);
  /// Samples (samples), clipped to [-1, 1], `rate` per second: a WAV of 16 bits.
  [[nodiscard]] static Medium sound(const Tensor& samples, std::int64_t rate);
  [[nodiscard]] static Medium text(std::string text);
  /// Every row has as many cells as the head. Throws UsageError for any other row.
  [[nodiscard]] static Medium table(const std::vector<std::string>& head,
                                    const std::vector<std::vector<std::string>>& rows);
  /// ".png", ".wav", ".txt" or ".json".
  [[nodiscard]] std::string extension() const;
};
/// By name: media with the same name at several moments of a run are shown as one series.
using NamedMedia = std::vector<std::pair<std::string, Medium>>;

}  // namespace thalweg
