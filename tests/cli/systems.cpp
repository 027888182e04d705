// A small version of each system in the command: it learns, with the same bits for any number of threads and after a
// resume; it is measured, and generates images.

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>

#include "data/pictures.hpp"
#include "image_files.hpp"
#include "store/safetensors.hpp"
#include "thalweg/registry.hpp"

namespace thalweg::testing {
namespace {

/// A configuration of a system that trains in seconds.
struct Short {
  std::string options;                       ///< of [system]
  std::string more = "";                     ///< further sections
  std::string falls = "loss";                ///< the metric of an epoch that the training decreases
  std::string figure = "", baseline = "";    ///< a metric that `thalweg evaluate` prints, and a baseline of it
  std::vector<std::string> objectives = {};  ///< where there are several
};

const std::map<std::string, Short>& shorts() {
  static const std::map<std::string, Short> all = {
      {"vae",
       {.options = "width = 4\nhidden = [48]",
        .more = "[optimizer]\nkind = \"adam\"\nlr = 0.005\n",
        .figure = "reconstruction mse",
        .baseline = "4 principal components"}},
      {"gan",
       {.options = "width = 8\ncode = 8",
        .more = "layer_norms = true\n[optimizer]\nkind = \"adam\"\nlr = 0.002\nbeta1 = 0.5\n",
        .falls = "d.loss",
        .figure = "frechet distance",
        .baseline = "real against real",
        .objectives = {"d", "g"}}},
      {"diffusion",
       {.options = "width = 8\nlevels = 1\nsteps = 4\nguidance = 2\naverage = 0.5",
        .more = "[optimizer]\nkind = \"adam\"\nlr = 0.003\n",
        .figure = "right class"}},
      {"vq_vae",
       {.options = "places = 4\ncodes = 16\nwidth = 4\nhidden = [48]\nprior_layers = 1\nprior_width = 16\ndecay = 0.9",
        .more = "[optimizer]\nkind = \"adam\"\nlr = 0.005\n",
        .falls = "autoencoder.loss",
        .figure = "reconstruction mse",
        .baseline = "4 principal components",
        .objectives = {"autoencoder", "prior"}}},
      {"gumbel",
       {.options = "places = 4\ncodes = 8\nhidden = [48]\nprior_layers = 1\nprior_width = 16\ncooling = 0.1",
        .more = "[optimizer]\nkind = \"adam\"\nlr = 0.005\n",
        .falls = "autoencoder.loss",
        .figure = "reconstruction mse",
        .baseline = "4 principal components",
        .objectives = {"autoencoder", "prior"}}},
  };
  return all;
}

class SystemTest : public ImageFilesTest {
 protected:
  /// Writes a few hundred images of Fashion-MNIST and the configuration of a system.
  void write_files(const std::string& system) const {
    const auto [train, test] = data::fashion_mnist();
    write_images("train", train.slice(0, 640));
    write_images("test", test.slice(0, 100));
    write_config(system);
  }
  void write_config(const std::string& system) const {
    const Short& small = shorts().at(system);
    write("s.toml",
          "[data]\nformat = \"idx\"\nvalidation = 0.2\n"
          "classes = [\"T-shirt/top\", \"Trouser\", \"Pullover\", \"Dress\", \"Coat\", \"Sandal\", \"Shirt\", "
          "\"Sneaker\", "
          "\"Bag\", \"Ankle boot\"]\n"
          "train = { images = \"train-images\", labels = \"train-labels\" }\n"
          "test = { images = \"test-images\", labels = \"test-labels\" }\n"
          "[train]\nepochs = 3\nbatch_size = 64\n" +
              small.more + "[system]\nkind = \"" + system + "\"\n" + small.options + "\n");
  }

