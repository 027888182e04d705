#pragma once
// Medium: what a run shows of what it makes: pictures, a sound, a text or a table, for the report and as a file.

#include <string>
#include <utility>
#include <vector>

#include "thalweg/tensor.hpp"

namespace thalweg {

/// A value, encoded as the file that it is kept in.
struct Medium {
  enum class Kind { pictures, sound, text, table };
  Kind kind = Kind::text;
  std::string bytes = {};  ///< a PNG, a WAV, UTF-8, or the table's rows as JSON

  /// Pictures (count, height, width, 1 or 3) beside each other in `columns` columns (0: as many as make about twice as
  /// many columns as rows): u8, or floats of which 0 is black and 1 white and beyond is clipped. Throws UsageError for
  /// another shape, and for none.
  [[nodiscard]] static Medium pictures(const Tensor& pixels, std::int64_t columns = 0);
  /// Samples (samples) in [-1, 1], beyond which they are clipped, `rate` a second: a WAV of 16 bits.
  [[nodiscard]] static Medium sound(const Tensor& samples, std::int64_t rate);
  [[nodiscard]] static Medium text(std::string text);
  /// Every row has as many cells as the head. Throws UsageError for one that has not.
  [[nodiscard]] static Medium table(const std::vector<std::string>& head,
                                    const std::vector<std::vector<std::string>>& rows);
  /// ".png", ".wav", ".txt" or ".json".
  [[nodiscard]] std::string extension() const;
};
/// By name: what has one name at several moments of a run is shown as one series.
using NamedMedia = std::vector<std::pair<std::string, Medium>>;

}  // namespace thalweg
