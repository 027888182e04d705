// The rate that `lr = "auto"` finds, compared with the best rate of a grid: the table in docs/learning-rate.md.
//
// The comparison is of the validation loss at the end of the run, averaged over seeds 1 to 5 (1 to 3 for images). A
// seed determines the initial parameters, the order of the rows and the validation set. The grid has 13 rates from 1e-5
// to 10, the same for every seed; the best rate is the one with the lowest mean.

#include <fmt/format.h>
#include <algorithm>

#include <cmath>
#include <filesystem>
#include <limits>

#include "command.hpp"
#include "places.hpp"

namespace thalweg::testing {
namespace {

const std::filesystem::path problems = std::filesystem::path(source_folder()) / "tests" / "rates";

std::vector<std::string> problem_names() {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(problems)) names.push_back(entry.path().stem().string());
  std::ranges::sort(names);
  return names;
}

class SlowRates : public CommandTest, public ::testing::WithParamInterface<std::string> {
 protected:
  [[nodiscard]] std::string config() const {
    return "'" + (problems / (GetParam() + ".toml")).string() + "' --threads 1 ";
  }
  [[nodiscard]] int seeds() const { return GetParam().starts_with("fashion") ? 3 : 5; }

  /// The validation loss at the end, or infinity if the run diverged.
  [[nodiscard]] double loss_at(double lr, int seed) const {
    const Ran ran = run("train " + config() + "--quiet --json --out run --lr " + fmt::format("{}", lr) + " --seed " +
                        std::to_string(seed));
    std::filesystem::remove_all(path("run"));
    if (ran.code == 5) return std::numeric_limits<double>::infinity();
    EXPECT_EQ(ran.code, 0) << ran.err;
    steps_ = ran.json()["steps"];
    const auto loss = ran.json()["validation"]["loss"];
    return loss.is_number() ? loss.get<double>() : std::numeric_limits<double>::infinity();
  }

  /// The mean loss over the seeds at the rate that `rate` gives for each.
  template <class Rate>
  [[nodiscard]] double mean_loss(const Rate& rate) const {
    double total = 0;
    for (int seed = 1; seed <= seeds(); ++seed) total += loss_at(rate(seed), seed);
    return total / seeds();
  }

  [[nodiscard]] nlohmann::json found(int seed, const std::string& options) const {
    const Ran ran = run("lr " + config() + "--json --seed " + std::to_string(seed) + options);
    EXPECT_EQ(ran.code, 0) << ran.err;
    return ran.json();
  }

  mutable double steps_ = 1;  // of the last run
};

TEST_P(SlowRates, AutoTrainsToWithinTenPercentOfTheBestOfAGrid) {
  if (!std::filesystem::exists(real_table("houses.csv"))) GTEST_SKIP() << "./dev data fetches it";
  double best = std::numeric_limits<double>::infinity(), best_lr = 0;
  for (int i = 0; i < 13; ++i) {
    const double lr = std::pow(10, -5 + i / 2.0), loss = mean_loss([&](int) { return lr; });
    if (loss < best) best = loss, best_lr = lr;
  }
  double cost = 0, lowest = std::numeric_limits<double>::infinity(), highest = 0;
  const double found_loss = mean_loss([&](int seed) {
    const auto finding = found(seed, "");
    const double lr = finding["lr"];
    lowest = std::min(lowest, lr), highest = std::max(highest, lr);
    cost += finding["steps"].get<double>() / seeds();
    return lr;
  });
  cost /= steps_;
  const double curve_loss =
      mean_loss([&](int seed) { return found(seed, " --trials 0")["lr"].template get<double>(); });
  std::printf("| %s | %.1e | %.4f | %.1e to %.1e | %.4f | %.2f | %.2f | %.1f |\n", GetParam().c_str(), best_lr, best,
              lowest, highest, found_loss, found_loss / best, curve_loss / best, cost);
  EXPECT_LE(found_loss, 1.1 * best);
}

INSTANTIATE_TEST_SUITE_P(Problems, SlowRates, ::testing::ValuesIn(problem_names()),
                         [](const auto& problem) { return problem.param; });

}  // namespace
}  // namespace thalweg::testing
