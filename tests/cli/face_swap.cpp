// Pictures of two designs, each carried to the other, by the command.

#include "command.hpp"
#include "data/pictures.hpp"

namespace thalweg::testing {
namespace {

class FaceSwaps : public CommandTest {
 protected:
  /// A spot at one of many places: of one design bright on black, of the other the edge of a square, green.
  void write_picture(const std::string& file, bool second, int row, int column) const {
    Tensor picture({16, 16, 3}, u8);
    for (int y = 0; y < 5; ++y) {
      for (int x = 0; x < 5; ++x) {
        const bool edge = x % 4 == 0 || y % 4 == 0;
        for (int channel = 0; channel < 3; ++channel) {
          const double value = second ? (edge && channel == 1 ? 220 : 0) : (edge ? 80 : 240);
          picture.set(((row + y) * 16 + column + x) * 3 + channel, value);
        }
      }
    }
    const std::vector<std::byte> bytes = data::png_of(picture);
    write(file, {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  }

  void write_files() const {
    for (const std::string part : {"train", "test"}) {
      for (const std::string design : {"dot", "frame"}) {
        std::filesystem::create_directories(path(part) / design);
        for (int place = 0; place < 121; ++place) {  // of 11 x 11
          if ((place % 5 == 2) == (part == "test"))
            write_picture(part + "/" + design + "/" + std::to_string(1000 + place) + ".png", design == "frame",
                          place / 11, place % 11);
        }
      }
    }
    write("s.toml", R"(
[data]
format = "images"
train = "train"
test = "test"
validation = 0
[system]
kind = "face_swap"
code = 8
width = 8
shrink = 1
shift = 0
[optimizer]
kind = "adam"
lr = 0.003
[train]
epochs = 3
batch_size = 16
)");
  }
  void train(const std::string& arguments) const {
    const Ran ran = run("train s.toml --quiet " + arguments);
    ASSERT_EQ(ran.code, 0) << ran.err;
  }
};

TEST_F(FaceSwaps, LearnWithTheSameBitsForAnyThreadsAndAfterAResume) {
  write_files();
  train("--out one --threads 1");
  train("--out two --threads 2");
  train("--out stopped --stop-after 17");
  const Ran resumed = run("train stopped --resume --quiet --threads 2");
  ASSERT_EQ(resumed.code, 0) << resumed.err;
  const std::string model = read_text(path("one/model.safetensors"));
  EXPECT_EQ(model, read_text(path("two/model.safetensors")));
  EXPECT_EQ(model, read_text(path("stopped/model.safetensors")));
  const std::string report = read_text(path("one/report.html"));
  for (const char* part : {"dot to frame", "frame to dot", "swap.loss", "critic.loss"})
    EXPECT_NE(report.find(part), std::string::npos) << part;
}

TEST_F(FaceSwaps, CarryPicturesThatNobodyPairedBetterThanTheMeanPicture) {
  write_files();
  train("--out run --set train.epochs=60");
  const Ran measured = run("evaluate run --json");
  ASSERT_EQ(measured.code, 0) << measured.err;
  const nlohmann::json figures = measured.json();
  for (const std::string way : {"dot to frame", "frame to dot"}) {
    const double error = figures.at(way + " error");
    EXPECT_LT(error, figures["baselines"]["mean picture"][way + " error"].get<double>()) << way;
    EXPECT_GT(figures["baselines"]["nearest neighbour"][way + " error"].get<double>(), 0) << way;
    EXPECT_NEAR(figures["baselines"]["by chance"][way + " retrieved"].get<double>(), 1.0 / 24, 1e-9);
  }
  EXPECT_EQ(run("generate run").code, 2);
}

TEST_F(FaceSwaps, WhatCannotBePairsIsRefused) {
  write_files();
  train("--out run --set train.epochs=1");
  std::filesystem::remove(path("test/dot/1002.png"));
  const Ran measured = run("evaluate run --data test");
  EXPECT_EQ(measured.code, 2) << measured.err;
  EXPECT_NE(measured.err.find("23 pictures of one design and 24"), std::string::npos) << measured.err;
  std::filesystem::create_directories(path("train/third"));
  write_picture("train/third/1.png", false, 1, 1);
  const Ran three = run("train s.toml --out three");
  EXPECT_EQ(three.code, 2) << three.err;
  EXPECT_NE(three.err.find("two designs"), std::string::npos) << three.err;
}

}  // namespace
}  // namespace thalweg::testing
