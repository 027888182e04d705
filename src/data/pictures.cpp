#include "data/pictures.hpp"

#include <jpeglib.h>
#include <png.h>

#include <algorithm>
#include <csetjmp>
#include <cstdio>
#include <memory>

#include "core/error.hpp"
#include "core/random.hpp"
#include "core/workers.hpp"

namespace fs = std::filesystem;

namespace thalweg::data {

namespace {

constexpr std::int64_t most_pixels = std::int64_t{1} << 28;

void check_size(const fs::path& path, std::int64_t height, std::int64_t width) {
  if (height >= 1 && width >= 1 && height <= most_pixels / width) return;
  fail<DataError>("[images] {}: {} x {} pixels", path.string(), height, width);
}

Tensor read_png(const fs::path& path) {
  png_image image{};
  image.version = PNG_IMAGE_VERSION;
  const auto refuse = [&] {
    const std::string why = image.message;
    png_image_free(&image);
    fail<DataError>("[images] {}: {}", path.string(), why);
  };
  if (!png_image_begin_read_from_file(&image, path.c_str())) refuse();
  const bool colour = (image.format & PNG_FORMAT_FLAG_COLOR) != 0;
  image.format = colour ? PNG_FORMAT_RGB : PNG_FORMAT_GRAY;
  check_size(path, image.height, image.width);
  Tensor picture({image.height, image.width, colour ? 3 : 1}, u8);
  const png_color black{};  // what is seen through transparent places
  if (!png_image_finish_read(&image, &black, picture.mutable_raw(), 0, nullptr)) refuse();
  return picture;
}

/// libjpeg reports errors by a call that must not return.
struct JpegError {
  jpeg_error_mgr manager;
  std::jmp_buf back;
  char message[JMSG_LENGTH_MAX] = {};

  [[noreturn]] static void leave(j_common_ptr info) {
    auto* self = reinterpret_cast<JpegError*>(info->err);
    info->err->format_message(info, self->message);
    std::longjmp(self->back, 1);
  }
  /// A file that ends too early is only warned of; here that is an error, too.
  static void warn(j_common_ptr info, int level) {
    if (level < 0) leave(info);
  }
};

/// Nothing with a destructor may live between the jump and its target.
bool decode_jpeg(std::FILE* file, JpegError& error, Tensor& picture) {
  jpeg_decompress_struct info;
  info.err = jpeg_std_error(&error.manager);
  error.manager.error_exit = JpegError::leave;
  error.manager.emit_message = JpegError::warn;
  if (setjmp(error.back)) {
    jpeg_destroy_decompress(&info);
    return false;
  }
  jpeg_create_decompress(&info);
  jpeg_stdio_src(&info, file);
  jpeg_read_header(&info, TRUE);
  info.out_color_space = info.num_components == 1 ? JCS_GRAYSCALE : JCS_RGB;
  jpeg_start_decompress(&info);
  const std::int64_t row = std::int64_t{info.output_width} * info.output_components;
  picture = Tensor({info.output_height, info.output_width, info.output_components}, u8);
  auto* bytes = reinterpret_cast<JSAMPLE*>(picture.mutable_raw());
  while (info.output_scanline < info.output_height) {
    JSAMPROW line = bytes + info.output_scanline * row;
    jpeg_read_scanlines(&info, &line, 1);
  }
  jpeg_finish_decompress(&info);
  jpeg_destroy_decompress(&info);
  return true;
}

using File = std::unique_ptr<std::FILE, int (*)(std::FILE*)>;

File open(const fs::path& path) {
  File file(std::fopen(path.c_str(), "rb"), std::fclose);
  if (!file) fail<DataError>("[images] {} cannot be opened", path.string());
  return file;
}

Tensor read_jpeg(const fs::path& path) {
  const File file = open(path);
  JpegError error{};
  Tensor picture;
  if (!decode_jpeg(file.get(), error, picture)) fail<DataError>("[images] {}: {}", path.string(), error.message);
  return picture;
}

bool is_picture(const fs::path& path) {
  std::string extension = path.extension().string();
  std::ranges::transform(extension, extension.begin(), [](unsigned char c) { return std::tolower(c); });
  return extension == ".png" || extension == ".jpg" || extension == ".jpeg";
}

std::vector<fs::path> pictures_in(const fs::path& folder) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (entry.is_regular_file() && is_picture(entry.path())) files.push_back(entry.path());
  }
  std::ranges::sort(files);
  return files;
}

void expect_folder(const fs::path& folder) {
  if (!fs::is_directory(folder)) {
    fail<UsageError>("[images] there is no folder {}. Hint: it holds a folder for each class.", folder.string());
  }
}

}  // namespace

