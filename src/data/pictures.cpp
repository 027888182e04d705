#include "data/pictures.hpp"

#include <jpeglib.h>
#include <png.h>

#include <algorithm>
#include <csetjmp>
#include <cstdio>
#include <filesystem>
#include <memory>

#include "core/error.hpp"
#include "core/random.hpp"
#include "core/utf8.hpp"
#include "core/workers.hpp"
#include "data/memory.hpp"

namespace fs = std::filesystem;

namespace thalweg::data {

namespace {

constexpr std::int64_t most_pixels = std::int64_t{1} << 28;

void check_size(const fs::path& path, std::int64_t height, std::int64_t width) {
  if (height >= 1 && width >= 1 && height <= most_pixels / width) return;
  fail<DataError>("[images] {}: {} x {} pixels", path.string(), height, width);
}

/// A PNG file whose head has been read.
class Png {
 public:
  explicit Png(const fs::path& path) : path_(path) {
    image_.version = PNG_IMAGE_VERSION;
    if (!png_image_begin_read_from_file(&image_, path.c_str())) refuse();
    const bool colour = (image_.format & PNG_FORMAT_FLAG_COLOR) != 0;
    image_.format = colour ? PNG_FORMAT_RGB : PNG_FORMAT_GRAY;
    check_size(path, image_.height, image_.width);
    shape_ = {image_.height, image_.width, colour ? 3 : 1};
  }

  [[nodiscard]] const Shape& shape() const { return shape_; }
  [[nodiscard]] Tensor pixels() {
    Tensor picture(shape_, u8);
    const png_color black{};  // what is seen through transparent places
    if (!png_image_finish_read(&image_, &black, picture.mutable_raw(), 0, nullptr)) refuse();
    return picture;
  }

 private:
  [[noreturn]] void refuse() const { fail<DataError>("[images] {}: {}", path_.string(), image_.message); }

  struct Image : png_image {  // freed where the constructor throws, too
    Image() : png_image{} {}
    ~Image() { png_image_free(this); }
    Image(const Image&) = delete;
    Image& operator=(const Image&) = delete;
  };

  const fs::path& path_;
  Image image_;
  Shape shape_;
};

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

using File = std::unique_ptr<std::FILE, int (*)(std::FILE*)>;

File open(const fs::path& path) {
  File file(std::fopen(path.c_str(), "rb"), std::fclose);
  if (!file) fail<DataError>("[images] {} cannot be opened", path.string());
  return file;
}

/// The shape, and where `picture` is given the pixels.
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

std::vector<std::string> class_folders(const fs::path& folder) {
  expect_folder(folder);
  std::vector<std::string> classes;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (entry.is_directory() && !pictures_in(entry.path()).empty()) classes.push_back(entry.path().filename().string());
  }
  std::ranges::sort(classes);
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

/// The shape of all pictures: that of the first, with the most channels of any.
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

/// A picture as a row of that shape: a grey one may be wanted in colours.
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

ImageFolder image_folder(const fs::path& folder, const std::vector<std::string>& classes, Keep keep) {
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
    // each file goes to its own place: the order is that of the names, whoever reads it
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
