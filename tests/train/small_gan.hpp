#pragma once
// A small GAN for points of the plane: two objectives, an average, batch statistics and random numbers.

#include <gtest/gtest.h>

#include "thalweg/thalweg.hpp"

namespace thalweg {

inline Dataset real_points(std::int64_t rows = 22) {
  Dataset data;
  data.set("input", random_normal({rows, 2}, 1.0, 0.5, 3));
  return data;
}

inline Var generator(Scope s, const Var& z) {
  const Var h = relu(nn::batch_norm(s / "norm", nn::dense(s / "hidden", z, 8)));
  return nn::dense(s / "out", h, 2);
}

inline Var discriminator(Scope s, const Var& x) {
  return nn::dense(s / "out", leaky_relu(nn::dense(s / "hidden", x, 8), 0.2), 1);
}

inline Loss d_loss(Scope s, const Batch& b) {
  const Var z = s.normal("z", {b.rows(), 3});
  const Var real = discriminator(s.share("d"), b["input"]);
  const Var fake = discriminator(s.share("d"), stop_gradient(generator(s.share("g"), z)));
  s.report("real", mean(sigmoid(real)));
  return Loss::of_samples(softplus(-real) + softplus(fake));
}

inline Loss g_loss(Scope s, const Batch& b) {
  const Var fake = discriminator(s.share("d"), generator(s.share("g"), s.normal("z", {b.rows(), 3})));
  s.report("fooled", sigmoid(fake));
  return Loss::of_samples(softplus(-fake));
}

inline std::vector<ObjectiveRow> gan_rows(std::int64_t every = 1) {
  return {{"d", d_loss, optim::adam({.lr = 0.02}), {.trains = "d/*"}},
          {"g", g_loss, optim::adam({.lr = 0.01}), {.trains = "g/*", .every = every, .averages = {{"ema", 0.9}}}}};
}

inline void expect_same(const State& a, const State& b) {
  EXPECT_TRUE(identical(a.parameters, b.parameters));
  EXPECT_EQ(a.step, b.step);
  ASSERT_EQ(a.slots.size(), b.slots.size());
  for (std::size_t i = 0; i < a.slots.size(); ++i) {
    EXPECT_EQ(a.slots[i].first, b.slots[i].first);
    EXPECT_TRUE(identical(a.slots[i].second, b.slots[i].second)) << a.slots[i].first;
  }
}

}  // namespace thalweg
