#pragma once
// What `plan` is asked.

#include "cli/arguments.hpp"
#include "estimate/layout.hpp"

namespace thalweg::cli {

struct PlanArguments {
  ConfigArguments config;
  std::int64_t ranks = 1;
  std::string machine = "h100";
  double tokens = 0;
  double hours_between_failures = 50'700;  ///< of a rank: 419 in 54 days of 16,384 (Grattafiori et al. 2024)
  bool published = false, machines = false;
};

/// Plans a configuration with data from its own step. Gives the exit code.
int plan_run(const PlanArguments& arguments, const Context& context);

}  // namespace thalweg::cli