  void train(const std::string& arguments) const {
    const Ran ran = run("train s.toml --quiet " + arguments);
    ASSERT_EQ(ran.code, 0) << ran.err;
  }
  [[nodiscard]] std::string model(const std::string& folder) const {
    return read_text(path(folder + "/model.safetensors"));
  }
};

class Systems : public SystemTest, public ::testing::WithParamInterface<std::string> {
 protected:
  void write_files() const { SystemTest::write_files(GetParam()); }
};

TEST_P(Systems, AParameterThatIsNanIsRefusedByName) {
  write_files();
  train("--out run --set train.epochs=1");
  SafetensorsFile file = read_safetensors(path("run/model.safetensors"));
  Tensor& last = file.tensors.back().second;
  last.set(last.size() - 1, std::nan(""));
  write_safetensors(path("run/model.safetensors"), file);
  for (const char* command : {"generate run --count 2", "evaluate run"}) {
    const Ran ran = run(command);
    EXPECT_EQ(ran.code, 4) << command;
    const std::string where = "'" + file.tensors.back().first + "' is nan at place " + std::to_string(last.size() - 1);
    EXPECT_NE(ran.err.find(where), std::string::npos) << ran.err;
  }
}

TEST_P(Systems, LearnsWithTheSameBitsForAnyThreadsAndAfterAResume) {
  write_files();
  train("--out one --threads 1");
  train("--out two --threads 2");
  EXPECT_EQ(model("one"), model("two"));
  train("--out stopped --stop-after 11 --threads 2");  // in the middle of the second epoch
  const Ran resumed = run("train stopped --resume --quiet --threads 2");
  ASSERT_EQ(resumed.code, 0) << resumed.err;
  EXPECT_EQ(model("one"), model("stopped"));
  EXPECT_EQ(read_text(path("one/media.jsonl")), read_text(path("stopped/media.jsonl")));

  const std::string key = shorts().at(GetParam()).falls;
  std::vector<double> course;
  std::istringstream lines(read_text(path("one/metrics.jsonl")));
  for (std::string line; std::getline(lines, line);) {
    const auto entry = nlohmann::json::parse(line);
    if (entry.contains("metrics")) course.push_back(entry["metrics"].at(key));
    if (!entry.contains("metrics") && !entry.contains("loss")) continue;  // such an entry has only a time
    for (const std::string& name : shorts().at(GetParam()).objectives) {
      EXPECT_TRUE(entry.value("reported", entry.value("metrics", nlohmann::json())).contains(name + ".loss")) << line;
    }
  }
  ASSERT_EQ(course.size(), 3u);
  EXPECT_LT(course.back(), course.front());

  const std::string report = read_text(path("one/report.html"));
  EXPECT_NE(report.find("Products of the run"), std::string::npos);
  EXPECT_NE(report.find("data:image/png;base64,"), std::string::npos);
  EXPECT_LT(report.size(), 5'000'000u);
}

TEST_P(Systems, IsMeasuredAndGeneratesTheSameImagesForTheSameSeed) {
  write_files();
  train("--out run");
  const Short& small = shorts().at(GetParam());
  const Ran measured = run("evaluate run --json");
  ASSERT_EQ(measured.code, 0) << measured.err;
  const nlohmann::json figures = measured.json();
  EXPECT_GT(figures.at(small.figure).get<double>(), 0);
  if (!small.baseline.empty()) {
    EXPECT_GT(figures["baselines"][small.baseline][small.figure].get<double>(), 0);
  }

  for (const std::string out : {"a", "b"}) ASSERT_EQ(run("generate run --count 5 --seed 3 --out " + out).code, 0);
  ASSERT_EQ(run("generate run --count 5 --seed 4 --out c").code, 0);
  EXPECT_EQ(read_text(path("a.png")), read_text(path("b.png")));
  EXPECT_NE(read_text(path("a.png")), read_text(path("c.png")));
  const Tensor picture = data::read_picture(path("a") / "00004.png");
  EXPECT_EQ(picture.shape(), (Shape{28, 28, 1}));

  const auto refused = [&](const std::string& arguments, const std::string& why) {
    const Ran ran = run("generate run " + arguments);
    EXPECT_EQ(ran.code, 2) << arguments;
    EXPECT_NE(ran.err.find(why), std::string::npos) << ran.err;
  };
  refused("--count 0", "count");
  refused("--class Sock", "class");
  refused("--prompt Whale", "prompt");
  const Ran predicted = run("predict run");
  EXPECT_EQ(predicted.code, 2) << predicted.err;
  EXPECT_NE(predicted.err.find("has no predictions"), std::string::npos) << predicted.err;
}

INSTANTIATE_TEST_SUITE_P(Each, Systems, ::testing::Values("diffusion", "gan", "gumbel", "vae", "vq_vae"),
                         [](const auto& row) { return row.param; });

class Diffusion : public SystemTest {};

TEST_F(Diffusion, GeneratesTheRequestedClassWithTheRequestedSteps) {
  write_files("diffusion");
  train("--out run --set train.epochs=1");
  const auto made = [&](const std::string& arguments) {
    EXPECT_EQ(run("generate run --count 3 --out made " + arguments).code, 0) << arguments;
    return read_text(path("made.png"));
  };
  const std::string trousers = made("--class Trouser");
  EXPECT_EQ(trousers, made("--class Trouser"));
  EXPECT_EQ(trousers, made("--class Trouser --guidance 2 --steps 4"));  // as the configuration says
  EXPECT_NE(trousers, made("--class Bag"));
  EXPECT_NE(trousers, made("--class Trouser --guidance 1"));
  EXPECT_NE(trousers, made("--class Trouser --steps 5"));
  EXPECT_EQ(run("generate run --steps 0").code, 2);
  EXPECT_EQ(run("generate run --guidance=-1").code, 2);
  EXPECT_EQ(run("generate run --guidance 1e300").code, 2);
  EXPECT_EQ(run("generate run --guidance inf").code, 2);
  const Ran fewer = run("generate run --count 2 --out made");
  EXPECT_EQ(fewer.code, 0);
  EXPECT_NE(fewer.err.find("made holds 1 file more from an earlier call"), std::string::npos) << fewer.err;
  const Ran odd = run("generate run --count 1 --out \"$(printf 'o\\033[31m')\"");
  EXPECT_EQ(odd.out.find('\x1b'), std::string::npos) << odd.out;
}

TEST_F(Diffusion, ARunWithoutASeedInItsConfigurationIsMeasured) {
  write_files("diffusion");
  train("--out run --set train.epochs=1");
  const std::string seeded = run("evaluate run --json").out, config = read_text(path("run/config.toml"));
  ASSERT_EQ(config.find("seed = 1\n"), 0u);
  write("run/config.toml", config.substr(9));
  const Ran measured = run("evaluate run --json");
  EXPECT_EQ(measured.code, 0) << measured.err;
  EXPECT_EQ(measured.out, seeded);
}

TEST_F(Diffusion, EvaluateMeasuresTheAverageOfAStoppedRun) {
  write_files("diffusion");
  const auto measured = [&](const std::string& average) {
    const std::string folder = "average" + average;
    train("--out " + folder + " --stop-after 11 --set system.average=" + average);
    return run("evaluate " + folder + " --json").json();
  };
  const nlohmann::json half = measured("0.5"), none = measured("0");  // with 0, the parameters of the last step
  EXPECT_EQ(half.at("average"), "ema");
  EXPECT_EQ(half.at("step"), 11);
  EXPECT_NE(half.at("loss"), none.at("loss"));
}

TEST_F(Diffusion, IsComparedWithRealImagesFromAllPartsOfTheData) {
  const auto [train_images, test_images] = data::fashion_mnist();
  const auto in_order = [](const Dataset& images) {
    std::vector<std::int64_t> rows(static_cast<std::size_t>(images.rows()));
    std::iota(rows.begin(), rows.end(), 0);
    std::ranges::stable_sort(rows, {}, [&](std::int64_t row) { return images["target"].at(row); });
    return images.select(rows);
  };
  write_files("diffusion");
  train("--out run --set train.epochs=1");
  const auto mixed = run("evaluate run --json").json();
  write_images("train", in_order(train_images.slice(0, 640)));
  write_images("test", in_order(test_images.slice(0, 100)));
  train("--out ordered --set train.epochs=1");
  const auto ordered = run("evaluate ordered --json").json();
  const auto distance = [](const nlohmann::json& figures) {
    return figures["baselines"]["real against real"].at("frechet distance").get<double>();
  };
  EXPECT_LT(distance(ordered), 2 * distance(mixed));
  EXPECT_GE(ordered["baselines"]["real"].at("classes").get<int>(), 8);
  EXPECT_EQ(ordered["baselines"]["real"]["right class"], ordered["accuracy of the classifier"]);
}

TEST_F(Diffusion, WarnsIfTheClassifierIsNoBetterThanTheMostFrequentClass) {
  write_files("diffusion");
  train("--out run --set train.epochs=1");
  const Ran sees = run("evaluate run");
  EXPECT_EQ(sees.out.find("commonest class"), std::string::npos) << sees.out;
  const auto [train_images, test_images] = data::fashion_mnist();
  std::vector<std::int64_t> bags;
  for (std::int64_t row = 0; row < 400; ++row) {
    if (test_images["target"].at(row) == 8) bags.push_back(row);
  }
  write_images("bags", test_images.select(bags));
  const Ran blind = run("evaluate run --images bags-images --labels bags-labels");
  ASSERT_EQ(blind.code, 0) << blind.err;
  EXPECT_NE(blind.out.find("no better than the most frequent class"), std::string::npos) << blind.out;
  EXPECT_NE(blind.out.find("(always Bag: 1)"), std::string::npos) << blind.out;
}

class Codes : public SystemTest {};

TEST_F(Codes, UnusedCodesAreInitialisedAgain) {
  write_files("vq_vae");
  train("--out run --set train.epochs=10");
  const nlohmann::json figures = run("evaluate run --json").json();
  EXPECT_GE(figures.at("codes in use").get<double>(), 12);
  EXPECT_EQ(figures["baselines"]["all"]["codes in use"], 16);
  const double perplexity = figures.at("perplexity of the codes");
  EXPECT_GT(perplexity, 8);
  EXPECT_LE(perplexity, 16);
}

TEST_F(Codes, ThePriorLearnsTheOrderOfCodes) {
  write_files("gumbel");
  train("--out run --set train.epochs=10");
  std::vector<double> surprise;
  std::istringstream lines(read_text(path("run/metrics.jsonl")));
  for (std::string line; std::getline(lines, line);) {
    const auto entry = nlohmann::json::parse(line);
    if (entry.contains("metrics")) surprise.push_back(entry["metrics"].at("prior.loss"));
  }
  EXPECT_LT(surprise.back(), std::log(8.0) - 0.2);  // log 8 if all 8 codes were equally likely
}

TEST_F(Codes, OfAGumbelAutoencoderNoneIsTheLikeliestForAllImages) {
  write_files("gumbel");
  train("--out run --set train.epochs=10 --set system.codes=32");
  const nlohmann::json figures = run("evaluate run --json").json();
  EXPECT_GE(figures.at("codes in use").get<double>(), 12);  // 3 where logits keep their means
}

TEST_F(Codes, TheTemperatureDecaysExponentiallyToItsLowest) {
  write_files("gumbel");
  train("--out run");
  std::int64_t steps = 0;
  std::istringstream lines(read_text(path("run/metrics.jsonl")));
  for (std::string line; std::getline(lines, line);) {
    const auto entry = nlohmann::json::parse(line);
    if (!entry.contains("reported")) continue;
    const double expected = 0.5 + 0.5 * std::pow(0.9, steps++);
    EXPECT_NEAR(entry["reported"].at("temperature").get<double>(), expected, 1e-6) << line;
  }
  EXPECT_EQ(steps, 24);
}

TEST_F(Codes, ATemperatureThatRisesIsRefused) {
  write_files("gumbel");
  const Ran ran = run("train s.toml --set system.lowest_temperature=2");
  EXPECT_EQ(ran.code, 2);
  EXPECT_NE(ran.err.find("lowest_temperature = 2"), std::string::npos) << ran.err;
}

TEST_F(Codes, TooManyPlacesAreRefused) {
  for (const std::string system : {"gumbel", "vq_vae"}) {
    write_files(system);
    const Ran ran = run("train s.toml --set system.places=4611686018427387904");
    EXPECT_EQ(ran.code, 2);
    EXPECT_NE(ran.err.find("places = 4.6"), std::string::npos) << ran.err;
  }
}

class LatentDiffusion : public SystemTest {
 protected:
  static constexpr const char* grid = "--set system.levels=2 --set system.channels=8 --set system.width=2 ";
  static constexpr const char* in_codes = "--set system.latent=autoencoder ";

