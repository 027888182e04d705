// Training on PNG files in one folder per class, as a user does it.

#include "data/pictures.hpp"

#include <filesystem>

#include "command.hpp"

namespace thalweg::testing {
namespace {

class PictureFolders : public CommandTest {
 protected:
  /// Writes two classes of pictures: bright on the left, bright on the right.
  void write_pictures() const {
    for (const char* side : {"left", "right"}) std::filesystem::create_directories(path("pictures") / side);
    for (int i = 0; i < 60; ++i) {
      const bool right = i % 2;
      Tensor picture({6, 6, 1}, u8);
      for (std::int64_t place = 0; place < picture.size(); ++place)
        picture.set(place, (place % 6 >= 3) == right ? 120 + (i * 37 + place * 11) % 100 : (i * 53 + place * 7) % 100);
      const std::vector<std::byte> bytes = data::png_of(picture);
      write(std::string(right ? "pictures/right/" : "pictures/left/") + std::to_string(i) + ".png",
            {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
    }
  }
  /// p.toml reads these pictures; `more` begins with further keys of [data].
  void write_config(const std::string& more) const {
    write("p.toml", "[data]\nformat = \"images\"\ntrain = \"pictures\"\nvalidation = 0.25\n" + more);
  }
};

TEST_F(PictureFolders, TrainTheSameModelInMemoryAndStreamed) {
  write_pictures();
  write_config(R"(augment = { crop = 1 }
[model]
kind = "mlp"
hidden = [8]
[optimizer]
kind = "adam"
lr = 0.02
[train]
epochs = 8
batch_size = 8
)");
  for (const std::string stream : {"never", "always"}) {
    const Ran ran = run("train p.toml --quiet --threads 2 --out " + stream + " --set data.stream=" + stream);
    ASSERT_EQ(ran.code, 0) << ran.err;
  }
  EXPECT_EQ(read_text(path("always/model.safetensors")), read_text(path("never/model.safetensors")));
  const auto worst = [&](const std::string& name) {
    const std::string page = read_text(path(name + "/report.html"));
    const auto begin = page.find("Worst rows");
    return begin == std::string::npos ? "" : page.substr(begin, page.find("</table>", begin) - begin);
  };
  EXPECT_EQ(worst("always"), worst("never"));
  EXPECT_NE(worst("never").find("<img class=\"row\" alt=\"image "), std::string::npos) << worst("never");
  EXPECT_NE(worst("never").find("<td>right</td><td>right ("), std::string::npos) << worst("never");
  // test images of another folder, whose places are not kept
  ASSERT_EQ(run("train p.toml --quiet --threads 1 --out tested --set data.test=pictures").code, 0);
  EXPECT_NE(worst("tested").find("alt=\"image "), std::string::npos) << worst("tested");
  const nlohmann::json kept = run("evaluate never --json").json(), streamed = run("evaluate always --json").json();
  EXPECT_EQ(kept["loss"], streamed["loss"]);
  EXPECT_GT(kept["accuracy"].get<double>(), 0.9);
  const Ran told = run("train p.toml --json --threads 2 --out told");
  ASSERT_EQ(told.code, 0) << told.err;
  EXPECT_EQ(told.json()["baselines"]["validation"]["nearest neighbour"]["accuracy"], 1);
  write("pictures/left/60.png", "neither");
  const Ran broken = run("train p.toml --quiet --out broken --set data.stream=always");
  EXPECT_EQ(broken.code, 3) << broken.err;
  EXPECT_NE(broken.err.find("60.png"), std::string::npos) << broken.err;
}

/// examples/emoji.toml in short.
TEST_F(PictureFolders, AResidualNetLearnsWithTheSameBitsForAnyThreadsAndAfterAResume) {
  write_pictures();
  write_config(R"(augment = { crop = 1, cutout = 2 }
[model]
kind = "resnet"
blocks = [1]
width = 8
dropout = 0.1
[loss]
kind = "cross_entropy"
label_smoothing = 0.1
[optimizer]
kind = "adamw"
lr = 0.01
[schedule]
kind = "one_cycle"
[train]
epochs = 12
batch_size = 8
)");
  for (const std::string arguments :
       {"p.toml --out one --threads 1", "p.toml --out two --threads 2",
        "p.toml --out stopped --threads 2 --stop-after 9", "stopped --threads 2 --resume"}) {
    const Ran ran = run("train --quiet " + arguments);
    ASSERT_EQ(ran.code, 0) << ran.err;
  }
  const std::string model = read_text(path("one/model.safetensors"));
  EXPECT_EQ(model, read_text(path("two/model.safetensors")));
  EXPECT_EQ(model, read_text(path("stopped/model.safetensors")));
  EXPECT_GT(run("evaluate one --json").json()["accuracy"].get<double>(), 0.9);
}

TEST_F(PictureFolders, TheSearchForARateUsesAugmentedImages) {
  write_pictures();
  write_config("[model]\nkind = \"linear\"\n[train]\nepochs = 8\nbatch_size = 8\n");
  const auto lowest = [&](const std::string& more) {
    const Ran ran = run("lr p.toml --json --threads 1" + more);
    EXPECT_EQ(ran.code, 0) << ran.err;
    double loss = 1e9;
    const nlohmann::json found = ran.json();
    for (const auto& trial : found["trials"]) {
      if (trial["loss"].is_number()) loss = std::min(loss, trial["loss"].get<double>());
    }
    return loss;
  };
  EXPECT_LT(lowest(""), 0.4);
  // the augmentation blanks every image, so there is nothing to learn
  EXPECT_GT(lowest(" --set data.augment='{ cutout = 12 }'"), 0.6);
}

}  // namespace
}  // namespace thalweg::testing
