// Transforms of the gradient that can be combined with every optimizer.

#include "core/error.hpp"
#include "thalweg/optim.hpp"

namespace thalweg::optim {

namespace {

/// The axes over which one output unit extends: all but the last, or the only axis of a vector.
Axes input_axes(const Var& x) {
  if (x.rank() < 2) return {};
  std::vector<int> axes;
  for (int axis = 0; axis + 1 < x.rank(); ++axis) axes.push_back(axis);
  return axes;
}

/// Throws UsageError for a number out of its range, NaN among them.
void check(std::string_view transform, std::string_view what, double value, const Range& range) {
  if (range.contains(value)) return;
  fail<UsageError>("[{}] {} = {}. Wanted: {}", transform, what, value, range.str());
}

}  // namespace

Transform clip_value(double limit) {
  check("clip_value", "limit", limit, positive);
  return {.name = "clip_value", .rule = [=](Update& u) {
            const Var most = u.scalar("limit", limit);
            return clamp(u.gradient, -most, most);
          }};
}

Transform clip_norm(double max_norm) {
  check("clip_norm", "max_norm", max_norm, positive);
  return {.name = "clip_norm", .rule = [=](Update& u) {
            const Var limit = u.scalar("max_norm", max_norm);
            return u.gradient * minimum(1, limit / (u.global_norm() + 1e-6));
          }};
}

Transform clip_parameter_norm(double max_norm) {
  check("clip_parameter_norm", "max_norm", max_norm, positive);
  return {.name = "clip_parameter_norm",
          .rule =
              [=](Update& u) {
                const Var limit = u.scalar("max_norm", max_norm);
                return u.gradient * minimum(1, limit / (norm(u.gradient) + 1e-6));
              },
          .per_parameter = true};
}

Transform adaptive_clip(double clipping, double eps) {
  check("adaptive_clip", "clipping", clipping, positive);
  check("adaptive_clip", "eps", eps, not_negative);
  return {.name = "adaptive_clip",
          .rule =
              [=](Update& u) {
                const Axes axes = input_axes(u.parameter);
                const Var most =
                    u.scalar("clipping", clipping) * maximum(norm(u.parameter, axes, Keep::yes), u.scalar("eps", eps));
                return u.gradient * minimum(1, most / maximum(norm(u.gradient, axes, Keep::yes), 1e-6));
              },
          .per_parameter = true};
}

Transform add_noise(double eta, double gamma) {
  check("add_noise", "eta", eta, not_negative);
  check("add_noise", "gamma", gamma, not_negative);
  return {.name = "noise", .rule = [=](Update& u) {
            const Var deviation = sqrt(u.scalar("eta", eta) / pow(u.step(), u.scalar("gamma", gamma)));
            return u.gradient + deviation * u.normal();
          }};
}

Transform centralize() {
  return {.name = "centralize",
          .rule =
              [](Update& u) {
                if (u.gradient.rank() < 2) return u.gradient;
                return u.gradient - mean(u.gradient, input_axes(u.gradient), Keep::yes);
              },
          .per_parameter = true};
}

Transform zero_nonfinite() {
  return {.name = "zero_nonfinite", .rule = [](Update& u) {
            // x - x is nan for inf and nan, and nan equals nothing
            return where(equal(u.gradient - u.gradient, 0), u.gradient, 0);
          }};
}

Transform skip_nonfinite() {
  return {.name = "skip_nonfinite", .condition = [](Update& u) {
            const Var norm = u.global_norm();
            return equal(norm - norm, 0);
          }};
}

Transform negate() {
  return {.name = "negate", .rule = [](Update& u) { return -u.gradient; }};
}

Transform scale(double factor) {
  return {.name = "scale", .rule = [=](Update& u) { return u.scalar("factor", factor) * u.gradient; }};
}

Transform add_decayed_weights(double decay) {
  check("add_decayed_weights", "decay", decay, not_negative);
  return {.name = "decay", .rule = [=](Update& u) {
            const Var strength = u.weight_decay(decay);
            return strength.defined() ? u.gradient + strength * u.parameter : u.gradient;
          }};
}

Transform add_l1(double strength) {
  check("add_l1", "strength", strength, not_negative);
  return {.name = "l1", .rule = [=](Update& u) {
            return u.decay_factor() == 0 ? u.gradient : u.gradient + u.scalar("l1", strength) * sign(u.parameter);
          }};
}

Transform add_elastic_net(double l1, double l2) {
  check("add_elastic_net", "l1", l1, not_negative);
  check("add_elastic_net", "l2", l2, not_negative);
  return {.name = "elastic_net", .rule = [=](Update& u) {
            if (u.decay_factor() == 0) return u.gradient;
            return u.gradient + (u.scalar("l1", l1) * sign(u.parameter) + u.scalar("l2", l2) * u.parameter);
          }};
}

Transform scale_by_trust_ratio() {
  return {.name = "trust_ratio",
          .rule =
              [](Update& u) {
                const Var size = norm(u.parameter), step = norm(u.gradient);
                return u.gradient * where((size > 0) * (step > 0), size / step, 1);
              },
          .per_parameter = true};
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

Optimizer prepend(Transform first, Optimizer method) {
  method.chain.insert(method.chain.begin(), std::move(first));
  return method;
}

Optimizer append(Optimizer method, Transform last) {
  method.chain.push_back(std::move(last));
  return method;
}

}  // namespace thalweg::optim
