#pragma once
// The update of an optimizer, traced over the flat block of parameters.

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "plan/program.hpp"
#include "thalweg/optim.hpp"
#include "thalweg/state.hpp"

namespace thalweg {

/// The bases of an update program, from first_user_base on; the slots follow.
struct UpdateBases {
  static constexpr int parameters = first_user_base, gradient = first_user_base + 1, scalars = first_user_base + 2,
                       first_slot = first_user_base + 3;
};

/// A named number of the step. The host gives its value: the default, or what a schedule says.
struct UpdateScalar {
  std::string name;
  double value = 0;
};

/// The scalars that every update has, in front of the rules' own.
enum CommonScalar { scalar_step, scalar_inverse_weight, scalar_gradient_norm, scalar_lr, common_scalars };

struct UpdateProgram {
  std::vector<UpdateScalar> scalars;                  ///< in the order of the f64 block behind UpdateBases::scalars
  std::vector<std::pair<std::string, double>> slots;  ///< name and initial value, in the order of their bases
  std::optional<Program> program;
};

/// Traces and plans. The gradient behind its base is a sum over samples; the scalar inverse_weight makes it a mean.
[[nodiscard]] UpdateProgram make_update(const Optimizer& optimizer, const Layout& layout, Passes passes = {});

/// What one transform sees of one segment while it is traced.
struct UpdateContext {
  std::map<std::string, Var, std::less<>>* slots;
  std::function<Var(std::string_view, double)> scalar;
  std::function<Var()> global_norm;
  Var step;
  double decay_factor = 1;
};

}  // namespace thalweg
