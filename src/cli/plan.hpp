#pragma once
// The arguments of `plan`.

#include "cli/arguments.hpp"
#include "estimate/layout.hpp"

namespace thalweg::cli {

struct PlanArguments {
  ConfigArguments config;
  std::int64_t ranks = 1;
  std::string machine = "h100";
  double tokens = 0;
  double hours_between_failures = 50'700;  ///< per rank; 419 failures of 16,384 in 54 days (Grattafiori et al. 2024)
  bool published = false, machines = false;
};

/// Plans a configuration with data, from its own training step. Returns the exit code.
int plan_run(const PlanArguments& arguments, const Context& context);

}  // namespace thalweg::cli
