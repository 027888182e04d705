// Pictures in files and folders.

#include "data/pictures.hpp"

#include <gtest/gtest.h>
#include <jpeglib.h>

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

TEST_F(Pictures, AJpegIsReadWithinItsLoss) {
  for (std::int64_t channels : {1, 3}) {
    Tensor wanted({16, 24, channels}, u8);  // smooth, as photographs are
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
    EXPECT_EQ(read.data["input"].at(i), cat.at(i / 3));  // grey: three equal channels
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
  write(folder_ / "b" / "4.png", data::png_of(picture(6, 5, 1, 4)));  // changed since
  EXPECT_THROW((void)streamed.data.slice(0, 6), DataError);
}

TEST_F(Pictures, WhatIsDamagedIsRefusedByName) {
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
