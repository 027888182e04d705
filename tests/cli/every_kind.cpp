// The common options of all kinds of runs, tested with each kind: tables, images, texts, and each row of the table of
// systems.

#include <cmath>
#include <map>

#include "data/pictures.hpp"
#include "image_files.hpp"
#include "thalweg/medium.hpp"
#include "thalweg/registry.hpp"

namespace thalweg::testing {
namespace {

/// A small example of a kind of run: its configuration, and the kind that must be trained before it.
struct Kind {
  std::string config, first = "";
  bool looped = false;  ///< not trained by the Trainer, but by a loop of its own, on the CPU only
};

const std::string images =
    "[data]\nformat = \"idx\"\nvalidation = 0.2\ntrain = { images = \"t-images\", labels = \"t-labels\" }\n";
const std::string texts = "[data]\nformat = \"text\"\ntrain = \"lines.txt\"\nvalidation = 0.1\nsequence_length = 16\n";
const std::string pairs = "[data]\nformat = \"preferences\"\ntrain = \"pairs.csv\"\nvalidation = 0.1\n";
const std::string sounds = "[data]\nformat = \"speech\"\ntrain = \"sounds.csv\"\nvalidation = 0.2\nbands = 20\n";

std::string system(const std::string& kind, const std::string& options = "") {
  return "[system]\nkind = \"" + kind + "\"\n" + options;
}

const std::map<std::string, Kind>& kinds() {
  static const std::map<std::string, Kind> all = {
      {"table", {"[data]\ntrain = \"t.csv\"\ntarget = \"y\"\n"}},
      {"images", {images}},
      {"text", {texts + "[model]\nkind = \"gpt\"\nlayers = 1\nwidth = 16\nheads = 2\ncontext = 16\n"}},
      {"diffusion", {images + "classes = [\"even\", \"odd\"]\n" + system("diffusion", "width = 8\nlevels = 1\n")}},
      {"gan", {images + system("gan", "width = 8\ncode = 8\n")}},
      {"gumbel", {images + system("gumbel", "places = 4\ncodes = 8\nhidden = [8]\n")}},
      {"vae", {images + system("vae", "width = 4\nhidden = [8]\n")}},
      {"vq_vae", {images + system("vq_vae", "places = 4\ncodes = 8\nhidden = [8]\n")}},
      {"face_swap",
       {"[data]\nformat = \"images\"\ntrain = \"faces\"\nvalidation = 0.2\n" +
        system("face_swap", "shrink = 1\nhidden = 8\ncode = 8\n")}},
      {"dpo", {pairs + system("dpo", "gpt = \"text\"\nlength = 8\n"), "text"}},
      {"reward", {pairs + system("reward", "gpt = \"text\"\n"), "text"}},
      {"ppo_text", {system("ppo_text", "gpt = \"text\"\nreward = \"reward\"\nlength = 8\n"), "reward"}},
      {"masked",
       {"[data]\nformat = \"documents\"\ntrain = \"documents.txt\"\nlength = 8\n" +
        system("masked", "layers = 1\nwidth = 16\nheads = 2\n")}},
      {"text_encoder",
       {"[data]\nformat = \"sentences\"\ntrain = \"mails.csv\"\nvalidation = 0\n" +
            system("text_encoder", "encoder = \"masked\"\n"),
        "masked"}},
      {"sequences",
       {"[data]\nformat = \"sequences\"\ntrain = \"sequences.csv\"\nlongest = 8\n" +
        system("sequences", "width = 16\nheads = 2\n")}},
      {"speech_recogniser", {sounds + system("speech_recogniser", "filters = 8\nunits = 8\nlayers = 1\n")}},
      {"voice",
       {sounds + "standardise = \"training\"\n" +
        system("voice", "width = 16\nkernel = 3\nencoder = 1\ndecoder = 1\naligner = 8\n")}},
      {"policy", {system("policy", "steps = 8\nenvironments = 2\n")}},
      {"self_play", {system("self_play", "environment = \"tic_tac_toe\"\nsimulations = 4\n")}},
      {"embeddings", {"[data]\ntrain = \"lines.txt\"\n" + system("embeddings", "width = 4\n"), "", true}},
      {"recommender", {"[data]\ntrain = \"ratings.csv\"\n" + system("recommender", "width = 2\n"), "", true}},
      {"text_classifier",
       {"[data]\nformat = \"texts\"\ntrain = \"mails.csv\"\n" + system("text_classifier"), "", true}},
  };
  return all;
}

class EveryKind : public ImageFilesTest, public ::testing::WithParamInterface<std::string> {
 protected:
  void write_files() const {
    write_table("t.csv", 40);
    Tensor pixels({40, 8, 8}, u8), labels({40}, u8);
    for (int i = 0; i < 40 * 64; ++i) pixels.set(i, i * 37 % 251);
    for (int i = 0; i < 40; ++i) labels.set(i, i % 2);
    write_idx("t-images", pixels);
    write_idx("t-labels", labels);
    std::string lines, mails = "class,text\n", documents, sequences = "source,target\n", ratings = "user,item,rating\n",
                       preferences = "first,second,first_score,second_score\n", sound_table = "file,text\n";
    for (int i = 0; i < 80; ++i) {
      const std::string word = "word" + std::to_string(i % 7), other = i % 2 == 0 ? "good" : "bad";
      lines += "say " + word + " " + other + " the end\n";
      mails += (i % 2 == 0 ? "ham," : "spam,") + word + " " + other + "\n";
      documents += "say " + word + " " + other + "\nand so on\n\n";
      sequences += word + "," + other + " " + word + "\n";
      ratings += "p" + std::to_string(i % 8) + ",t" + std::to_string(i / 8) + "," + std::to_string(1 + i % 5) + "\n";
      preferences += word + "," + other + "," + std::to_string(i % 2) + "," + std::to_string(1 - i % 2) + "\n";
    }
    for (const char* half : {"faces/0", "faces/1"}) std::filesystem::create_directories(path(half));
    for (int i = 0; i < 10; ++i) {
      Tensor wave({4000}), pair({16, 32, 3}, u8);
      for (int n = 0; n < 4000; ++n) wave.set(n, 0.5 * std::sin(n * (0.1 + 0.05 * i)));
      for (int n = 0; n < 16 * 32 * 3; ++n) pair.set(n, (n * (i + 3)) % 251);
      write("s" + std::to_string(i) + ".wav", Medium::sound(wave, 8000).bytes);
      const std::vector<std::byte> bytes = data::png_of(pair);
      write("faces/" + std::to_string(i % 2) + "/" + std::to_string(i) + ".png",
            {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
      sound_table += "s" + std::to_string(i) + ".wav," + (i % 2 == 0 ? "ab" : "ba") + "\n";
    }
    for (const auto& [name, text] : {std::pair("lines.txt", &lines),
                                     {"mails.csv", &mails},
                                     {"documents.txt", &documents},
                                     {"sequences.csv", &sequences},
                                     {"ratings.csv", &ratings},
                                     {"pairs.csv", &preferences},
                                     {"sounds.csv", &sound_table}})
      write(name, *text);
  }
  /// Writes the configuration of a kind, and trains the run that it starts from.
  void prepare(const std::string& name) const {
    const Kind& kind = kinds().at(name);
    write(name + ".toml", kind.config);
    if (kind.first.empty()) return;
    prepare(kind.first);
    const Ran ran = run("train " + kind.first + ".toml -q --epochs 1 --out " + kind.first);
    ASSERT_EQ(ran.code, 0) << ran.err;
  }
};

TEST_P(EveryKind, TakesTheOptionsThatAllHave) {
  write_files();
  prepare(GetParam());
  const std::string train = "train " + GetParam() + ".toml ";
  const Ran said = run(train + "--threads 3 --seed 7 --epochs 5 --batch-size 6 --print-config");
  ASSERT_EQ(said.code, 0) << said.err;
  for (const char* line : {"\nthreads = 3\n", "seed = 7\n", "\nepochs = 5\n", "\nbatch_size = 6\n"})
    EXPECT_NE(said.out.find(line), std::string::npos) << line << said.out;
  const Ran ran = run(train + "--threads 1 --epochs 2 --quiet --out some/where");
  ASSERT_EQ(ran.code, 0) << ran.err;
  EXPECT_EQ(ran.err, "");
  for (const char* file : {"config.toml", "metrics.jsonl", "model.safetensors", "report.html"})
    EXPECT_TRUE(std::filesystem::exists(path("some/where") / file)) << file;
  EXPECT_NE(read_text(path("some/where/config.toml")).find("\nthreads = 1\n"), std::string::npos);
}

TEST_P(EveryKind, TakesABudgetOrSaysThatItIsNotAmongItsKeys) {
  write_files();
  prepare(GetParam());
  const Ran ran = run("train " + GetParam() + ".toml -q --epochs 1 --out r --set 'train.budget=1 h'");
  if (!kinds().at(GetParam()).looped) {
    EXPECT_EQ(ran.code, 0) << ran.err;
    return;
  }
  EXPECT_EQ(ran.code, 2);
  EXPECT_NE(ran.err.find("[train of " + GetParam() + "] unknown key 'budget'. Hint: known are"), std::string::npos)
      << ran.err;
}

TEST_P(EveryKind, TakesTheDeviceOrSaysThatItRunsOnTheCpuOnly) {
  write_files();
  prepare(GetParam());
  const std::string train = "train " + GetParam() + ".toml --print-config ";
  const Ran here = run(train + "--device cpu");
  ASSERT_EQ(here.code, 0) << here.err;
  EXPECT_NE(here.out.find("\ndevice = \"cpu\"\n"), std::string::npos) << here.out;
  const Ran there = run(train + "--device cuda");
  if (kinds().at(GetParam()).looped) {
    EXPECT_EQ(there.code, 2);
    EXPECT_NE(there.err.find("device = \"cuda\". Wanted: one of cpu"), std::string::npos) << there.err;
    return;
  }
  EXPECT_EQ(there.code, 0) << there.err;
  EXPECT_NE(there.out.find("\ndevice = \"cuda\"\n"), std::string::npos) << there.out;
}

/// Runs on the stand-ins for NVIDIA's libraries.
TEST_P(EveryKind, TrainsOnAGpu) {
  const std::filesystem::path nvidia = std::filesystem::path(command()).parent_path() / "nvidia";
  if (kinds().at(GetParam()).looped) GTEST_SKIP() << "runs on the CPU only";
  if (!std::filesystem::exists(nvidia / "libcuda.so.1")) GTEST_SKIP() << "built without the headers of CUDA";
  write_files();
  prepare(GetParam());
  std::string train = "LD_LIBRARY_PATH='" + nvidia.string() + "' XDG_CACHE_HOME='" + path("cache").string() + "' ";
  train += command() + " train " + GetParam() + ".toml --quiet --epochs 1 --device cuda --out there";
  const Ran ran = shell(train);
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_TRUE(std::filesystem::exists(path("there/model.safetensors")));
}

TEST(KindsOfRuns, IncludeAllSystems) {
  const Registry registry;
  for (const SystemRow& row : registry.systems()) EXPECT_TRUE(kinds().contains(std::string(row.name))) << row.name;
}

std::vector<std::string> names() {
  std::vector<std::string> all;
  for (const auto& [name, kind] : kinds()) all.push_back(name);
  return all;
}
INSTANTIATE_TEST_SUITE_P(Kinds, EveryKind, ::testing::ValuesIn(names()), [](const auto& kind) { return kind.param; });

}  // namespace
}  // namespace thalweg::testing
