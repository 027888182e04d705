// Systems of images, without the command around them.

#include <gtest/gtest.h>

#include <algorithm>

#include "allocations.hpp"
#include "thalweg/optimizers.hpp"
#include "thalweg/system.hpp"

namespace thalweg {
namespace {

struct SmallSystem {
  std::string name, kind;
  OptionMap options;
  bool convolutions = false;
  Shape image = {8, 8, 1};
};

void PrintTo(const SmallSystem& system, std::ostream* out) { *out << system.name; }

class ImageSystems : public ::testing::TestWithParam<SmallSystem> {
 protected:
  [[nodiscard]] static System made() {
    const auto row = std::ranges::find(systems(), GetParam().kind, &SystemRow::name);
    return row->make({.input = GetParam().image, .dtype = u8, .classes = {"odd", "even"}, .threads = 1},
                     GetParam().options);
  }
  [[nodiscard]] static Dataset rows(std::int64_t count) {
    Shape shape{count};
    for (const std::int64_t size : GetParam().image) shape.push_back(size);
    Tensor images(shape, u8), labels({count}, i32);
    for (std::int64_t i = 0; i < images.size(); ++i) images.set(i, static_cast<double>(i * i % 251));
    for (std::int64_t i = 0; i < count; ++i) labels.set(i, static_cast<double>(i % 2));
    Dataset all;
    all.set("input", images);
    all.set("target", labels);
    return all;
  }
};

/// But for the report, whose metrics have names, and for oneDNN, which allocates a few small objects in each call of a
/// convolution: as many in every step.
TEST_P(ImageSystems, AllocateNothingInAStep) {
  const System system = made();
  std::vector<ObjectiveRow> objectives;
  for (const auto& [name, loss, options, factor] : system.objectives)
    objectives.push_back({name, loss, optim::adam(), options});
  Trainer trainer(objectives, {.threads = 1});
  const Dataset batch = rows(8);
  trainer.init(batch, 3);
  for (int i = 0; i < 3; ++i) {
    for (const ObjectiveRow& row : objectives) (void)trainer.step(row.name, batch);
  }
  for (const ObjectiveRow& row : objectives) {
    std::int64_t reported = 0;
    const auto allocated = [&] {
      const long before = testing::allocations();
      reported = std::ssize(trainer.step(row.name, batch).metrics);
      return testing::allocations() - before;
    };
    const long first = allocated(), second = allocated();
    if (GetParam().convolutions) {
      EXPECT_EQ(first, second);
    } else {
      EXPECT_LE(first, 2 * (1 + reported)) << row.name;  // a list and its names
    }
  }
}

INSTANTIATE_TEST_SUITE_P(
    Each, ImageSystems,
    ::testing::Values(
        SmallSystem{"vae", "vae", {{"width", 2}, {"hidden", OptionList{8}}}},
        SmallSystem{"vae_of_a_grid", "vae", {{"width", 2}, {"levels", 2}, {"channels", 8}}, true},
        SmallSystem{"vq_vae",
                    "vq_vae",
                    {{"places", 2}, {"codes", 4}, {"width", 2}, {"hidden", OptionList{8}}, {"prior_width", 8}}},
        SmallSystem{"gumbel", "gumbel", {{"places", 2}, {"codes", 4}, {"hidden", OptionList{8}}, {"prior_width", 8}}},
        SmallSystem{"gan", "gan", {{"width", 8}, {"code", 2}}, true},
        SmallSystem{"diffusion", "diffusion", {{"width", 8}, {"levels", 1}}, true},
        SmallSystem{"face_swap", "face_swap", {{"hidden", 8}, {"code", 4}, {"shrink", 1}}, true, {8, 16, 3}}),
    [](const auto& row) { return row.param.name; });

}  // namespace
}  // namespace thalweg
