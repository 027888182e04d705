#pragma once
// Residuals of least squares, and their derivatives along a direction, planned once.

#include <optional>
#include <span>
#include <vector>

#include "plan/program.hpp"
#include "thalweg/derivatives.hpp"

namespace thalweg {

class Residuals {
 public:
  /// Residuals as a function of x (parameters), f64. Throws UsageError where the residuals are not f64.
  Residuals(const Function& f, std::int64_t parameters);

  [[nodiscard]] std::int64_t count() const { return count_; }
  [[nodiscard]] std::int64_t parameters() const { return parameters_; }

  /// r(x); the last result is remembered.
  void values(std::span<const double> x, std::span<double> r) const;
  /// J(x), column after column.
  void jacobian(std::span<const double> x, std::span<double> columns) const;
  /// J(x) v
  void along(std::span<const double> x, std::span<const double> v, std::span<double> product) const;
  /// J(x)^T u
  void against(std::span<const double> x, std::span<const double> u, std::span<double> product) const;
  /// The second derivative of r(x + t v) by t, at t = 0.
  void bend(std::span<const double> x, std::span<const double> v, std::span<double> second) const;

 private:
  struct Planned {
    Program program;
    Block arena;
  };
  [[nodiscard]] Planned planned(int order) const;
  [[nodiscard]] Planned planned_against() const;
  void run(const Planned& what, std::span<const double> x, std::span<const double> v, std::span<double> result) const;

  Function function_;
  std::int64_t parameters_ = 0, count_ = 0;
  std::optional<Planned> values_;
  mutable std::optional<Planned> along_, against_, bend_;  // planned when they are first asked for
  mutable std::vector<double> last_x_, last_r_;
  mutable Workers alone_{1};
};

}  // namespace thalweg
