#include "data/pictures.hpp"

#include <jpeglib.h>
#include <png.h>

#include <algorithm>
#include <csetjmp>
#include <cstdio>
#include <filesystem>
#include <memory>

#include "core/error.hpp"
#include "core/file_error.hpp"
#include "core/random.hpp"
#include "core/utf8.hpp"
#include "core/workers.hpp"
#include "data/listed.hpp"
#include "data/memory.hpp"

namespace fs = std::filesystem;

namespace thalweg::data {

namespace {

constexpr std::int64_t most_pixels = std::int64_t{1} << 28;

void check_size(const fs::path& path, std::int64_t height, std::int64_t width) {
  if (height >= 1 && width >= 1 && height <= most_pixels / width) return;
  fail<DataError>("[images] {}: {} x {} pixels", path.string(), height, width);
}

using File = std::unique_ptr<std::FILE, int (*)(std::FILE*)>;

File open(const fs::path& path) {
  File file(std::fopen(path.c_str(), "rb"), std::fclose);
  if (!file) fail<DataError>("[images] {} cannot be opened", path.string());
  return file;
}

/// libpng reports errors by a callback that must not return.
struct PngError {
  std::jmp_buf back;
  std::string message;

  [[noreturn]] static void leave(png_structp png, png_const_charp message) {
    auto* self = static_cast<PngError*>(png_get_error_ptr(png));
    self->message = message;
    std::longjmp(self->back, 1);
  }
  static void ignore(png_structp, png_const_charp) {}
};

/// A PNG file whose header has been read. Samples are used as stored, 16-bit samples as v / 257; a gamma chunk is
/// ignored.
class Png {
 public:
  explicit Png(const fs::path& path)
      : path_(path),
        file_(open(path)),
        png_(png_create_read_struct(PNG_LIBPNG_VER_STRING, &error_, PngError::leave, PngError::ignore)),
        info_(png_ ? png_create_info_struct(png_) : nullptr) {
    if (!info_) {
      free();
      fail<MemoryError>("[images] {}: no memory to read it", path.string());
    }
    if (!read_head()) refuse();
    try {
      check_size(path, png_get_image_height(png_, info_), png_get_image_width(png_, info_));
    } catch (...) {
      free();
      throw;
    }
    const bool colour = (png_get_color_type(png_, info_) & PNG_COLOR_MASK_COLOR) != 0;
    shape_ = {png_get_image_height(png_, info_), png_get_image_width(png_, info_), colour ? 3 : 1};
    alpha_ =
        (png_get_color_type(png_, info_) & PNG_COLOR_MASK_ALPHA) != 0 || png_get_valid(png_, info_, PNG_INFO_tRNS) != 0;
  }
  ~Png() { free(); }
  Png(const Png&) = delete;
  Png& operator=(const Png&) = delete;

  [[nodiscard]] const Shape& shape() const { return shape_; }
  [[nodiscard]] Tensor pixels() {
    const std::int64_t stored = shape_[2] + (alpha_ ? 1 : 0);
    Tensor picture({shape_[0], shape_[1], stored}, u8);
    std::vector<png_bytep> rows(static_cast<std::size_t>(shape_[0]));
    for (std::size_t row = 0; row < rows.size(); ++row) {
      rows[row] =
          reinterpret_cast<png_bytep>(picture.mutable_raw()) + row * static_cast<std::size_t>(shape_[1] * stored);
    }
    if (!read_rows(rows.data())) refuse();
    return alpha_ ? on_black(picture) : picture;
  }

 private:
  // No object with a destructor may be alive between setjmp and longjmp.
  [[nodiscard]] bool read_head() {
    if (setjmp(error_.back)) return false;
    png_init_io(png_, file_.get());
    png_read_info(png_, info_);
    return true;
  }
  [[nodiscard]] bool read_rows(png_bytepp rows) {
    if (setjmp(error_.back)) return false;
    png_set_expand(png_);    // palettes, fewer than 8 bits, and a transparent colour
    png_set_scale_16(png_);  // (v * 255 + 32767) / 65535
    png_set_interlace_handling(png_);
    png_read_update_info(png_, info_);
    png_read_image(png_, rows);
    png_read_end(png_, nullptr);
    return true;
  }

