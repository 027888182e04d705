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
