// The system `face_swap` in the command: translates pictures between two designs of emoji.

#include "command.hpp"
#include "data/pictures.hpp"

namespace thalweg::testing {
namespace {

class FaceSwaps : public CommandTest {
 protected:
  /// Writes a square at one of 8 x 8 places in two designs: left bright with a dark edge, right only a green edge.
  void write_pair(const std::string& file, int place, int wide = 32) const {
    Tensor pair({16, wide, 3}, u8);
    for (int y = 0; y < 9; ++y) {
      for (int x = 0; x < 9; ++x) {
        const bool edge = x < 2 || x > 6 || y < 2 || y > 6;
        const int left = (place / 8 + y) * wide + place % 8 + x;
        for (int channel = 0; channel < 3; ++channel) pair.set(left * 3 + channel, edge ? 80 : 240);
        if (edge) pair.set((left + 16) * 3 + 1, 220);
      }
    }
    const std::vector<std::byte> bytes = data::png_of(pair);
    write(file, {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  }

  void write_files() const {
    for (const std::string part : {"train", "test"}) {
      for (const std::string half : {"lower", "upper"}) std::filesystem::create_directories(path(part) / half);
      for (int place = 0; place < 64; ++place) {
        if ((place % 5 == 2) == (part == "test"))
          write_pair(part + (place < 32 ? "/upper/" : "/lower/") + std::to_string(1000 + place) + ".png", place);
      }
    }
    write("s.toml", R"(
[data]
format = "images"
train = "train"
test = "test"
validation = 0.1
[system]
kind = "face_swap"
code = 8
hidden = 32
shrink = 1
shift = 1
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
  train("--out stopped --stop-after 5");
  const Ran resumed = run("train stopped --resume --quiet --threads 2");
  ASSERT_EQ(resumed.code, 0) << resumed.err;
  const std::string model = read_text(path("one/model.safetensors"));
  EXPECT_EQ(model, read_text(path("two/model.safetensors")));
  EXPECT_EQ(model, read_text(path("stopped/model.safetensors")));
  const std::string report = read_text(path("one/report.html"));
  for (const char* part : {"left to right", "right to left", "given back", "carried"})
    EXPECT_NE(report.find(part), std::string::npos) << part;
}

TEST_F(FaceSwaps, TranslatePicturesOutsideTheTrainingData) {
  write_files();
  train(
      "--out run --set train.epochs=100 --set system.noise=0.1 --set system.flip=false "
      "--set system.code=32 --set system.hidden=128");
  const Ran measured = run("evaluate run --json");
  ASSERT_EQ(measured.code, 0) << measured.err;
  const nlohmann::json figures = measured.json();
  for (const std::string way : {"left to right", "right to left"}) {
    const double error = figures.at(way + " error");
    EXPECT_LT(error, 0.5 * figures["baselines"]["mean picture"][way + " error"].get<double>()) << way;
    EXPECT_LT(error, 0.5 * figures["baselines"]["nearest neighbour"][way + " error"].get<double>()) << way;
    EXPECT_NEAR(figures["baselines"]["by chance"][way + " retrieved"].get<double>(), 1.0 / 13, 1e-9);
    EXPECT_GT(figures.at(way + " retrieved").get<double>(), 0.9) << way;
  }
  EXPECT_EQ(run("generate run").code, 2);
}

TEST_F(FaceSwaps, DataWithoutPairsIsRefused) {
  for (const std::string name : {"a", "b"}) {
    std::filesystem::create_directories(path("train") / name);
    write_pair("train/" + name + "/1.png", 3, 25);
  }
  write("s.toml", "[data]\nformat = \"images\"\ntrain = \"train\"\n[system]\nkind = \"face_swap\"\nshrink = 1\n");
  const Ran ran = run("train s.toml");
  EXPECT_EQ(ran.code, 2) << ran.err;
  EXPECT_NE(ran.err.find("25 wide. Wanted: two pictures side by side, so a multiple of 2"), std::string::npos)
      << ran.err;
}

TEST_F(FaceSwaps, OptionsOutOfTheirBoundsAreRefusedByName) {
  write_files();
  for (const std::string option : {"shrink=0", "shrink=65", "shrink=9223372036854775807", "shift=1025", "hidden=65537",
                                   "hidden=4611686018427387904", "code=65537"}) {
    const Ran ran = run("train s.toml --set system." + option);
    EXPECT_EQ(ran.code, 2) << ran.err;
    EXPECT_NE(ran.err.find(option.substr(0, option.find('=')) + " = "), std::string::npos) << ran.err;
  }
}

}  // namespace
}  // namespace thalweg::testing