  /// Blends transparent pixels with black.
  [[nodiscard]] Tensor on_black(const Tensor& stored) const {
    Tensor picture(shape_, u8);
    const std::int64_t channels = shape_[2];
    const auto from = stored.values<std::uint8_t>();
    const auto into = picture.mutable_values<std::uint8_t>();
    for (std::size_t i = 0; i < into.size(); ++i) {
      const std::size_t pixel = i / static_cast<std::size_t>(channels),
                        first = pixel * static_cast<std::size_t>(channels + 1);
      const int alpha = from[first + static_cast<std::size_t>(channels)];
      into[i] = static_cast<std::uint8_t>((from[first + i % static_cast<std::size_t>(channels)] * alpha + 127) / 255);
    }
    return picture;
  }

  void free() { png_destroy_read_struct(&png_, &info_, nullptr); }
  [[noreturn]] void refuse() {
    const std::string message = error_.message;
    free();
    fail<DataError>("[images] {}: {}", path_.string(), message);
  }

  const fs::path& path_;
  File file_;
  PngError error_{};
  png_structp png_ = nullptr;
  png_infop info_ = nullptr;
  Shape shape_;
  bool alpha_ = false;
};

/// libjpeg reports errors by a callback that must not return.
struct JpegError {
  jpeg_error_mgr manager;
  std::jmp_buf back;
  char message[JMSG_LENGTH_MAX] = {};

