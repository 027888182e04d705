#include "store/safetensors.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <limits>
#include <random>

#include "temporary_folder.hpp"
#include "thalweg/error.hpp"

namespace thalweg {
namespace {

class Safetensors : public testing::TemporaryFolderTest {
 protected:
  [[nodiscard]] std::string valid() const {
    SafetensorsFile file;
    file.metadata = {{"kind", "mlp"}, {"note", "\"quoted\" and \\"}};
    file.tensors = {{"weight", random_normal({3, 4}, 1)}, {"step", full({1}, 7, i32)}, {"empty", Tensor({0, 2}, f64)}};
    write_safetensors(path("valid"), file);
    return read("valid");
  }

  /// Reads these bytes. Returns true if they are a valid file and false for a ModelError; anything else fails the test.
  [[nodiscard]] bool reads(const std::string& bytes) const {
    write("candidate", bytes);
    try {
      (void)read_safetensors(path("candidate"));
      return true;
    } catch (const ModelError& error) {
      EXPECT_NE(std::string(error.what()).find("candidate"), std::string::npos) << error.what();
      return false;
    }
  }

  /// The bytes of a file with this header, followed by `data` zeros.
  [[nodiscard]] static std::string with_header(const std::string& header, std::size_t data) {
    std::string bytes(8, '\0');
    for (std::size_t i = 0; i < 8; ++i) bytes[i] = static_cast<char>(header.size() >> (8 * i));
    return bytes + header + std::string(data, '\0');
  }
};

TEST_F(Safetensors, AFlippedBitOfANumberIsFound) {
  const std::string bytes = valid();
  ASSERT_TRUE(reads(bytes));
  for (const std::size_t behind : {1U, 20U, 52U}) {  // counted from the end, where the numbers are
    std::string flipped = bytes;
    flipped[bytes.size() - behind] = static_cast<char>(flipped[bytes.size() - behind] ^ 4);
    EXPECT_FALSE(reads(flipped)) << behind;
  }
  EXPECT_FALSE(read_safetensors(path("valid"))
                   .metadata.contains("thalweg.checksum"));  // the checksum is not part of the user's metadata
}

/// Whatever single byte is changed, the file is refused or means the same. Only a changed name of the header's checksum
/// leaves it unchecked, as in a file of another program.
TEST_F(Safetensors, AChangedByteOfTheHeaderIsFound) {
  const std::string whole = valid(), key = "thalweg.header_checksum";
  const SafetensorsFile before = read_safetensors(path("valid"));
  const std::size_t key_at = whole.find(key);
  ASSERT_NE(key_at, std::string::npos);
  int same = 0, refused = 0;
  for (std::size_t at = 0; at < whole.size(); ++at) {
    if (at >= key_at && at < key_at + key.size()) continue;
    std::string changed = whole;
    changed[at] = static_cast<char>(changed[at] ^ 1);
    if (!reads(changed)) {
      ++refused;
      continue;
    }
    ++same;
    write("changed", changed);
    const SafetensorsFile after = read_safetensors(path("changed"));
    EXPECT_EQ(after.metadata, before.metadata) << at;
    ASSERT_EQ(after.tensors.size(), before.tensors.size());
    for (std::size_t i = 0; i < after.tensors.size(); ++i) {
      EXPECT_EQ(after.tensors[i].first, before.tensors[i].first) << at;
      EXPECT_TRUE(identical(after.tensors[i].second, before.tensors[i].second)) << at;
    }
  }
  EXPECT_GT(refused, 10 * same);
  EXPECT_FALSE(before.metadata.contains(key));
}

TEST_F(Safetensors, AFileWithoutAChecksumIsRead) {
  EXPECT_TRUE(reads(with_header(R"({"x":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})", 4)));
}

TEST_F(Safetensors, ReadsWhatItWrote) {
  (void)valid();
  const SafetensorsFile file = read_safetensors(path("valid"));
  EXPECT_EQ(file.metadata.at("note"), "\"quoted\" and \\");
  ASSERT_EQ(file.tensors.size(), 3U);
  EXPECT_TRUE(identical(file.tensor("weight"), random_normal({3, 4}, 1)));
  EXPECT_EQ(file.tensor("step").at(0), 7);
  EXPECT_EQ(file.tensor("empty").shape(), (Shape{0, 2}));
}

TEST_F(Safetensors, NumbersThatAreNotFiniteAreNamed) {
  SafetensorsFile file;
  file.tensors = {{"step", full({1}, 7, i32)}, {"weight", random_normal({3, 4}, 1)}, {"wide", Tensor({2}, f64)}};
  expect_finite(file, "m");
  file.tensors[2].second.set(1, std::numeric_limits<double>::infinity());
  try {
    expect_finite(file, "m");
    ADD_FAILURE();
  } catch (const ModelError& error) {
    EXPECT_STREQ(error.what(), "[model] m: 'wide' is inf at place 1. Wanted: finite numbers");
  }
  file.tensors[1].second.set(5, std::nan(""));
  EXPECT_THROW(expect_finite(file, "m"), ModelError);
}

TEST_F(Safetensors, ATruncatedFileIsAModelError) {
  const std::string whole = valid();
  for (std::size_t length = 0; length < whole.size(); ++length) {
    EXPECT_FALSE(reads(whole.substr(0, length))) << "cut to " << length << " of " << whole.size();
  }
  EXPECT_TRUE(reads(whole));
  EXPECT_FALSE(reads(whole + "x"));
}

TEST_F(Safetensors, AChangedByteIsAModelErrorOrReadable) {
  const std::string whole = valid();
  std::mt19937 random(11);
  for (std::size_t at = 0; at < whole.size(); ++at) {
    for (int value : {0x00, 0xff, static_cast<int>(random() & 0xff)}) {
      std::string changed = whole;
      changed[at] = static_cast<char>(value);
      (void)reads(changed);
    }
  }
}

TEST_F(Safetensors, RandomBytesAreAModelError) {
  std::mt19937 random(5);
  const std::string whole = valid();
  for (int i = 0; i < 500; ++i) {
    std::string noise(random() % 200, '\0');
    for (char& c : noise) c = static_cast<char>(random());
    if (i % 3 == 0 && noise.size() > 8)
      noise.replace(1, 7, 7, '\0');  // a small length of the header, which may fit into the file
    EXPECT_FALSE(reads(noise));
    std::string several = whole;
    for (int k = 0; k < 4; ++k) several[random() % several.size()] = static_cast<char>(random());
    (void)reads(several);
  }
}

TEST_F(Safetensors, HostileHeadersAreModelErrors) {
  const auto tensor = [](const std::string& shape, const std::string& offsets, const std::string& dtype = "F32") {
    return "{\"w\":{\"dtype\":\"" + dtype + "\",\"shape\":" + shape + ",\"data_offsets\":" + offsets + "}}";
  };
  EXPECT_TRUE(reads(with_header(tensor("[2]", "[0,8]"), 8)));
  EXPECT_FALSE(reads(with_header(tensor("[4]", "[0,16]"), 8)));                     // beyond the end of the file
  EXPECT_FALSE(reads(with_header(tensor("[2]", "[8,0]"), 8)));                      // the end before the beginning
  EXPECT_FALSE(reads(with_header(tensor("[2]", "[-8,0]"), 8)));                     // negative
  EXPECT_FALSE(reads(with_header(tensor("[3]", "[0,8]"), 8)));                      // wrong size
  EXPECT_FALSE(reads(with_header(tensor("[2]", "[0,8]", "F16"), 8)));               // unknown dtype
  EXPECT_FALSE(reads(with_header(tensor("[4294967296,4294967296]", "[0,0]"), 8)));  // the size overflows to 0
  EXPECT_FALSE(reads(with_header(tensor("[9223372036854775807]", "[0,8]"), 8)));    // the number of bytes overflows
  EXPECT_FALSE(reads(with_header(tensor("[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,2]", "[0,8]"), 8)));  // too many axes
  EXPECT_FALSE(reads(with_header(tensor("[2.5]", "[0,8]"), 8)));
  EXPECT_FALSE(reads(with_header(tensor("[2]", "[0,8]"), 16)));    // a gap at the end
  EXPECT_FALSE(reads(with_header(std::string(100'000, '['), 8)));  // nested too deep
  EXPECT_FALSE(reads(std::string(8, '\xff') + "{}"));              // a header of 2^64 - 1 bytes
}

TEST_F(Safetensors, ANameThatIsThereTwiceIsRefused) {
  const std::string w = R"("w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]})",
                    empty = R"("\u0077":{"dtype":"F32","shape":[0],"data_offsets":[0,0]})";  // an escaped w
  EXPECT_TRUE(reads(with_header("{" + w + "}", 4)));
  const std::vector<std::string> headers = {w + "," + empty, empty + "," + w,
                                            R"("__metadata__":{"a":"1","a":"2"},)" + w,
                                            R"("w":{"dtype":"F32","dtype":"F32","shape":[1],"data_offsets":[0,4]})"};
  for (const std::string& header : headers) {
    EXPECT_FALSE(reads(with_header("{" + header + "}", 4))) << header;
  }
  try {
    (void)read_safetensors(path("candidate"));
    ADD_FAILURE();
  } catch (const ModelError& error) {
    EXPECT_NE(std::string(error.what()).find("its header has 'w.dtype' twice"), std::string::npos) << error.what();
  }
  for (const char* name : {"w", "__metadata__"}) {
    const SafetensorsFile file{{{"w", zeros({1})}, {name, zeros({1})}}, {}};
    EXPECT_THROW(write_safetensors(path("twice"), file), UsageError) << name;
  }
}

TEST_F(Safetensors, TensorsAreReadInTheOrderOfTheirOffsets) {
  SafetensorsFile file;
  for (int i = 0; i < 100'000; ++i) file.tensors.emplace_back("t" + std::to_string(100'000 - i), full({1}, i, u8));
  write_safetensors(path("many"), file);
  const SafetensorsFile read = read_safetensors(path("many"));
  ASSERT_EQ(read.tensors.size(), file.tensors.size());
  for (std::size_t i = 0; i < read.tensors.size(); i += 997) EXPECT_EQ(read.tensors[i].first, file.tensors[i].first);
}

TEST_F(Safetensors, ValuesNestedInTheMetadataAreRefused) {
  const std::string deep = std::string(100'000, '[') + std::string(100'000, ']');
  EXPECT_FALSE(reads(with_header("{\"__metadata__\":" + deep + "}", 0)));
  EXPECT_FALSE(reads(with_header("{\"__metadata__\":{\"a\":" + deep + "}}", 0)));
}

TEST_F(Safetensors, OverlappingTensorsAreRefusedBeforeTheyAreRead) {
  // 2000 tensors share one megabyte: reading them before checking their offsets would need two gigabytes
  std::string header = "{";
  for (int i = 0; i < 2000; ++i) {
    header += (i ? ",\"" : "\"") + std::to_string(i) +
              "\":{\"dtype\":\"U8\",\"shape\":[1000000],\"data_offsets\":[0,1000000]}";
  }
  EXPECT_FALSE(reads(with_header(header + "}", 1'000'000)));
}

}  // namespace
}  // namespace thalweg
