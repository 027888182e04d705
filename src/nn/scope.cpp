// Scope: the path, mode, random key and parameters of a model while it is traced.

#include "thalweg/scope.hpp"

#include <algorithm>

#include "core/error.hpp"
#include "core/random.hpp"
#include "nn/trace.hpp"
#include "ops/random.hpp"

namespace thalweg {

Scope Scope::operator/(std::string_view name) const {
  if (name.empty() || name.find('/') != std::string_view::npos) {
    fail<UsageError>("[scope] '{}' below '{}'. Hint: a name is not empty and has no '/'.", name, path_);
  }
  return {*context_, path_.empty() ? std::string(name) : path_ + "/" + std::string(name)};
}

Var Scope::declare(std::string_view name, const Shape& shape, const ParameterOptions& options, bool statistic) const {
  const std::string path = (*this / name).path();
  if (!context_->parameter_names.insert(path).second) {
    fail<UsageError>(
        "[scope] the parameter '{}' is declared twice. Hint: give each layer a scope of its own, s / \"name\"; "
        "to use one parameter twice, keep its Var.",
        path);
  }
  const Var var = context_->graph.input(path, shape, context_->dtype);
  context_->parameters.push_back({path, options, var, statistic});
  return var;
}

Var Scope::parameter(std::string_view name, const Shape& shape, const ParameterOptions& options) const {
  return declare(name, shape, options, false);
}

Var Scope::statistic(std::string_view name, const Shape& shape, double initial) const {
  return declare(name, shape, {.initializer = init::constant(initial), .frozen = true, .decay = false}, true);
}

void Scope::observe(std::string_view statistic, const Var& observed, double momentum) const {
  if (context_->mode == Mode::evaluate) return;
  const std::string path = (*this / statistic).path();
  const auto known = std::ranges::find_if(context_->parameters,
                                          [&](const TracedParameter& p) { return p.statistic && p.name == path; });
  if (known == context_->parameters.end()) {
    fail<UsageError>("[scope] there is no statistic '{}'. Hint: declare it with s.statistic.", path);
  }
  if (!(observed.shape() == known->var.shape())) {
    fail<UsageError>("[scope] the statistic '{}' is {}; {} observed", path, known->var.shape(), observed.shape());
  }
  context_->observations.push_back({path, observed, momentum});
}

Var Scope::uniform(std::string_view name, const Shape& shape) const {
  const std::string path = (*this / name).path();
  if (context_->mode == Mode::evaluate) {
    fail<UsageError>("[scope] random numbers '{}' in evaluation. Hint: draw them only where s.mode() is Mode::train.",
                     path);
  }
  if (!context_->random_names.insert(path).second) {
    fail<UsageError>("[scope] the random numbers '{}' are drawn twice. Hint: give each a name of its own.", path);
  }
  if (shape.rank() == 0 || shape[0] % context_->samples != 0) {
    fail<UsageError>("[scope] random numbers '{}' of shape {} for a batch of {}. Hint: the first axis is the batch's.",
                     path, shape, context_->samples);
  }
  if (!context_->random) {
    Graph& graph = context_->graph;
    context_->random = {graph.scalar("random:seed"), graph.scalar("random:step"),
                        graph.input("random:places", {context_->samples}, i32)};
  }
  const auto& [seed, step, places] = *context_->random;
  return random_uniform(seed, step, places, path, shape, context_->dtype);
}

Mode Scope::mode() const { return context_->mode; }
DType Scope::dtype() const { return context_->dtype; }
Graph& Scope::graph() const { return context_->graph; }

}  // namespace thalweg
