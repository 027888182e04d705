// Trainings of minutes: the systems' examples reach the figures that docs/systems.md gives.

#include "command.hpp"

namespace thalweg::testing {
namespace {

class SlowSystems : public CommandTest {};

TEST_F(SlowSystems, VaeLosesLessThanPrincipalComponentsOfEqualWidth) {
  const Ran trained = run("train " + std::string(source_folder()) + "/examples/vae.toml --quiet --threads 2 --out vae");
  ASSERT_EQ(trained.code, 0) << trained.err;
  const nlohmann::json figures = run("evaluate vae --json").json();
  const double own = figures.at("reconstruction mse"),
               linear = figures.at("baselines").at("16 principal components").at("reconstruction mse");
  EXPECT_NEAR(linear, 0.02045, 0.0003);
  EXPECT_LT(own, 0.85 * linear);
}

}  // namespace
}  // namespace thalweg::testing
