#pragma once
// Rows of the table of optimizers, each made from its options struct.

#include "options/rows.hpp"
#include "thalweg/curved_optimizers.hpp"

namespace thalweg::optim {

/// Texts, and the function that makes the optimizer from its options.
template <class Options>
OptimizerRow row(Optimizer (*make)(Options), OptimizerRow texts) {
  texts.options = docs_of<Options>();
  texts.make = [make, name = texts.name](const OptionMap& values) { return make(options_from<Options>(values, name)); };
  return texts;
}

inline constexpr std::string_view coupled_doc = "coupled: weight_decay x is added to the gradient";
inline constexpr std::string_view decoupled_doc = "decoupled: x -= lr weight_decay x, separate from the gradient";

/// A method's own fields, placed among the fields that all methods have.
template <class Options>
Fields framed_fields(Options& o, std::string_view decay, Fields own) {
  own.insert(own.begin(), {"lr", &o.lr, "learning rate", positive});
  if constexpr (requires { o.weight_decay; }) own.push_back({"weight_decay", &o.weight_decay, decay, not_negative});
  own.push_back({"clip_norm", &o.clip_norm, "largest norm of the whole gradient; 0 is no limit", not_negative});
  own.push_back({"clip_value", &o.clip_value, "largest absolute value of each element of the gradient; 0 is no limit",
                 not_negative});
  own.push_back({"clip_ratio", &o.clip_ratio,
                 "largest norm of the gradient of each output unit, relative to the norm of its weights; 0 is no limit",
                 not_negative});
  own.push_back(
      {"noise", &o.noise, "variance of the noise added to the gradient; it falls as t^-0.55; 0 is none", not_negative});
  own.push_back({"maximize", &o.maximize, "maximise the loss instead of minimising it"});
  return own;
}

/// Where weight decay is added: to the gradient, to the direction of the method, or in its own rule.
enum class Decay { coupled, decoupled, own };

/// A method with the transforms around it: clipping before it, and the learning rate after it unless its rule applies
/// the learning rate itself.
template <class Options>
Optimizer framed(std::string name, const Options& options, Decay decay, std::vector<Transform> method) {
  check_fields(fields(const_cast<Options&>(options)), name);
  std::vector<Transform> all;
  if (options.clip_value > 0) all.push_back(clip_value(options.clip_value));
  if (options.clip_ratio > 0) all.push_back(adaptive_clip(options.clip_ratio));
  if (options.clip_norm > 0) all.push_back(clip_norm(options.clip_norm));
  if (options.noise > 0) all.push_back(add_noise(options.noise));
  if (options.maximize) all.push_back(negate());
  if constexpr (requires { options.weight_decay; }) {
    if (decay == Decay::coupled) all.push_back(add_decayed_weights(options.weight_decay));
    if (decay == Decay::decoupled) method.push_back(add_decayed_weights(options.weight_decay));
  }
  bool has_rate = false;
  for (Transform& transform : method) {
    if (transform.lr > 0) transform.schedule = options.schedule;
    has_rate = has_rate || transform.lr > 0;
    all.push_back(std::move(transform));
  }
  if (!has_rate) all.push_back(scale_by_lr(options.lr, options.schedule));
  Optimizer optimizer = chain(std::move(all));
  optimizer.name = std::move(name);
  optimizer.options = values_of(options);
  return optimizer;
}

/// A rule that is a function of the options.
template <class Options>
UpdateRule with(Var (*rule)(Update&, const Options&), const Options& options) {
  return [=](Update& u) { return rule(u, options); };
}

/// decay m + (1 - decay) x
inline Var running_mean(const Var& m, const Var& x, const Var& decay) { return decay * m + (1 - decay) * x; }

}  // namespace thalweg::optim
