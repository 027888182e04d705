// Trainings of minutes: the systems' examples reach the results that docs/systems.md gives.

#include "command.hpp"

namespace thalweg::testing {
namespace {

class SlowSystems : public CommandTest {
 protected:
  /// Where the run of an example is kept: each is trained once by a build, for all tests that need it.
  [[nodiscard]] static std::string kept(const std::string& example) {
    return (std::filesystem::path(command()).parent_path() / "slow_runs" / example).string();
  }
  /// Trains an example, and returns the metrics that `thalweg evaluate` prints.
  [[nodiscard]] nlohmann::json figures_of(const std::string& example, const std::string& more = "") const {
    const Ran ran = shell(std::string(source_folder()) + "/tests/kept_run " + kept(example) + " " + command() + " " +
                          source_folder() + "/examples/" + example + ".toml " + more);
    EXPECT_EQ(ran.code, 0) << ran.err;
    return ran.json();
  }
  /// The same metric of a baseline.
  [[nodiscard]] static double of_baseline(const nlohmann::json& figures, const std::string& name,
                                          const std::string& figure) {
    return figures.at("baselines").at(name).at(figure);
  }
};

TEST_F(SlowSystems, VaeLosesLessThanPrincipalComponentsOfEqualWidth) {
  const nlohmann::json figures = figures_of("vae");
  const double own = figures.at("reconstruction mse"),
               linear = figures.at("baselines").at("16 principal components").at("reconstruction mse");
  EXPECT_NEAR(linear, 0.02045, 0.0003);
  EXPECT_LT(own, 0.85 * linear);
}

TEST_F(SlowSystems, VqVaeLosesLessThanAsManyPrincipalComponentsAsAnImageHasCodes) {
  const nlohmann::json figures = figures_of("vq_vae");
  EXPECT_LT(figures.at("reconstruction mse").get<double>(),
            of_baseline(figures, "16 principal components", "reconstruction mse"));
  EXPECT_GE(figures.at("codes in use").get<double>(), 100);
}

TEST_F(SlowSystems, GumbelAutoencoderLosesLessThanAsManyPrincipalComponentsAsAnImageHasCodes) {
  const nlohmann::json figures = figures_of("gumbel");
  EXPECT_LT(figures.at("reconstruction mse").get<double>(),
            of_baseline(figures, "16 principal components", "reconstruction mse"));
  EXPECT_GE(figures.at("codes in use").get<double>(), 100);
}

TEST_F(SlowSystems, GanMakesAllClassesAndComesNearerThanTheVae) {
  const nlohmann::json vae = figures_of("vae"), gan = figures_of("gan");
  EXPECT_GE(gan.at("accuracy of the classifier").get<double>(), 0.92);
  EXPECT_LT(gan.at("frechet distance").get<double>(), vae.at("frechet distance").get<double>());
  EXPECT_EQ(gan.at("classes"), 10);
}

TEST_F(SlowSystems, DiffusionComesNearerThanTheGanInFiftySteps) {
  const nlohmann::json gan = figures_of("gan"), diffusion = figures_of("diffusion");
  EXPECT_LT(diffusion.at("frechet distance").get<double>(), gan.at("frechet distance").get<double>());
  EXPECT_EQ(diffusion.at("classes"), 10);
  EXPECT_GT(diffusion.at("right class").get<double>(), 0.8);
}

TEST_F(SlowSystems, DiffusionOfCodesComesNearerThanTheGan) {
  const nlohmann::json pixels = figures_of("diffusion"), autoencoder = figures_of("vae_grid"),
                       diffusion = figures_of("latent_diffusion", "--set system.latent=" + kept("vae_grid"));
  RecordProperty("frechet distance of pixels", std::to_string(pixels.at("frechet distance").get<double>()));
  RecordProperty("frechet distance of codes", std::to_string(diffusion.at("frechet distance").get<double>()));
  EXPECT_LT(diffusion.at("frechet distance").get<double>(), autoencoder.at("frechet distance").get<double>());
  EXPECT_LT(diffusion.at("frechet distance").get<double>(), figures_of("gan").at("frechet distance").get<double>());
  EXPECT_EQ(diffusion.at("classes"), 10);
  EXPECT_GT(diffusion.at("right class").get<double>(), 0.8);
}

TEST_F(SlowSystems, EmojiAreClassifiedBetterThanByALinearModelAndTheNearestNeighbour) {
  if (!std::filesystem::exists(real_table("emoji"))) GTEST_SKIP() << "./dev data emoji";
  const std::string train = "train " + std::string(source_folder()) + "/examples/emoji.toml --threads 2 --json --out ";
  const Ran deep = run(train + "resnet"), linear = run(train + "linear --model linear --lr 4e-4");
  ASSERT_EQ(deep.code, 0) << deep.err;
  ASSERT_EQ(linear.code, 0) << linear.err;
  const nlohmann::json figures = deep.json();
  const double own = figures["test"]["accuracy"];
  EXPECT_GT(own, linear.json()["test"]["accuracy"].get<double>());
  EXPECT_GT(own, figures["baselines"]["test"]["nearest neighbour"]["accuracy"].get<double>());
}

TEST_F(SlowSystems, FacesAreTranslatedToTheOtherDesign) {
  if (!std::filesystem::exists(real_table("emoji_faces"))) GTEST_SKIP() << "./dev data emoji_faces";
  const nlohmann::json figures = figures_of("face_swap");
  for (const std::string way : {"left to right", "right to left"}) {
    const double error = figures.at(way + " error"), retrieved = figures.at(way + " retrieved");
    EXPECT_LT(error, 0.7 * of_baseline(figures, "nearest neighbour", way + " error"));
    EXPECT_LT(error, of_baseline(figures, "mean picture", way + " error"));
    EXPECT_GE(retrieved, 5 * of_baseline(figures, "by chance", way + " retrieved"));
  }
}

TEST_F(SlowSystems, MadeClothesAreToldFromRealOnes) {
  for (const char* generator : {"gan", "vae"}) (void)figures_of(generator);
  const auto place = [&](const std::string& key, const std::string& images) {
    return "--set data." + key + "='{ images = \"/usr/share/datasets/fashion-mnist/" + images + "\", made = \"" +
           kept("gan") + "\" }' ";
  };
  const nlohmann::json own =
      figures_of("detector", place("train", "train-images-idx3-ubyte.gz") + place("test", "t10k-images-idx3-ubyte.gz"));
  EXPECT_GE(own.at("auc").get<double>(), 0.95);
  EXPECT_EQ(own.at("rows"), 20'000);
  const Ran unseen = run("evaluate " + kept("detector") + " --data " + kept("vae") + " --json");
  ASSERT_EQ(unseen.code, 0) << unseen.err;
  RecordProperty("auc of the unseen autoencoder", std::to_string(unseen.json().at("auc").get<double>()));
}

}  // namespace
}  // namespace thalweg::testing
