// Reading PNG and JPEG files, and folders of them with one folder per class.

#include "data/pictures.hpp"

#include <gtest/gtest.h>
#include <jpeglib.h>
#include <png.h>

#include <unistd.h>

#include <cmath>
#include <cstdio>
#include <filesystem>
#include <fstream>

#include "data/preprocessing.hpp"
#include "thalweg/error.hpp"

namespace thalweg {
namespace {

namespace fs = std::filesystem;

Tensor picture(std::int64_t height, std::int64_t width, std::int64_t channels, std::uint64_t seed) {
  return random_uniform({height, width, channels}, 0, 256, seed, f64).to(u8);
}

void write(const fs::path& path, const std::vector<std::byte>& bytes) {
  fs::create_directories(path.parent_path());
  std::ofstream file(path, std::ios::binary);
  file.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
}

void write_jpeg(const fs::path& path, const Tensor& image) {
  fs::create_directories(path.parent_path());
  std::FILE* file = std::fopen(path.c_str(), "wb");
  jpeg_compress_struct info;
  jpeg_error_mgr errors;
  info.err = jpeg_std_error(&errors);
  jpeg_create_compress(&info);
  jpeg_stdio_dest(&info, file);
  info.image_height = static_cast<JDIMENSION>(image.shape()[0]);
  info.image_width = static_cast<JDIMENSION>(image.shape()[1]);
  info.input_components = static_cast<int>(image.shape()[2]);
  info.in_color_space = image.shape()[2] == 1 ? JCS_GRAYSCALE : JCS_RGB;
  jpeg_set_defaults(&info);
  jpeg_set_quality(&info, 100, TRUE);
  jpeg_start_compress(&info, TRUE);
  auto* bytes = reinterpret_cast<JSAMPLE*>(const_cast<std::byte*>(image.raw()));
  while (info.next_scanline < info.image_height) {
    JSAMPROW row = bytes + info.next_scanline * image.shape()[1] * image.shape()[2];
    jpeg_write_scanlines(&info, &row, 1);
  }
  jpeg_finish_compress(&info);
  jpeg_destroy_compress(&info);
  std::fclose(file);
}

class Pictures : public ::testing::Test {
 protected:
  void SetUp() override { fs::remove_all(folder_); }
  void TearDown() override { fs::remove_all(folder_); }
  const fs::path folder_ = fs::temp_directory_path() / ("thalweg-pictures-" + std::to_string(::getpid()));
};

TEST_F(Pictures, APngIsReadAsItWasWritten) {
  for (std::int64_t channels : {1, 3}) {
    const Tensor wanted = picture(5, 7, channels, 1);
    write(folder_ / "a.png", data::png_of(wanted));
    EXPECT_TRUE(identical(data::read_picture(folder_ / "a.png"), wanted));
  }
}

/// A grey PNG of one row, with 8 or 16 bits, with or without alpha, and with a gamma chunk if gamma is not 0.
std::vector<std::byte> grey_png(int bits, bool alpha, double gamma, const std::vector<std::uint8_t>& row) {
  std::vector<std::byte> bytes;
  png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, nullptr, nullptr, nullptr);
  png_infop info = png_create_info_struct(png);
  png_set_write_fn(
      png, &bytes,
      [](png_structp self, png_bytep data, png_size_t size) {
        auto* into = static_cast<std::vector<std::byte>*>(png_get_io_ptr(self));
        for (png_size_t i = 0; i < size; ++i) into->push_back(static_cast<std::byte>(data[i]));
      },
      nullptr);
  const auto width = row.size() / static_cast<std::size_t>(bits / 8 * (alpha ? 2 : 1));
  png_set_IHDR(png, info, static_cast<png_uint_32>(width), 1, bits,
               alpha ? PNG_COLOR_TYPE_GRAY_ALPHA : PNG_COLOR_TYPE_GRAY, PNG_INTERLACE_NONE,
               PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
  if (gamma > 0) png_set_gAMA(png, info, gamma);
  png_write_info(png, info);
  png_write_row(png, row.data());
  png_write_end(png, info);
  png_destroy_write_struct(&png, &info);
  return bytes;
}

TEST_F(Pictures, SamplesOfAPngDoNotDependOnItsGamma) {
  const auto values = [&](const std::vector<std::byte>& png) {
    write(folder_ / "a.png", png);
    const Tensor read = data::read_picture(folder_ / "a.png");
    std::vector<int> result;
    for (std::int64_t i = 0; i < read.size(); ++i) result.push_back(static_cast<int>(read.at(i)));
    return result;
  };
  const std::vector<int> wanted{0, 128, 255};
  EXPECT_EQ(values(grey_png(8, false, 0, {0, 128, 255})), wanted);
  EXPECT_EQ(values(grey_png(8, false, 1, {0, 128, 255})), wanted);
  EXPECT_EQ(values(grey_png(8, false, 0.45455, {0, 128, 255})), wanted);
  EXPECT_EQ(values(grey_png(16, false, 0, {0, 0, 128, 128, 255, 255})), wanted) << "v / 257";
  EXPECT_EQ(values(grey_png(16, false, 1, {0, 0, 128, 128, 255, 255})), wanted);
  EXPECT_EQ(values(grey_png(16, false, 0, {0, 200, 0, 100, 127, 255})), (std::vector<int>{1, 0, 127})) << "rounded";
  EXPECT_EQ(values(grey_png(8, true, 0, {200, 255, 200, 0, 200, 128})), (std::vector<int>{200, 0, 100}))
      << "transparent pixels are blended with black";
}

TEST_F(Pictures, AClassThatTrainingLacksIsRefusedAndCounted) {
  for (const char* name : {"cat", "dog", "Fox"}) write(folder_ / name / "1.png", data::png_of(picture(3, 3, 1, 1)));
  write(folder_ / "Fox" / "2.png", data::png_of(picture(3, 3, 1, 2)));
  try {
    (void)data::image_folder(folder_, {"cat", "dog", "fox"});
    ADD_FAILURE();
  } catch (const DataError& error) {
    EXPECT_NE(std::string(error.what()).find("2 files of a class that the training data does not have: Fox"),
              std::string::npos)
        << error.what();
  }
  EXPECT_EQ(data::image_folder(folder_, {"Fox", "cat", "dog", "owl"}).data.rows(), 4)
      << "a part of the data may lack a class";
}

TEST_F(Pictures, FilesThatCannotBeReadAsPicturesAreCounted) {
  write(folder_ / "cat" / "1.png", data::png_of(picture(3, 3, 1, 1)));
  write(folder_ / "cat" / "notes.txt", {});
  write(folder_ / "cat" / ".hidden", {});
  write(folder_ / "cat" / "2.webp", {});
  EXPECT_EQ(data::class_folders(folder_), std::vector<std::string>{"cat"});
  const auto warnings = data::image_folder(folder_, {"cat"}).warnings;
  ASSERT_EQ(warnings.size(), 1U);
  EXPECT_NE(warnings[0].find("1 file that is no PNG or JPEG, '2.webp' first"), std::string::npos) << warnings[0];
  write(folder_ / "fox" / "1.bmp", {});
  write(folder_ / "fox" / "2.bmp", {});
  try {
    (void)data::class_folders(folder_);
    ADD_FAILURE();
  } catch (const DataError& error) {
    EXPECT_NE(std::string(error.what()).find("fox holds 2 files, '1.bmp' among them"), std::string::npos)
        << error.what();
  }
}

TEST_F(Pictures, AJpegIsReadWithTheErrorOfItsCompression) {
  for (std::int64_t channels : {1, 3}) {
    Tensor wanted({16, 24, channels}, u8);  // smooth like photographs, so that the compression error is small
    for (std::int64_t i = 0; i < wanted.size(); ++i) wanted.set(i, static_cast<double>(i / channels % 24 * 8 + 20));
    write_jpeg(folder_ / "a.jpeg", wanted);
    const Tensor got = data::read_picture(folder_ / "a.jpeg");
    ASSERT_EQ(got.shape(), wanted.shape());
    for (std::int64_t i = 0; i < got.size(); ++i) ASSERT_NEAR(got.at(i), wanted.at(i), 4);
  }
}

TEST_F(Pictures, AFolderOfFoldersIsClassesInAlphabeticalOrder) {
  const Tensor cat = picture(4, 4, 1, 1), dog = picture(4, 4, 3, 2), other = picture(4, 4, 1, 3);
  write(folder_ / "dogs" / "1.png", data::png_of(dog));
  write(folder_ / "cats" / "2.png", data::png_of(other));
  write(folder_ / "cats" / "1.PNG", data::png_of(cat));
  write(folder_ / "cats" / "notes.txt", {});
  fs::create_directories(folder_ / "empty");
  const auto classes = data::class_folders(folder_);
  EXPECT_EQ(classes, (std::vector<std::string>{"cats", "dogs"}));
  const data::ImageFolder read = data::image_folder(folder_, classes);
  ASSERT_EQ(read.data["input"].shape(), (Shape{3, 4, 4, 3}));
  EXPECT_EQ(read.files[0].filename(), "1.PNG");
  for (std::int64_t i = 0; i < 3; ++i) EXPECT_EQ(read.data["target"].at(i), i == 2);
  for (std::int64_t i = 0; i < 48; ++i) {
    EXPECT_EQ(read.data["input"].at(i), cat.at(i / 3));  // a grey picture becomes three equal channels
    EXPECT_EQ(read.data["input"].at(96 + i), dog.at(i));
  }
}

TEST_F(Pictures, AFolderThatStreamsHasTheSameRows) {
  for (int i = 0; i < 5; ++i) {
    const std::int64_t channels = i % 2 ? 1 : 3;
    write(folder_ / (i < 3 ? "a" : "b") / (std::to_string(i) + ".png"), data::png_of(picture(6, 4, channels, i)));
  }
  write_jpeg(folder_ / "a" / "9.jpg", picture(6, 4, 1, 9));
  const data::ImageFolder kept = data::image_folder(folder_, {"a", "b"}, data::Keep::what_fits);
  const data::ImageFolder streamed = data::image_folder(folder_, {"a", "b"}, data::Keep::none);
  EXPECT_FALSE(kept.data.streams());
  EXPECT_TRUE(streamed.data.streams());
  EXPECT_EQ(kept.files, streamed.files);
  EXPECT_TRUE(identical(streamed.data.slice(0, 6)["input"], kept.data["input"]));
  EXPECT_TRUE(identical(streamed.data["target"], kept.data["target"]));
  const std::vector<std::int64_t> some = {5, 0, 2};
  EXPECT_EQ(data::TensorPreprocessing::fit(streamed.data, some), data::TensorPreprocessing::fit(kept.data, some));
  write(folder_ / "b" / "4.png", data::png_of(picture(6, 5, 1, 4)));  // this file has changed after the folder was read
  EXPECT_THROW((void)streamed.data.slice(0, 6), DataError);
}

TEST_F(Pictures, DamagedFilesAreRefusedByName) {
  const auto message = [&](const auto& call) -> std::string {
    try {
      call();
    } catch (const Error& error) {
      return error.what();
    }
    return "nothing was thrown";
  };
  auto bytes = data::png_of(picture(9, 9, 3, 1));
  bytes.resize(bytes.size() / 2);
  write(folder_ / "half.png", bytes);
  EXPECT_NE(message([&] { (void)data::read_picture(folder_ / "half.png"); }).find("half.png"), std::string::npos);
  write_jpeg(folder_ / "half.jpg", picture(32, 32, 3, 1));
  fs::resize_file(folder_ / "half.jpg", fs::file_size(folder_ / "half.jpg") / 2);
  EXPECT_NE(message([&] { (void)data::read_picture(folder_ / "half.jpg"); }).find("half.jpg"), std::string::npos);
  write(folder_ / "text.png", std::vector<std::byte>(10, std::byte{'a'}));
  EXPECT_NE(message([&] { (void)data::read_picture(folder_ / "text.png"); }).find("neither PNG nor JPEG"),
            std::string::npos);
  write(folder_ / "sizes" / "a" / "1.png", data::png_of(picture(4, 4, 1, 1)));
  write(folder_ / "sizes" / "a" / "2.png", data::png_of(picture(4, 5, 1, 1)));
  EXPECT_NE(message([&] { (void)data::image_folder(folder_ / "sizes", {"a"}); }).find("2.png is 4 x 5"),
            std::string::npos);
  EXPECT_NE(message([&] { (void)data::class_folders(folder_ / "nowhere"); }).find("no folder"), std::string::npos);
}

TEST_F(Pictures, NoiseHasItsDeviationAndLeavesTheTargetAlone) {
  Dataset images;
  images.set("input", picture(40, 50, 30, 1).reshape({40, 50, 30, 1}));
  const Dataset noisy = data::noisy(images, 0.3);
  double squares = 0;
  for (std::int64_t i = 0; i < noisy["input"].size(); ++i) {
    EXPECT_NEAR(noisy["target"].at(i), images["input"].at(i) / 255, 1e-6);
    const double noise = noisy["input"].at(i) - noisy["target"].at(i);
    squares += noise * noise;
  }
  EXPECT_NEAR(std::sqrt(squares / static_cast<double>(noisy["input"].size())), 0.3, 0.3 * 4 / std::sqrt(2 * 60'000.));
}

}  // namespace
}  // namespace thalweg
