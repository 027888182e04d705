// Transforms that compose with every optimizer.

#include "core/error.hpp"
#include "thalweg/optim.hpp"

namespace thalweg::optim {

Transform clip_norm(double max_norm) {
  return {.name = "clip_norm", .rule = [=](Update& u) {
            const Var limit = u.scalar("max_norm", max_norm);
            return u.gradient * minimum(1, limit / (u.global_norm() + 1e-6));
          }};
}

Transform add_decayed_weights(double decay) {
  return {.name = "decay", .rule = [=](Update& u) {
            return u.decay_factor() == 0 ? u.gradient : u.gradient + u.scalar("weight_decay", decay) * u.parameter;
          }};
}

Transform scale_by_lr(double lr, Schedule schedule) {
  return {.name = "lr",
          .rule = [=](Update& u) { return u.scalar("lr", lr) * u.gradient; },
          .lr = lr,
          .schedule = std::move(schedule)};
}

Optimizer chain(std::vector<Transform> transforms) {
  Optimizer optimizer;
  for (const Transform& transform : transforms) {
    if (transform.lr > 0) {
      optimizer.lr = transform.lr;
      optimizer.schedule = transform.schedule;
    }
  }
  optimizer.chain = std::move(transforms);
  return optimizer;
}

}  // namespace thalweg::optim