  /// Trains an autoencoder, and writes the configuration of a diffusion of its codes.
  void train_autoencoder(const std::string& arguments = grid) const {
    write_files("vae");
    train("--out autoencoder " + arguments);
    write_config("diffusion");
  }
  void expect_refused(const std::string& command_line, int code, const std::string& why) const {
    const Ran ran = run(command_line);
    EXPECT_EQ(ran.code, code) << command_line << ran.err;
    EXPECT_NE(ran.err.find(why), std::string::npos) << ran.err;
  }
};

TEST_F(LatentDiffusion, LearnsWithTheSameBitsForAnyThreadsAndAfterAResume) {
  train_autoencoder();
  train("--out one --threads 1 " + std::string(in_codes));
  train("--out two --threads 2 " + std::string(in_codes));
  EXPECT_EQ(model("one"), model("two"));
  train("--out stopped --stop-after 11 --threads 2 " + std::string(in_codes));
  const Ran resumed = run("train stopped --resume --quiet --threads 2");
  ASSERT_EQ(resumed.code, 0) << resumed.err;
  EXPECT_EQ(model("one"), model("stopped"));
  EXPECT_EQ(read_text(path("one/media.jsonl")), read_text(path("stopped/media.jsonl")));
  const nlohmann::json figures = run("evaluate one --json").json();
  EXPECT_GT(figures.at("frechet distance").get<double>(), 0);

  ASSERT_EQ(run("generate one --count 3 --class Bag --out bags").code, 0);
  EXPECT_EQ(data::read_picture(path("bags") / "00002.png").shape(), (Shape{28, 28, 1}));
  const std::string model_text = model("one");
  EXPECT_EQ(model_text.find("encoder/"), std::string::npos);  // the model does not contain the autoencoder
  EXPECT_NE(model_text.find("latent_checksum"), std::string::npos);
}

TEST_F(LatentDiffusion, ItsLossFallsBelowThatOfNormallyDistributedCodes) {
  train_autoencoder(std::string(grid) + "--set train.epochs=20");
  train("--out run --set train.epochs=12 " + std::string(in_codes));
  std::vector<double> course;
  std::istringstream lines(read_text(path("run/metrics.jsonl")));
  for (std::string line; std::getline(lines, line);) {
    const auto entry = nlohmann::json::parse(line);
    if (entry.contains("metrics")) course.push_back(entry["metrics"].at("loss"));
  }
  // codes have about the standard normal distribution; if they had no further structure, no prediction of the velocity
  // would be better than 0, and the mean square would stay at 1
  EXPECT_NEAR(course.front(), 1, 0.2);
  EXPECT_LT(course.back(), 0.95);
}

TEST_F(LatentDiffusion, AnAutoencoderThatIsMissingChangedOrOfAnotherSizeIsRefusedByName) {
  train_autoencoder();
  expect_refused("train s.toml --set system.latent=nowhere", 2, "nowhere\": there is no such folder");
  train("--out run " + std::string(in_codes));
  train("--out stopped --stop-after 11 " + std::string(in_codes));
  std::filesystem::rename(path("autoencoder"), path("kept"));
  expect_refused("train s.toml " + std::string(in_codes), 2, "autoencoder\": there is no such folder");
  expect_refused("generate run", 3, "autoencoder\": there is no such folder");
  expect_refused("train stopped --resume", 3, "autoencoder\": there is no such folder");

  train_autoencoder(std::string(grid) + "--set seed=2");
  expect_refused("generate run", 3, "its parameters have changed");
  expect_refused("evaluate run", 3, "its parameters have changed");
  expect_refused("train stopped --resume", 3, "its parameters have changed");
  std::filesystem::remove_all(path("autoencoder"));
  train_autoencoder("");
  expect_refused("train s.toml " + std::string(in_codes), 2, "a vector of 4 numbers");
  std::filesystem::remove(path("autoencoder/model.safetensors"));
  expect_refused("train s.toml " + std::string(in_codes), 2, "no model.safetensors");
  expect_refused("train s.toml --set system.latent=run", 2, "it is not a run of a VAE");

  const Dataset images = data::fashion_mnist().first.slice(0, 640);
  const Tensor& pixels = images["input"];
  write_idx("train-images", pixels.reshape({2 * 640, 14, 28}).rows(0, 640));  // images of half the height
  expect_refused("train s.toml --set system.latent=kept --set data.test=\"\"", 3, "(28, 28, 1)");
}

class Gan : public SystemTest {};

TEST_F(Gan, AKilledRunResumesFromItsCheckpointWithTheSameBits) {
  write_files("gan");
  const std::string often = "--set train.epochs=12 --set train.checkpoint_every=\"3 steps\" ";
  train("--out whole " + often);
  const Ran killed =
      shell(command() + " train s.toml --quiet --out killed " + often +
            "& while ! ls -d killed/checkpoints/step-*[0-9] >/dev/null 2>&1; do sleep 0.01; done; kill -9 $!");
  ASSERT_EQ(killed.code, 0) << killed.err;
  ASSERT_FALSE(std::filesystem::exists(path("killed/model.safetensors")));
  const Ran resumed = run("train killed --resume --quiet");
  ASSERT_EQ(resumed.code, 0) << resumed.err;
  EXPECT_EQ(model("whole"), model("killed"));
}

TEST_F(Gan, ItsReportShowsBothLossesAndNoVerdictOnThem) {
  write_files("gan");
  const Ran ran = run("train s.toml --quiet --out run --json");
  ASSERT_EQ(ran.code, 0) << ran.err;
  EXPECT_EQ(ran.json()["verdict"]["kind"], "not judged");
  const std::string report = read_text(path("run/report.html"));
  for (const char* part : {"training losses", "d.loss", "g.loss", ">d/smaller1<", "2 objectives (d, g)",
                           "learning rate of d", "gradient norm of d"})
    EXPECT_NE(report.find(part), std::string::npos) << part;
}

/// Systems on other kinds of data: texts.cpp, face_swap.cpp, speech.cpp, sequences.cpp, embeddings.cpp,
/// recommender.cpp, playing.cpp, masked.cpp, preferences.cpp, voice.cpp.
constexpr std::string_view tested_elsewhere[] = {
    "text_classifier", "face_swap", "speech_recogniser", "sequences", "embeddings", "recommender", "policy",
    "self_play",       "masked",    "text_encoder",      "reward",    "dpo",        "ppo_text",    "voice"};

TEST(SystemTable, EveryRowHasAShortFormAndDocumentation) {
  for (const SystemRow& row : systems()) {
    EXPECT_TRUE(std::ranges::count(tested_elsewhere, row.name) || shorts().contains(std::string(row.name))) << row.name;
    for (const std::string_view text : {row.summary, row.formula, row.when, row.source}) EXPECT_FALSE(text.empty());
    for (const OptionDoc& option : row.options) EXPECT_FALSE(option.doc.empty()) << option.name;
  }
}

class SystemConfig : public CommandTest {};

TEST_F(SystemConfig, ASystemReplacesModelAndLoss) {
  write_table("t.csv");
  const auto refused = [&](const std::string& text, const std::string& why) {
    write("s.toml", "[data]\ntrain = \"t.csv\"\ntarget = \"y\"\n" + text);
    const Ran ran = run("train s.toml");
    EXPECT_EQ(ran.code, 2) << ran.err;
    EXPECT_NE(ran.err.find(why), std::string::npos) << ran.err;
  };
  refused("[system]\nkind = \"vea\"\n", "vae");
  refused("[system]\nwidth = 3\n", "no kind");
  refused("[system]\nkind = \"vae\"\n[model]\nkind = \"mlp\"\n", "[system] and [model] are both set");
  refused("[system]\nkind = \"vae\"\nwidth = 0\n", "width = 0");
  refused("[system]\nkind = \"vae\"\n", "Wanted: images");
  write("s.toml", "[data]\ntrain = \"t.csv\"\ntarget = \"y\"\n[system]\nkind = \"vae\"\n");
  for (const char* command : {"lr s.toml", "inspect s.toml", "train s.toml --cv 2"}) {
    const Ran ran = run(command);
    EXPECT_EQ(ran.code, 2) << command;
    EXPECT_NE(ran.err.find("vae is a system"), std::string::npos) << ran.err;
  }
}

}  // namespace
}  // namespace thalweg::testing
