#include "thalweg/scope.hpp"

#include <algorithm>

#include "core/error.hpp"
#include "nn/trace.hpp"

namespace thalweg {

Scope Scope::operator/(std::string_view name) const {
  if (name.empty() || name.find('/') != std::string_view::npos) {
    fail<UsageError>("[scope] '{}' below '{}'. Hint: a name is not empty and has no '/'.", name, path_);
  }
  return {*context_, path_.empty() ? std::string(name) : path_ + "/" + std::string(name)};
}

Var Scope::parameter(std::string_view name, const Shape& shape, const ParameterOptions& options) const {
  const std::string path = (*this / name).path();
  if (std::ranges::any_of(context_->parameters, [&](const TracedParameter& p) { return p.name == path; })) {
    fail<UsageError>(
        "[scope] the parameter '{}' is declared twice. Hint: give each layer a scope of its own, s / \"name\"; "
        "to use one parameter twice, keep its Var.",
        path);
  }
  const Var var = context_->graph.input(path, shape, context_->dtype);
  context_->parameters.push_back({path, options, var});
  return var;
}

Mode Scope::mode() const { return context_->mode; }
DType Scope::dtype() const { return context_->dtype; }
Graph& Scope::graph() const { return context_->graph; }

}  // namespace thalweg
