// Models and files of runs that are damaged, or made to mislead: each is refused with the exit code of models, before
// anything is printed and before memory is taken for what it names.

#include <functional>

#include "image_files.hpp"
#include "store/safetensors.hpp"

namespace thalweg::testing {
namespace {

class Damaged : public ImageFilesTest {
 protected:
  void train(const std::string& run_name, const std::string& config) const {
    write(run_name + ".toml", config);
    const Ran ran = run("train " + run_name + ".toml -q --epochs 1 --out " + run_name);
    ASSERT_EQ(ran.code, 0) << ran.err;
  }
  /// Writes a copy of the model of `run_name` to the run `bad`, changed by `change`.
  void change(const std::string& run_name, const std::function<void(SafetensorsFile&)>& change) const {
    SafetensorsFile file = read_safetensors(path(run_name) / "model.safetensors");
    change(file);
    std::filesystem::remove_all(path("bad"));
    std::filesystem::copy(path(run_name), path("bad"));
    write_safetensors(path("bad") / "model.safetensors", file);
  }
  void expect_refused(const std::string& arguments, const std::string& word) const {
    const Ran ran = run(arguments);
    EXPECT_EQ(ran.code, 4) << arguments << ": " << ran.err;
    EXPECT_EQ(ran.out, "") << arguments;
    EXPECT_NE(ran.err.find(word), std::string::npos) << ran.err;
  }
  static Tensor& tensor(SafetensorsFile& file, const std::string& name) {
    for (auto& [own, value] : file.tensors) {
      if (own == name) return value;
    }
    throw std::runtime_error("no tensor " + name);
  }
  static void replace(std::string& text, const std::string& part, const std::string& by) {
    const std::size_t at = text.find(part);
    ASSERT_NE(at, std::string::npos) << part << " in " << text;
    text.replace(at, part.size(), by);
  }
  void write_pictures() const {
    Tensor pixels({40, 8, 8}, u8), labels({40}, u8);
    for (int i = 0; i < 40 * 64; ++i) pixels.set(i, i * 37 % 251);
    for (int i = 0; i < 40; ++i) labels.set(i, i % 2);
    write_idx("t-images", pixels);
    write_idx("t-labels", labels);
  }
};

const std::string diffusion =
    "[data]\nformat = \"idx\"\nvalidation = 0.2\nclasses = [\"even\", \"odd\"]\n"
    "train = { images = \"t-images\", labels = \"t-labels\" }\n"
    "[system]\nkind = \"diffusion\"\nwidth = 8\nlevels = 1\nsteps = 2\n";

TEST_F(Damaged, AMovingAverageThatDoesNotFitIsRefused) {
  write_pictures();
  train("d", diffusion);
  const std::string average = "ema/unet/input/weight", own = "unet/input/weight";
  for (const std::string& name : {average, own}) {
    change("d", [&](SafetensorsFile& file) { tensor(file, name) = tensor(file, name).reshape({72}); });
    expect_refused("generate bad --count 1", "'" + average + "' is ");
    expect_refused("evaluate bad", "'" + average + "' is ");
  }
  change("d", [](SafetensorsFile& file) {
    std::erase_if(file.tensors, [](const auto& entry) { return entry.first.starts_with("ema/"); });
  });
  expect_refused("generate bad --count 1", "has no moving average 'ema'");
}

/// A net of convolutions has the same parameters for pictures of any size.
TEST_F(Damaged, PicturesOfAnySizeAreNotMade) {
  write_pictures();
  train("d", diffusion);
  change("d", [](SafetensorsFile& file) {
    auto preprocessing = nlohmann::json::parse(file.metadata["preprocessing"]);
    preprocessing["input"] = {40'000, 40'000, 1};
    file.metadata["preprocessing"] = preprocessing.dump();
  });
  expect_refused("generate bad --count 1", "rows of (40000, 40000, 1). Wanted: at most 16777216 numbers");
}

TEST_F(Damaged, APlayerIsRefusedBeforeTheGameBegins) {
  train("p",
        "[system]\nkind = \"self_play\"\nenvironment = \"tic_tac_toe\"\ngames = 2\nsimulations = 2\nrows = 16\n"
        "passes = 1\nfilters = 4\nblocks = 0\nhidden = 8\ntrial_games = 0\n");
  change("p", [](SafetensorsFile& file) {
    const Tensor& weight = tensor(file, "hidden/weight");
    tensor(file, "hidden/weight") = weight.reshape({weight.shape()[1], weight.shape()[0]});
  });
  expect_refused("play bad </dev/null", "'hidden/weight'");
  const auto resize = [&](const std::string& size, const std::string& by) {
    change("p", [&](SafetensorsFile& file) { replace(file.metadata["system.options"], size, by); });
  };
  for (const char* command : {"play bad </dev/null", "evaluate bad"}) {
    resize("rows = 16", "rows = 1000000000");
    expect_refused(command, "a collection of 1,000,000,000 rows");
    resize("hidden = 8", "hidden = 1000000000");
    expect_refused(command, "'hidden/weight'");
  }
}

TEST_F(Damaged, TheRunThatAnotherStartsFromIsRefusedAsAModel) {
  std::string lines, pairs = "first,second,first_score,second_score\n";
  for (int i = 0; i < 80; ++i) {
    lines += "say word" + std::to_string(i % 7) + " the end\n";
    pairs += "good word,bad word,1,0\n";
  }
  write("lines.txt", lines);
  write("pairs.csv", pairs);
  train("text",
        "[data]\nformat = \"text\"\ntrain = \"lines.txt\"\nvalidation = 0.1\nsequence_length = 16\n"
        "[model]\nkind = \"gpt\"\nlayers = 1\nwidth = 16\nheads = 2\ncontext = 16\n");
  write("dpo.toml",
        "[data]\nformat = \"preferences\"\ntrain = \"pairs.csv\"\nvalidation = 0.1\n"
        "[system]\nkind = \"dpo\"\ngpt = \"bad\"\nlength = 8\n");
  for (const auto& options : {"{ layers = 1", "{ layers = 0, width = 16, heads = 2 }", "7"}) {
    change("text", [&](SafetensorsFile& file) { file.metadata["model.options"] = options; });
    expect_refused("train dpo.toml -q --epochs 1", "bad/model.safetensors");
  }
}

TEST_F(Damaged, ALossThatDoesNotFitTheClassesIsRefused) {
  std::string table = "x,y\n";
  for (int i = 0; i < 60; ++i) table += std::to_string(i) + "," + "uvw"[i % 3] + "\n";
  write("t.csv", table);
  ASSERT_EQ(run("train t.csv --target y --epochs 1 -q --out r").code, 0);
  ASSERT_EQ(run("train t.csv --target y --epochs 40 -q --stop-after 2 --out stopped").code, 0);
  const SafetensorsFile recipe = read_safetensors(path("stopped/recipe.safetensors"));
  for (const auto& [kind, options, word] :
       {std::tuple("cross_entropy", "{ class_weights = [1.0, 2.0] }", "class_weights"), {"mse", "{}", "[mse]"}}) {
    const auto replace_loss = [&](SafetensorsFile& file) {
      file.metadata["loss.kind"] = kind;
      file.metadata["loss.options"] = options;
    };
    change("r", replace_loss);
    expect_refused("evaluate bad", word);
    expect_refused("evaluate bad --data t.csv", word);
    SafetensorsFile bad = recipe;
    replace_loss(bad);
    write_safetensors(path("stopped/recipe.safetensors"), bad);
    expect_refused("evaluate stopped --data t.csv", word);
  }
}

TEST_F(Damaged, ImagesOfAnotherSizeAreNotMeasured) {
  write_pictures();
  train("m", "[data]\nformat = \"idx\"\nvalidation = 0.2\ntrain = { images = \"t-images\", labels = \"t-labels\" }\n");
  write_idx("other", Tensor({40, 9, 9}, u8));
  const Ran ran = run("evaluate m --images other --labels t-labels");
  EXPECT_EQ(ran.code, 3) << ran.err;
  EXPECT_NE(ran.err.find("other has images of (9, 9, 1). Wanted: images of (8, 8, 1)"), std::string::npos) << ran.err;
}

TEST_F(Damaged, WithoutItsBaselinesARunIsMeasuredAlone) {
  write_table("t.csv");
  ASSERT_EQ(run("train t.csv --target y --epochs 2 -q --out r").code, 0);
  EXPECT_NE(run("evaluate r").out.find("(constant: "), std::string::npos);
  const std::string whole = read("r/baselines.safetensors");
  write("r/baselines.safetensors", whole.substr(0, whole.size() - 4));
  const Ran text = run("evaluate r"), json = run("evaluate r --json");
  EXPECT_EQ(text.code, 0) << text.err;
  EXPECT_EQ(text.out.find("constant"), std::string::npos) << text.out;
  EXPECT_TRUE(json.json().contains("rmse"));
  EXPECT_FALSE(json.json().contains("baselines"));
  for (const Ran& ran : {text, json})
    EXPECT_NE(ran.err.find("warning: no baselines: [safetensors] r/baselines.safetensors: "), std::string::npos)
        << ran.err;
}

}  // namespace
}  // namespace thalweg::testing
