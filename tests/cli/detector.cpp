// A detector of synthetic images, trained by the command: it learns, with the same bits for any number of threads and
// after a resume. It is measured on the generator of its training data and on another one.

#include "image_files.hpp"
#include "thalweg/registry.hpp"

namespace thalweg::testing {
namespace {

class Detector : public ImageFilesTest {
 protected:
  void SetUp() override {
    const auto [train, test] = data::fashion_mnist();
    write_images("train", train.slice(0, 640));
    write_images("test", test.slice(0, 200));
    generator("vae", "width = 4\nhidden = [48]\n[optimizer]\nkind = \"adam\"\nlr = 0.005\n");
    write("d.toml", R"(
[data]
format = "real_or_made"
train = { images = "train-images", made = "vae" }
test = { images = "test-images", made = "vae" }
validation = 0.2
count = 200
[model]
kind = "convnet"
filters = [4]
hidden = [8]
[optimizer]
kind = "adam"
lr = 0.01
[train]
epochs = 3
batch_size = 32
)");
  }

  /// Trains a generator of images for a few steps.
  void generator(const std::string& kind, const std::string& options) const {
    write(kind + ".toml",
          "[data]\nformat = \"idx\"\ntrain = { images = \"train-images\", labels = \"train-labels\" }\n"
          "[train]\nepochs = 2\nbatch_size = 64\n[system]\nkind = \"" +
              kind + "\"\n" + options);
    train(kind + ".toml", "--out " + kind);
  }
  void train(const std::string& what, const std::string& arguments) const {
    const Ran ran = run("train " + what + " --quiet " + arguments);
    ASSERT_EQ(ran.code, 0) << ran.err;
  }
  [[nodiscard]] std::string model(const std::string& folder) const {
    return read_text(path(folder + "/model.safetensors"));
  }
  void expect_refused(const std::string& arguments, const std::string& why) const {
    const Ran ran = run(arguments);
    EXPECT_EQ(ran.code, 2) << arguments << ran.err;
    EXPECT_NE(ran.err.find(why), std::string::npos) << ran.err;
  }
};

TEST_F(Detector, LearnsWithTheSameBitsForAnyThreadsAndAfterAResume) {
  train("d.toml", "--out one --threads 1");
  train("d.toml", "--out two --threads 2");
  EXPECT_EQ(model("one"), model("two"));
  train("d.toml", "--out stopped --stop-after 14 --threads 2");  // in the middle of the second epoch
  train("stopped", "--resume --threads 2");
  EXPECT_EQ(model("one"), model("stopped"));
  const Ran own = run("evaluate one --json");
  ASSERT_EQ(own.code, 0) << own.err;
  EXPECT_GE(own.json().at("auc").get<double>(), 0.95);
  EXPECT_EQ(own.json().at("rows"), 400);
}

TEST_F(Detector, IsMeasuredOnAGeneratorThatItNeverSaw) {
  generator("gan", "width = 8\ncode = 8\n[optimizer]\nkind = \"adam\"\nlr = 0.002\nbeta1 = 0.5\n");
  train("d.toml", "--out run");
  const Ran unseen = run("evaluate run --data gan --json");
  ASSERT_EQ(unseen.code, 0) << unseen.err;
  EXPECT_EQ(unseen.json().at("data"), "gan");
  EXPECT_TRUE(unseen.json().at("auc").is_number());
  const nlohmann::json seen = run("evaluate run --json").json(), named = run("evaluate run --data vae --json").json();
  EXPECT_EQ(seen.at("auc"), named.at("auc"));
  EXPECT_EQ(seen.at("loss"), named.at("loss"));
  EXPECT_NE(seen.at("loss"), unseen.json().at("loss"));
}

TEST_F(Detector, RunsThatDoNotGenerateSuchImagesAreRefusedByName) {
  train("d.toml", "--out run");
  expect_refused("evaluate run --data nowhere", "nowhere\": there is no such folder");
  expect_refused("evaluate run --data run", "run/model.safetensors holds a model of kind convnet");
  std::filesystem::create_directories(path("empty"));
  expect_refused("evaluate run --data empty", "empty is not a run folder");
  expect_refused("train d.toml --set data.test='{ images = \"train-images\", made = \"vae\" }'",
                 "the real images are the training images");
  write_idx("train-images", Tensor({200, 14, 14}, u8));
  expect_refused("train d.toml", "vae\": images of (28, 28, 1), but the real images are (14, 14, 1)");
}

TEST_F(Detector, AGeneratorThatChangedAfterTheTrainingIsReported) {
  train("d.toml", "--out run");
  std::filesystem::remove_all(path("vae"));
  train("vae.toml", "--out vae --set seed=2");
  const Ran ran = run("evaluate run");
  EXPECT_EQ(ran.code, 3) << ran.err;
  EXPECT_NE(ran.err.find("vae/model.safetensors has other content"), std::string::npos) << ran.err;
}

}  // namespace
}  // namespace thalweg::testing