Tensor read_picture(const fs::path& path) {
  unsigned char first[2] = {};
  const std::size_t read = std::fread(first, 1, sizeof first, open(path).get());
  if (read == 2 && first[0] == 0x89 && first[1] == 'P') return read_png(path);
  if (read == 2 && first[0] == 0xff && first[1] == 0xd8) return read_jpeg(path);
  fail<DataError>("[images] {} is neither PNG nor JPEG", path.string());
}

std::vector<std::byte> png_of(const Tensor& picture) {
  const Shape& shape = picture.shape();
  png_image image{};
  image.version = PNG_IMAGE_VERSION;
  image.height = static_cast<png_uint_32>(shape[0]);
  image.width = static_cast<png_uint_32>(shape[1]);
  image.format = shape[2] == 1 ? PNG_FORMAT_GRAY : PNG_FORMAT_RGB;
  png_alloc_size_t size = PNG_IMAGE_PNG_SIZE_MAX(image);
  std::vector<std::byte> bytes(size);
  if (!png_image_write_to_memory(&image, bytes.data(), &size, 0, picture.raw(), 0, nullptr))
    defect("libpng could not write a picture of {}: {}", shape, image.message);
  bytes.resize(size);
  return bytes;
}

std::vector<std::string> class_folders(const fs::path& folder) {
  expect_folder(folder);
  std::vector<std::string> classes;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (entry.is_directory() && !pictures_in(entry.path()).empty()) classes.push_back(entry.path().filename().string());
  }
  std::ranges::sort(classes);
  if (classes.empty()) {
    fail<DataError>("[images] {} has no folders with pictures. Hint: folder/class/picture.png.", folder.string());
  }
  return classes;
}

ImageFolder image_folder(const fs::path& folder, const std::vector<std::string>& classes) {
  expect_folder(folder);
  ImageFolder result;
  std::vector<std::int32_t> labels;
  for (std::size_t label = 0; label < classes.size(); ++label) {
    const fs::path own = folder / classes[label];
    if (!fs::is_directory(own)) continue;  // a part of the data need not have every class
    for (fs::path& file : pictures_in(own)) {
      result.files.push_back(std::move(file));
      labels.push_back(static_cast<std::int32_t>(label));
    }
  }
  if (labels.empty()) fail<DataError>("[images] {} holds no picture of a known class", folder.string());
  std::vector<Tensor> pictures(result.files.size());
  Workers workers;  // each file goes to its own place: the order is that of the names, whoever reads it
  workers.run(static_cast<std::int64_t>(pictures.size()), [&](std::int64_t i) {
    pictures[static_cast<std::size_t>(i)] = read_picture(result.files[static_cast<std::size_t>(i)]);
  });
  std::int64_t channels = 1;
  for (std::size_t i = 0; i < pictures.size(); ++i) {
    const Shape &first = pictures[0].shape(), &shape = pictures[i].shape();
    if (shape[0] != first[0] || shape[1] != first[1]) {
      fail<DataError>("[images] {} is {} x {}, and {} is {} x {}. Hint: all pictures have one size.",
                      result.files[i].string(), shape[0], shape[1], result.files[0].string(), first[0], first[1]);
    }
    channels = std::max(channels, shape[2]);
  }
  const std::int64_t height = pictures[0].shape()[0], width = pictures[0].shape()[1], pixels = height * width;
  Tensor input({static_cast<std::int64_t>(pictures.size()), height, width, channels}, u8);
  auto bytes = input.mutable_values<std::uint8_t>();
  for (std::size_t row = 0; row < pictures.size(); ++row) {
    const auto from = pictures[row].values<std::uint8_t>();
    const bool grey = pictures[row].shape()[2] == 1;
    for (std::int64_t i = 0; i < pixels * channels; ++i) {
      const std::int64_t at = grey ? i / channels : i;
      bytes[row * static_cast<std::size_t>(pixels * channels) + static_cast<std::size_t>(i)] =
          from[static_cast<std::size_t>(at)];
    }
  }
  result.data.set("input", input);
  result.data.set("target", Tensor::from(labels, {static_cast<std::int64_t>(labels.size())}));
  return result;
}

Dataset noisy(const Dataset& images, double deviation) {
  const Tensor& stored = images["input"];
  Tensor clean = stored.to(f32);
  const float range = stored.dtype() == u8 ? 255.0F : 1.0F;
  for (float& x : clean.mutable_values<float>()) x /= range;
  Tensor noised = clean;
  const RandomKey key = RandomKey{}.fold("noise").fold(static_cast<std::uint64_t>(images.rows()));
  auto values = noised.mutable_values<float>();
  for (std::size_t i = 0; i < values.size(); ++i)
    values[i] += static_cast<float>(deviation * random_gauss(key, static_cast<std::uint64_t>(i)));
  Dataset result;
  result.set("input", noised);
  result.set("target", clean);
  return result;
}

}  // namespace thalweg::data
