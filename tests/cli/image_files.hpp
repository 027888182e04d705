#pragma once
// Writes image files for the command to read.

#include "command.hpp"
#include "thalweg/data.hpp"

namespace thalweg::testing {

class ImageFilesTest : public CommandTest {
 protected:
  /// Writes an IDX file of bytes.
  void write_idx(const std::string& name, const Tensor& bytes) const {
    std::string text = {0, 0, 8, static_cast<char>(bytes.shape().rank())};
    for (const std::int64_t size : bytes.shape()) {
      for (int shift = 24; shift >= 0; shift -= 8) text += static_cast<char>(size >> shift & 255);
    }
    write(name, text + std::string(reinterpret_cast<const char*>(bytes.raw()), bytes.bytes()));
  }

  void write_images(const std::string& name, const Dataset& images) const {
    const Tensor& pixels = images["input"];
    write_idx(name + "-images", pixels.reshape({pixels.shape()[0], pixels.shape()[1], pixels.shape()[2]}));
    write_idx(name + "-labels", images["target"].to(u8));
  }
};

}  // namespace thalweg::testing
