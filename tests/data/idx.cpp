// IDX files of images and labels: all element types, gzip, and damaged files.
#include <zlib.h>
#include <filesystem>

#include "data/memory.hpp"
#include "files.hpp"
#include "gzip.hpp"
#include "thalweg/data.hpp"

namespace thalweg {
namespace {

using test::gzip;

using test::expect_error;
using test::TempFolder;

std::string word(std::uint32_t value) {
  std::string text;
  for (int shift = 24; shift >= 0; shift -= 8) text += static_cast<char>(value >> shift & 0xff);
  return text;
}

std::string header(char type, const std::vector<std::uint32_t>& sizes) {
  std::string text = {0, 0, type, static_cast<char>(sizes.size())};
  for (const std::uint32_t size : sizes) text += word(size);
  return text;
}

const std::string six_bytes = header(0x08, {2, 3}) + std::string("\x00\x01\x02\xfd\xfe\xff", 6);

class Idx : public ::testing::Test {
 protected:
  template <class E>
  void expect(const std::string& content, std::initializer_list<std::string_view> words) {
    const auto path = folder.write("broken.idx", content);
    expect_error<E>([&] { (void)data::idx(path); }, words);
    expect_error<E>([&] { (void)data::idx(path); }, {path.string()});
  }
  TempFolder folder;
};

TEST_F(Idx, BytesAreReadPlainAndGzip) {
  const Tensor wanted = Tensor::from(std::vector<std::uint8_t>{0, 1, 2, 253, 254, 255}, {2, 3});
  EXPECT_TRUE(identical(data::idx(folder.write("a.idx", six_bytes)), wanted));
  EXPECT_TRUE(identical(data::idx(folder.write("a.idx.gz", gzip(six_bytes))), wanted));
  const std::string two_members = gzip(six_bytes.substr(0, 7)) + gzip(six_bytes.substr(7));
  EXPECT_TRUE(identical(data::idx(folder.write("two.gz", two_members)), wanted));
}

TEST_F(Idx, WiderElementsHaveTheHighestByteFirst) {
  const auto integers = folder.write("i.idx", header(0x0c, {2}) + word(7) + word(0xfffffffe));
  EXPECT_TRUE(identical(data::idx(integers), Tensor::of<std::int32_t>({7, -2})));
  const auto floats = folder.write("f.idx", header(0x0d, {1, 1}) + word(0x3fc00000));
  EXPECT_TRUE(identical(data::idx(floats), Tensor::from(std::vector<float>{1.5F}, {1, 1})));
  const auto doubles = folder.write("d.idx", header(0x0e, {1}) + word(0xc0040000) + word(0));
  EXPECT_TRUE(identical(data::idx(doubles), Tensor::of({-2.5})));
}

TEST_F(Idx, MoreThanOneChunkIsReadWhole) {
  std::string content = header(0x08, {3, 100'000});
  for (int i = 0; i < 300'000; ++i) content += static_cast<char>(static_cast<unsigned>(i) * 7919U >> 5);
  const Tensor plain = data::idx(folder.write("a", content)), packed = data::idx(folder.write("b", gzip(content)));
  EXPECT_TRUE(identical(plain, packed));
  EXPECT_EQ(std::memcmp(plain.raw(), content.data() + 12, 300'000), 0);
}

TEST_F(Idx, AMissingFileIsAUsageErrorAndAFolderIsToo) {
  expect_error<UsageError>([&] { (void)data::idx(folder / "nowhere.idx"); }, {"nowhere.idx"});
  expect_error<UsageError>([&] { (void)data::idx(folder / ""); }, {"folder"});
}

TEST_F(Idx, AFileCutAtAnyByteIsADataErrorThatNamesIt) {
  for (std::size_t size = 0; size < six_bytes.size(); ++size) expect<DataError>(six_bytes.substr(0, size), {"[idx]"});
  const std::string packed = gzip(six_bytes);
  for (std::size_t size = 0; size < packed.size(); ++size) expect<DataError>(packed.substr(0, size), {"[idx]"});
}

TEST_F(Idx, AnyFlippedBitOfAGzipFileIsFound) {
  const std::string packed = gzip(six_bytes);
  const Tensor wanted = data::idx(folder.write("whole.gz", packed));
  for (std::size_t bit = 0; bit < packed.size() * 8; ++bit) {
    std::string flipped = packed;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ 1 << bit % 8);
    try {  // time stamp and system in the gzip header may have any value
      EXPECT_TRUE(identical(data::idx(folder.write("flipped.gz", flipped)), wanted)) << bit;
    } catch (const DataError&) {
    }
  }
}

TEST_F(Idx, BytesAfterTheLastElementAreRefused) {
  expect<DataError>(six_bytes + '\0', {"(2, 3)", "18 bytes", "holds 19"});
  expect<DataError>(gzip(six_bytes + '\0'), {"18 bytes", "19"});
  expect<DataError>(gzip(six_bytes) + "junk", {"damaged"});
}

TEST_F(Idx, AnInvalidHeaderIsRefused) {
  expect<DataError>(std::string("\x01\x00\x08\x01", 4) + word(0), {"01 00 08 01"});
  expect<DataError>(header(0x09, {1}) + "x", {"0x09"});
  expect<DataError>(std::string("\x00\x00\x08\x00x", 5), {"axes"});
  expect<DataError>(std::string("\x00\x00\x08\x09", 4) + std::string(36, '\1'), {"axes"});
}

TEST_F(Idx, SizesThatOverflowOrExceedTheFileAllocateNothing) {
  expect<DataError>(header(0x08, std::vector<std::uint32_t>(8, 0xffffffff)), {"64 bits"});
  expect<DataError>(header(0x0e, {0xffffffff, 0x40000000}) + "x", {"64 bits"});
  expect<DataError>(header(0x08, {1000, 1000}) + "x", {"1000012 bytes", "at most 13"});
  expect<DataError>(gzip(header(0x08, {100, 100}) + "x"), {"10012 bytes", "holds 13"});
  expect<DataError>(gzip(header(0x08, {0xffffffff, 0xffff}) + "x"), {"at most"});
  // a decompression bomb: 64 MB of zeros after a header of six elements
  expect<DataError>(gzip(header(0x08, {2, 3}) + std::string(64 << 20, '\0')), {"at least"});
}

TEST_F(Idx, AFileLargerThanTheMemoryIsRefusedWithItsSize) {
  const std::int64_t megabytes = (data::memory_budget() >> 20) + 1;
  const auto path = folder.write("sparse.idx", header(0x08, {static_cast<std::uint32_t>(megabytes), 1 << 20}));
  std::filesystem::resize_file(
      path,
      12 + (static_cast<std::uintmax_t>(megabytes) << 20));  // a sparse file, which needs no disk space
  expect_error<MemoryError>([&] { (void)data::idx(path); }, {"sparse.idx", std::to_string(megabytes) + " MB"});
}

TEST_F(Idx, ImagesAndLabelsMustAgree) {
  const auto pictures = folder.write("images", header(0x08, {2, 1, 3}) + "abcdef");
  const auto labels = [&](const std::string& values) {
    return folder.write("labels", header(0x08, {static_cast<std::uint32_t>(values.size())}) + values);
  };
  const Dataset data = data::images(pictures, labels({4, 9}), 10);
  EXPECT_EQ(data["input"].shape(), (Shape{2, 1, 3, 1}));
  EXPECT_EQ(data["input"].dtype(), u8);
  EXPECT_TRUE(identical(data["target"], Tensor::of<std::int32_t>({4, 9})));

  expect_error<DataError>([&] { (void)data::images(pictures, labels({1, 2, 3})); }, {"2 images", "3 labels"});
  expect_error<DataError>(
      [&] {
        (void)data::images(pictures, labels({4, 10}), 10);
      },
      {"label 10 of image 1", "0 to 9"});
  EXPECT_EQ(data::images(pictures, labels({4, 10})).rows(), 2);
  expect_error<DataError>([&] { (void)data::images(labels({1}), labels({1})); }, {"(1,)", "height"});
  expect_error<DataError>([&] { (void)data::images(pictures, pictures); }, {"one label an image"});
  const auto none = folder.write("none", header(0x08, {0, 2, 2}));
  expect_error<DataError>([&] { (void)data::images(none, labels("")); }, {"no image"});
}

TEST_F(Idx, NumbersThatAreNotFiniteAreFoundAnywhereInTheData) {
  const std::string nan("\x7f\xc0\x00\x00", 4);
  const auto images = folder.write("images", header(0x0d, {2, 1, 1}) + std::string(4, '\0') + nan);
  const auto labels = folder.write("labels", header(0x08, {2}) + std::string("\x00\x01", 2));
  expect_error<DataError>([&] { (void)data::images(images, labels); }, {"image 1 holds nan"});
}

TEST_F(Idx, FashionMnistIsComplete) {
  if (!std::filesystem::exists(data::fashion_mnist_folder)) GTEST_SKIP() << "dataset-fashion-mnist is not installed";
  const auto [train, test] = data::fashion_mnist();
  EXPECT_EQ(train["input"].shape(), (Shape{60'000, 28, 28, 1}));
  EXPECT_EQ(test["input"].shape(), (Shape{10'000, 28, 28, 1}));
  EXPECT_EQ(train["input"].dtype(), u8);
  std::vector<int> counts(10);
  for (const std::int32_t label : test["target"].values<std::int32_t>()) ++counts[static_cast<std::size_t>(label)];
  EXPECT_EQ(counts, std::vector<int>(10, 1000));
  EXPECT_EQ(train["target"].at(0), 9);  // an ankle boot
  EXPECT_EQ(data::fashion_mnist_classes().size(), 10U);
  expect_error<UsageError>([&] { (void)data::fashion_mnist(folder / "x"); }, {"dataset-fashion-mnist"});
}

}  // namespace
}  // namespace thalweg
