// The table of optimizers, and how a configuration describes one.

#include "optim/methods_parts.hpp"
#include "optim/own_method.hpp"
#include "optim/row.hpp"

namespace thalweg {

const std::vector<OptimizerRow>& optimizers() {
  static const std::vector<OptimizerRow> rows = joined(optim::methods_parts);
  return rows;
}

const OptimizerRow& optimizer_named(const std::string& name) { return row_named(optimizers(), "optimizer", name); }

Optimizer make_optimizer(const OptionMap& configuration) {
  OptionMap options = configuration;
  const auto kind = options.extract("kind");
  const std::string* name = kind ? kind.mapped().get_if<std::string>() : nullptr;
  if (!name) fail<UsageError>("[optimizer] there is no kind. Hint: kind = \"adamw\".");
  return optimizer_named(*name).make(options);
}

ParameterGroup make_group(const OptionMap& configuration, const Optimizer& optimizer) {
  ParameterGroup group;
  OptionMap scalars, method;
  read_fields({{"pattern", &group.pattern, "a pattern of parameter names: * stands for any characters, ? for one"},
               {"lr_factor", &group.lr_factor, "multiplies the optimizer's lr", positive},
               {"frozen", &group.frozen, "the parameters are not trained"},
               {"scalars", &scalars, "options of the method that differ for this group: { weight_decay = 0.0 }"},
               {"optimizer", &method, "another method for this group: { kind = \"sgd\", lr = 0.1 }"}},
              configuration, "optimizer.groups");
  for (const auto& [name, value] : scalars) {
    double& number = group.scalars[name];
    read_fields({{name, &number, ""}}, {{name, value}}, "optimizer.groups.scalars");
  }
  if (!method.empty()) {
    Optimizer own = in_option("optimizer", [&] { return make_optimizer(method); });
    if (own.method) refuse_own_method(own.name, group.pattern);
    group.lr_factor *= own.lr / optimizer.lr;
    group.chain = std::move(own.chain);
  }
  return group;
}

}  // namespace thalweg
