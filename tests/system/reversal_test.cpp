// Reversing padded sequences, in both implementations: a product for short ones and a gather for long ones.

#include "system/reversal.hpp"

#include <gtest/gtest.h>

#include "evaluate.hpp"
#include "thalweg/ops.hpp"

namespace thalweg {
namespace {

TEST(Reversal, ReversesTheStepsBeforeThePadding) {
  for (const std::int64_t steps : {std::int64_t{7}, Reversal::longest + 1}) {
    const std::int64_t batch = 3, width = 2;
    const Tensor x = random_normal({batch, steps, width}, 1);
    Tensor count({batch}, i32);
    const std::int64_t counts[] = {steps, 4, 1};
    for (std::int64_t i = 0; i < batch; ++i) count.set(i, static_cast<double>(counts[i]));
    const auto turned = [&](const std::vector<Var>& v) {
      const Reversal turn(v[1], steps, f32);
      return std::vector<Var>{turn(v[0]), turn(turn(v[0]))};
    };
    const std::vector<Tensor> result = evaluate(turned, {x, count});
    for (std::int64_t b = 0; b < batch; ++b) {
      for (std::int64_t t = 0; t < steps; ++t) {
        const std::int64_t from = t < counts[b] ? counts[b] - 1 - t : t;
        for (std::int64_t k = 0; k < width; ++k)
          ASSERT_EQ(result[0].at((b * steps + t) * width + k), x.at((b * steps + from) * width + k)) << steps;
      }
    }
    for (std::int64_t i = 0; i < x.size(); ++i) ASSERT_EQ(result[1].at(i), x.at(i));
  }
}

}  // namespace
}  // namespace thalweg
