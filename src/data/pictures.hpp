#pragma once
// PNG and JPEG files, folders of them with one class each, and noisy copies for denoising.

#include <filesystem>

#include "thalweg/data.hpp"

namespace thalweg::data {

/// A picture as it is stored: u8 (height, width, channels), one channel where it is grey, else three. Throws DataError
/// for a file that is not a complete PNG or JPEG.
[[nodiscard]] Tensor read_picture(const std::filesystem::path& path);
/// Its shape, read from the file's header.
[[nodiscard]] Shape picture_shape(const std::filesystem::path& path);
/// u8 (height, width, 1 or 3) as a PNG.
[[nodiscard]] std::vector<std::byte> png_of(const Tensor& picture);
/// The picture of which png_of made these bytes. Throws DataError for other bytes.
[[nodiscard]] Tensor read_png(std::string_view bytes);

/// The classes of a folder: the names of the folders in it that hold pictures, in alphabetical order. Throws DataError
/// for a folder that has only other files, because it would be left out silently.
[[nodiscard]] std::vector<std::string> class_folders(const std::filesystem::path& folder);

/// Whether pictures are all read at the start, or when they are used.
enum class Keep {
  all,
  none,
  what_fits  ///< all, where they take less than a quarter of the machine's memory
};

struct ImageFolder {
  Dataset data;  ///< "input" u8 (rows, height, width, channels), "target" i32 (rows)
  std::vector<std::filesystem::path> files;
  std::vector<std::string> warnings = {};  ///< of files that cannot be read as pictures
};
/// The pictures in folder/class for each of `classes`, file by file in alphabetical order. Grey pictures among coloured
/// ones get three channels. Throws DataError for a picture of another size than the first, no picture at all, or
/// pictures of a class that is none of these.
[[nodiscard]] ImageFolder image_folder(const std::filesystem::path& folder, const std::vector<std::string>& classes,
                                       Keep keep = Keep::all);

/// Images to remove noise from: "target" f32 in [0, 1] are the images, "input" f32 the same with normal noise of this
/// deviation added. The noise is a function of the number of rows and the place alone.
[[nodiscard]] Dataset noisy(const Dataset& images, double deviation);

}  // namespace thalweg::data
