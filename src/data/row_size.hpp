#pragma once
// The largest row of images and other tensors.

#include <cstdint>

namespace thalweg::data {

/// The numbers in a row: 4096 x 4096 grey pixels. A net of convolutions fits pictures of any size, so that a model of a
/// few kilobytes can name any, and the memory of a prediction follows it. Training has the same limit, or else a model
/// could not be read back.
inline constexpr std::int64_t most_in_row = std::int64_t{1} << 24;

}  // namespace thalweg::data
