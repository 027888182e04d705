#pragma once
// thalweg inspect RUN --curvature: the eigenvalues of the Hessian of the loss at the end of a run.

#include "cli/command.hpp"

namespace thalweg::cli {

struct CurvatureArguments {
  bool wanted = false;
  std::string rows = "4096";  ///< a number, or "all"
  std::string dtype = "f64";
  std::int64_t steps = 100, probes = 20;
  bool density = false;
  std::string svg;  ///< file for a drawing of the density
};
void add_curvature_arguments(CLI::App& command, CurvatureArguments& arguments);

void inspect_curvature(const std::string& folder, const CurvatureArguments& arguments, const Context& context);

}  // namespace thalweg::cli