  [[noreturn]] static void leave(j_common_ptr info) {
    auto* self = reinterpret_cast<JpegError*>(info->err);
    info->err->format_message(info, self->message);
    std::longjmp(self->back, 1);
  }
  /// libjpeg only warns about a truncated file; here that is an error.
  static void warn(j_common_ptr info, int level) {
    if (level < 0) leave(info);
  }
};

/// No object with a destructor may be alive between setjmp and longjmp.
bool decode_jpeg(std::FILE* file, JpegError& error, Shape& shape, Tensor* picture) {
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
  const bool grey = info.num_components == 1;
  shape = {info.image_height, info.image_width, grey ? 1 : 3};
  if (picture) {
    info.out_color_space = grey ? JCS_GRAYSCALE : JCS_RGB;
    *picture = Tensor(shape, u8);
    jpeg_start_decompress(&info);
    const std::int64_t row = std::int64_t{info.output_width} * info.output_components;
    auto* bytes = reinterpret_cast<JSAMPLE*>(picture->mutable_raw());
    while (info.output_scanline < info.output_height) {
      JSAMPROW line = bytes + info.output_scanline * row;
      jpeg_read_scanlines(&info, &line, 1);
    }
    jpeg_finish_decompress(&info);
  }
  jpeg_destroy_decompress(&info);
  return true;
}

/// Reads the shape, and the pixels if `picture` is given.
Shape read_jpeg(const fs::path& path, Tensor* picture) {
  const File file = open(path);
  JpegError error{};
  Shape shape;
  if (!decode_jpeg(file.get(), error, shape, picture)) fail<DataError>("[images] {}: {}", path.string(), error.message);
  return shape;
}

bool is_png(const fs::path& path) {
  unsigned char first[2] = {};
  const std::size_t read = std::fread(first, 1, sizeof first, open(path).get());
  if (read == 2 && first[0] == 0x89 && first[1] == 'P') return true;
  if (read == 2 && first[0] == 0xff && first[1] == 0xd8) return false;
  fail<DataError>("[images] {} is neither PNG nor JPEG", path.string());
}

bool is_picture(const fs::path& path) {
  std::string extension = path.extension().string();
  std::ranges::transform(extension, extension.begin(), [](unsigned char c) { return std::tolower(c); });
  return extension == ".png" || extension == ".jpg" || extension == ".jpeg";
}

/// The files of a folder that can be read as pictures, in order, and the number of its other files. Hidden files and
/// text files that accompany pictures do not count.
struct FolderFiles {
  std::vector<fs::path> pictures;
  std::vector<std::string> others;
};

FolderFiles files_in(const fs::path& folder) {
  FolderFiles files;
  looking_at_files([&] {
    for (const auto& entry : fs::directory_iterator(folder)) {
      const std::string name = entry.path().filename().string(), extension = entry.path().extension().string();
      if (!entry.is_regular_file() || name.starts_with('.') || extension == ".txt" || extension == ".md") continue;
      if (is_picture(entry.path())) {
        files.pictures.push_back(entry.path());
      } else if (name != "Thumbs.db") {
        files.others.push_back(name);
      }
    }
  });
  std::ranges::sort(files.pictures);
  std::ranges::sort(files.others);
  return files;
}

/// The names of the folders in a folder, in alphabetical order; hidden ones do not count.
std::vector<std::string> folders_in(const fs::path& folder) {
  std::vector<std::string> names;
  looking_at_files([&] {
    for (const auto& entry : fs::directory_iterator(folder)) {
      if (entry.is_directory() && !entry.path().filename().string().starts_with('.'))
        names.push_back(entry.path().filename().string());
    }
  });
  std::ranges::sort(names);
  return names;
}

void expect_folder(const fs::path& folder) {
  if (!fs::is_directory(folder)) {
    fail<UsageError>("[images] there is no folder {}. Hint: it holds a folder for each class.", folder.string());
  }
}

}  // namespace

Tensor read_picture(const fs::path& path) {
  if (is_png(path)) return Png(path).pixels();
  Tensor picture;
  (void)read_jpeg(path, &picture);
  return picture;
}

Shape picture_shape(const fs::path& path) { return is_png(path) ? Png(path).shape() : read_jpeg(path, nullptr); }

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

Tensor read_png(std::string_view bytes) {
  png_image image{};
  image.version = PNG_IMAGE_VERSION;
  if (!png_image_begin_read_from_memory(&image, bytes.data(), bytes.size()))
    fail<DataError>("[images] a PNG in memory: {}", image.message);
  image.format &= PNG_FORMAT_FLAG_COLOR;  // bytes, grey or red, green and blue
  Tensor picture({image.height, image.width, PNG_IMAGE_SAMPLE_CHANNELS(image.format)}, u8);
  if (!png_image_finish_read(&image, nullptr, picture.mutable_raw(), 0, nullptr))
    fail<DataError>("[images] a PNG in memory: {}", image.message);
  return picture;
}

std::vector<std::string> class_folders(const fs::path& folder) {
  expect_folder(folder);
  std::vector<std::string> classes;
  for (const std::string& name : folders_in(folder)) {
    const FolderFiles files = files_in(folder / name);
    if (!files.pictures.empty()) classes.push_back(name);
    if (files.pictures.empty() && !files.others.empty()) {
      fail<DataError>(
          "[images] {} holds {} file{}, '{}' among them, and no PNG or JPEG. Hint: convert them, or take the folder "
          "away.",
          (folder / name).string(), files.others.size(), files.others.size() == 1 ? "" : "s", files.others.front());
    }
  }
  for (const std::string& name : classes) {
    if (!is_utf8(name))
      fail<DataError>("[images] the folder '{}' has a name that is not UTF-8. Hint: rename it.", name);
  }
  if (classes.empty()) {
    fail<DataError>("[images] {} has no folders with pictures. Hint: folder/class/picture.png.", folder.string());
  }
  return classes;
}

namespace {

/// The shape of all pictures: that of the first, with the largest number of channels of any.
Shape common_shape(const std::vector<fs::path>& files, Workers& workers) {
  std::vector<Shape> shapes(files.size());
  workers.run(static_cast<std::int64_t>(files.size()), [&](std::int64_t i) {
    shapes[static_cast<std::size_t>(i)] = picture_shape(files[static_cast<std::size_t>(i)]);
  });
  Shape common = shapes[0];
  for (std::size_t i = 0; i < shapes.size(); ++i) {
    if (shapes[i][0] != common[0] || shapes[i][1] != common[1]) {
      fail<DataError>("[images] {} is {} x {}, and {} is {} x {}. Hint: all pictures have one size.", files[i].string(),
                      shapes[i][0], shapes[i][1], files[0].string(), common[0], common[1]);
    }
    common.set(2, std::max(common[2], shapes[i][2]));
  }
  return common;
}

/// Reads a picture as a row of the given shape; a grey picture is converted if the shape has colour.
void read_row(const fs::path& file, const Shape& wanted, std::span<std::byte> into) {
  const Tensor picture = read_picture(file);
  const std::int64_t channels = picture.shape()[2], repeats = wanted[2] / channels;
  if (picture.size() * repeats != wanted.size())
    fail<DataError>("[images] {} is {} now, and was {}", file.string(), picture.shape(), wanted);
  if (repeats == 1) {
    std::ranges::copy_n(picture.raw(), static_cast<std::ptrdiff_t>(into.size()), into.data());
    return;
  }
  for (std::size_t i = 0; i < into.size(); ++i) into[i] = picture.raw()[i / static_cast<std::size_t>(repeats)];
}

}  // namespace

namespace {

/// Throws if a folder has pictures of unknown classes: evaluated without them, a model would seem better than it is.
void check_classes(const fs::path& folder, const std::vector<std::string>& classes) {
  std::vector<std::string> unknown;
  std::size_t pictures = 0;
  for (const std::string& name : folders_in(folder)) {
    if (std::ranges::find(classes, name) != classes.end()) continue;
    const FolderFiles files = files_in(folder / name);
    const std::size_t count = files.pictures.size() + files.others.size();
    if (count > 0) unknown.push_back(name);
    pictures += count;
  }
  if (unknown.empty()) return;
  fail<DataError>("[images] {}: {} files of {} that the training data does not have: {}. Hint: its classes are {}.",
                  folder.string(), pictures,
                  unknown.size() == 1 ? "a class" : fmt::format("{} classes", unknown.size()), listed(unknown),
                  listed(classes));
}

}  // namespace

ImageFolder image_folder(const fs::path& folder, const std::vector<std::string>& classes, Keep keep) {
  expect_folder(folder);
  check_classes(folder, classes);
  ImageFolder result;
  std::vector<std::int32_t> labels;
  for (std::size_t label = 0; label < classes.size(); ++label) {
    const fs::path own = folder / classes[label];
    if (!fs::is_directory(own)) continue;  // a part of the data need not have every class
    FolderFiles files = files_in(own);
    if (!files.others.empty()) {
      result.warnings.push_back(fmt::format("{}: {} file{} that {} no PNG or JPEG, '{}' first: left out", own.string(),
                                            files.others.size(), files.others.size() == 1 ? "" : "s",
                                            files.others.size() == 1 ? "is" : "are", files.others.front()));
    }
    for (fs::path& file : files.pictures) {
      result.files.push_back(std::move(file));
      labels.push_back(static_cast<std::int32_t>(label));
    }
  }
  if (labels.empty()) fail<DataError>("[images] {} holds no picture of a known class", folder.string());
  const auto rows = static_cast<std::int64_t>(labels.size());
  Workers workers;
  const Shape shape = common_shape(result.files, workers);
  if (keep == Keep::none || (keep == Keep::what_fits && shape.size() > memory_budget() / 2 / rows)) {
    const auto read = [files = result.files, shape](std::int64_t row, std::span<std::byte> into) {
      read_row(files[static_cast<std::size_t>(row)], shape, into);
    };
    result.data.set("input", {shape, u8, read}, rows);
  } else {
    Tensor input({rows, shape[0], shape[1], shape[2]}, u8);
    const auto size = static_cast<std::size_t>(shape.size());
    std::byte* pixels = input.mutable_raw();
    // each file has its own row, so that the order is that of the names, whichever thread reads the file
    workers.run(rows, [&](std::int64_t row) {
      const auto place = static_cast<std::size_t>(row);
      read_row(result.files[place], shape, {pixels + place * size, size});
    });
    result.data.set("input", input);
  }
  result.data.set("target", Tensor::from(labels, {rows}));
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
