// One configuration with several variants, `[[variants]]`: trained, compared, resumed.

#include "command.hpp"

#include <filesystem>

namespace thalweg::testing {
namespace {

namespace fs = std::filesystem;

class Variants : public CommandTest {
 protected:
  /// Writes a configuration of three variants, of which the third diverges.
  void write_configuration() const {
    write_table("t.csv");
    write("v.toml", R"(
[data]
train = "t.csv"
target = "y"

[model]
kind = "mlp"
hidden = [8, 8]

[optimizer]
kind = "sgd"
lr = 0.01

[schedule]
kind = "constant"

[train]
epochs = 4
layer_norms = true

[[variants]]
name = "plain"

[[variants]]
name = "tanh, Normalised"
model = { activation = "tanh", norm = "layer", residual = true }

[[variants]]
name = "too fast"
seed = 5
optimizer = { lr = 1e6 }
)");
  }
};

TEST_F(Variants, AreTrainedOneAfterTheOtherAndComparedInOneReport) {
  write_configuration();
  const Ran ran = run("train v.toml --json");
  ASSERT_EQ(ran.code, 5) << ran.err;
  const auto variants = ran.json()["variants"];
  ASSERT_EQ(variants.size(), 3U);
  EXPECT_EQ(variants[1]["name"], "tanh, Normalised");
  EXPECT_TRUE(variants[1].contains("validation.loss"));
  EXPECT_EQ(variants[0]["gradients"], "healthy");
  EXPECT_EQ(variants[2]["gradients"], "exploding");
  EXPECT_EQ(variants[2]["verdict"], "diverged");
  EXPECT_TRUE(fs::exists(path("runs/v/tanh-normalised/model.safetensors")));
  EXPECT_FALSE(fs::exists(path("runs/v/too-fast/model.safetensors")));
  const std::string page = read_text(path("runs/v/report.html"));
  for (const char* text :
       {"plain", "tanh, Normalised", "too fast", "plain/report.html", "Gradient norm of each layer"}) {
    EXPECT_NE(page.find(text), std::string::npos) << text;
  }
}

TEST_F(Variants, TheFolderOfAllVariantsIsNotAModel) {
  write_configuration();
  ASSERT_EQ(run("train v.toml --quiet").code, 5);
  const Ran ran = run("evaluate runs/v");
  EXPECT_EQ(ran.code, 2);
  EXPECT_NE(ran.err.find("variants"), std::string::npos) << ran.err;
  EXPECT_EQ(run("evaluate runs/v/plain").code, 0);
}

TEST_F(Variants, OneVariantTrainedAloneIsTheSameModel) {
  write_configuration();
  ASSERT_EQ(run("train v.toml --quiet").code, 5);
  const Ran one = run("train v.toml --variant 'tanh, Normalised' --quiet");
  ASSERT_EQ(one.code, 0) << one.err;
  EXPECT_EQ(read_text(path("runs/v-tanh-normalised/model.safetensors")),
            read_text(path("runs/v/tanh-normalised/model.safetensors")));
  const Ran set = run("train v.toml --variant plain --print-config");
  EXPECT_NE(set.out.find("activation = \"relu\""), std::string::npos) << set.out;
  EXPECT_EQ(set.out.find("variants"), std::string::npos);
}

TEST_F(Variants, ResumeWhereTheyWereStopped) {
  write_configuration();
  ASSERT_EQ(run("train v.toml --out whole --quiet").code, 5);
  ASSERT_EQ(run("train v.toml --out parts --stop-after 3 --quiet").code, 0);
  EXPECT_FALSE(fs::exists(path("parts/report.html")));
  const Ran last = run("train parts --resume --quiet");
  ASSERT_EQ(last.code, 5) << last.err;
  for (const char* name : {"plain", "tanh-normalised"}) {
    EXPECT_EQ(read_text(path("parts") / name / "model.safetensors"),
              read_text(path("whole") / name / "model.safetensors"));
  }
  EXPECT_TRUE(fs::exists(path("parts/report.html")));
}

TEST_F(Variants, ResumeUsesTheSavedCommandLine) {
  write_table("t.csv");
  write("k.toml",
        "[data]\ntrain = \"t.csv\"\ntarget = \"y\"\n[train]\nepochs = 4\n[[variants]]\nname = "
        "\"plain\"\n[[variants]]\nname = "
        "\"other\"\noptimizer = { kind = \"sgd\", lr = 0.02 }\nmodel = { kind = \"linear\" }\n");
  ASSERT_EQ(run("train k.toml --out whole --quiet --batch-size 16").code, 0);
  ASSERT_EQ(run("train k.toml --out parts --stop-after 3 --quiet --batch-size 16").code, 0);
  const std::string stored = read_text(path("parts/config.toml"));
  const Ran changed = run("train parts --resume --quiet --epochs 9");
  EXPECT_EQ(changed.code, 2) << changed.out;
  EXPECT_EQ(read_text(path("parts/config.toml")), stored);
  fs::remove_all(path("parts/other"));  // as if this variant had not started
  const Ran last = run("train parts --resume --quiet --threads 1");
  ASSERT_EQ(last.code, 0) << last.err;
  for (const char* name : {"plain", "other"}) {
    EXPECT_EQ(read_text(path("parts") / name / "model.safetensors"),
              read_text(path("whole") / name / "model.safetensors"));
  }
  EXPECT_EQ(run("train parts --resume").code, 2);
  ASSERT_EQ(run("train parts --quiet").code, 0);
  EXPECT_TRUE(fs::exists(path("parts-2/report.html")));
}

TEST_F(Variants, InvalidVariantsAreRefused) {
  write_configuration();
  const Ran unknown = run("train v.toml --variant sigmoid");
  EXPECT_EQ(unknown.code, 2);
  EXPECT_NE(unknown.err.find("plain; tanh, Normalised; too fast"), std::string::npos) << unknown.err;
  write("twice.toml",
        "[data]\ntrain = \"t.csv\"\ntarget = \"y\"\n[[variants]]\nname = \"a b\"\n[[variants]]\nname = \"A-B\"\n");
  EXPECT_EQ(run("train twice.toml").code, 2);
  write("nameless.toml", "[data]\ntrain = \"t.csv\"\ntarget = \"y\"\n[[variants]]\nmodel = { kind = \"linear\" }\n");
  const Ran nameless = run("train nameless.toml");
  EXPECT_EQ(nameless.code, 2);
  EXPECT_NE(nameless.err.find("name"), std::string::npos) << nameless.err;
  write("wrong.toml",
        "[data]\ntrain = \"t.csv\"\ntarget = \"y\"\n[[variants]]\nname = \"a\"\nmodel = { hiden = [3] }\n");
  const Ran wrong = run("train wrong.toml");
  EXPECT_EQ(wrong.code, 2);
  EXPECT_NE(wrong.err.find("hidden"), std::string::npos) << wrong.err;
}

}  // namespace
}  // namespace thalweg::testing
