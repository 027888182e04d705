#pragma once
// PNG and JPEG files, folders of them with one class each, and noisy copies for denoising.

#include <filesystem>

#include "thalweg/data.hpp"

namespace thalweg::data {

/// A picture as it is stored: u8 (height, width, channels), with one channel if it is grey, otherwise three. Throws
/// DataError unless the file is a complete PNG or JPEG.
[[nodiscard]] Tensor read_picture(const std::filesystem::path& path);
/// Its shape, read from the file's header.
[[nodiscard]] Shape picture_shape(const std::filesystem::path& path);
/// u8 (height, width, 1 or 3) as a PNG.
[[nodiscard]] std::vector<std::byte> png_of(const Tensor& picture);
/// Decodes bytes made by png_of. Throws DataError for other bytes.
[[nodiscard]] Tensor read_png(std::string_view bytes);

/// The classes of a folder: the names of its subfolders that hold pictures, in alphabetical order. Throws DataError for
/// a subfolder with other files only, because it would otherwise be ignored silently.
[[nodiscard]] std::vector<std::string> class_folders(const std::filesystem::path& folder);

/// Whether all pictures are read at the start, or when they are used.
enum class Keep {
  all,
  none,
  what_fits  ///< all, if they take less than a quarter of the machine's memory
};

struct ImageFolder {
  Dataset data;  ///< "input" u8 (rows, height, width, channels), "target" i32 (rows)
  std::vector<std::filesystem::path> files;
  std::vector<std::string> warnings = {};  ///< about files that cannot be read as pictures
};
/// The pictures in folder/class for each of `classes`, in alphabetical order of the files. Grey pictures among coloured
/// ones get three channels. Throws DataError for a picture that differs in size from the first, for no picture at all,
/// or for pictures of a class that is not in `classes`.
[[nodiscard]] ImageFolder image_folder(const std::filesystem::path& folder, const std::vector<std::string>& classes,
                                       Keep keep = Keep::all);

/// A denoising data set: "target" f32 in [0, 1] are the images, "input" f32 the same with normal noise of this standard
/// deviation added. The noise depends only on the number of rows and the position.
[[nodiscard]] Dataset noisy(const Dataset& images, double deviation);

}  // namespace thalweg::data
