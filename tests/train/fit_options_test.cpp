// Invalid options of a fit are refused before the first step.

#include <gtest/gtest.h>

#include <limits>

#include "thalweg/error.hpp"
#include "thalweg/nn.hpp"
#include "thalweg/optimizers.hpp"
#include "thalweg/train.hpp"

namespace thalweg {
namespace {

Dataset rows() {
  Dataset data;
  data.set("input", random_normal({40, 2}, 1));
  data.set("target", random_normal({40, 1}, 2));
  return data;
}

Var line(Scope s, Var x) { return nn::dense(s / "output", x, 1); }

TEST(FitOptions, InvalidOptionsAreRefused) {
  const FitOptions wrong[] = {{.steps = -1},           {.shard_size = -1},
                              {.accumulate = 0},       {.validation = std::numeric_limits<double>::quiet_NaN()},
                              {.reports = 1},          {.stop_after = -1},
                              {.keep_checkpoints = 0}, {.passes = 0}};
  for (const FitOptions& options : wrong) {
    Trainer trainer(line, loss::mse, optim::sgd());
    EXPECT_THROW((void)trainer.fit(rows(), options), UsageError);
  }
  Trainer trainer(line, loss::mse, optim::sgd());
  trainer.init(rows(), 1);
  State state = trainer.state();
  state.step = std::numeric_limits<std::int64_t>::max();
  EXPECT_THROW(trainer.set_state(state), UsageError);
}

}  // namespace
}  // namespace thalweg
