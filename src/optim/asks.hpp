#pragma once
// What a step asks for besides a gradient, on vectors: the climb of a sharpness-aware step, and the random signs from
// which a diagonal is estimated.

#include <cstdint>
#include <optional>
#include <vector>

#include "optim/elements.hpp"
#include "optim/factored.hpp"
#include "thalweg/optim.hpp"

namespace thalweg {

/// What a step asks for besides the gradient of its batch. Everything that a step asks for is computed with the same
/// rows and the same random numbers.
struct Asks {
  /// The gradient is taken at x + e in place of x: e has the length radius and leads uphill. 0: at x.
  double radius = 0;
  bool adaptive = false;  ///< e is measured in units of |x| + floor, element by element
  double floor = 0.01;
  /// The diagonal of a curvature matrix (Need::curvature, Need::gauss_newton), estimated by products with random signs,
  /// in the slot "diagonal": in the steps 1, 1 + every, ...
  std::optional<Need> diagonal = {};
  std::int64_t diagonal_every = 1;
  /// The diagonal is the batch size times the square of its mean gradient with labels drawn from the model (Liu et al.
  /// 2023, algorithm 2) in place of a product.
  bool drawn_labels = false;
  /// The gradient is g(x) - g(a) + the mean over all rows of g(a), at an anchor a that follows x every `anchor_every`
  /// steps (0: once an epoch). The slots are "anchor" and "mean".
  bool anchored = false;
  std::int64_t anchor_every = 0;
  /// The gradient of the batch, minus the last gradient of each of its rows, plus the mean of the last gradients of all
  /// rows. The slot is "mean"; the engine keeps the table of last gradients, which grows with the data.
  bool per_row = false;
  double most_bytes = 0;  ///< largest size of the table
  /// Factors of the Fisher matrix of each layer, with labels drawn from the model.
  std::optional<FactorAsks> factors = {};

  [[nodiscard]] bool any() const { return radius > 0 || diagonal || anchored || per_row || factors; }
};

/// The method of an optimizer that also has a chain: the chain takes the steps, and the method says what they ask for.
class AskingMethod : public Method {
 public:
  explicit AskingMethod(const Asks& asks_) : asks(asks_) {}
  [[nodiscard]] std::vector<Need> needs() const override;
  [[nodiscard]] bool keeps_bounds() const override { return true; }
  [[nodiscard]] std::vector<MethodSlot> slots(const Tensor&) const override { return {}; }
  MethodStep step(MethodPoint& at, MethodMemory& memory, Oracle& oracle) const override;

  Asks asks;
};

/// What an optimizer's steps ask for; most ask for nothing.
[[nodiscard]] Asks asks_of(const Optimizer& optimizer);
/// Whether its method takes the whole step: then there is no chain, no rate, no schedule and no groups.
[[nodiscard]] bool owns_steps(const Optimizer& optimizer);
/// The optimizer with steps that ask for this. Throws UsageError where they ask for something already.
[[nodiscard]] Optimizer asking(Optimizer optimizer, const Asks& asks, std::string_view name);

/// sum of ((|x| + floor) g)^2 over elements, or of g^2 where the climb is not adaptive.
[[nodiscard]] double climb_squares(const Asks& asks, ConstElements x, ConstElements gradient);
/// x + factor (|x| + floor)^2 g, or x + factor g. With factor = radius / (sqrt(climb_squares) + 1e-12) this is the
/// climb of Kwon et al. 2021, or of Foret et al. 2021.
void climb(const Asks& asks, Elements x, double factor, ConstElements gradient);

/// 1 or -1 for each element, drawn from seed and step; `first` is the number of the first element.
void draw_signs(std::uint64_t seed, std::int64_t step, std::int64_t first, Elements signs);
/// product *= signs, element by element.
void multiply(Elements product, ConstElements signs);

/// Whether something that comes every `every` steps is due in a step, counted from 1.
[[nodiscard]] inline bool is_due(std::int64_t step, std::int64_t every) { return (step - 1) % every == 0; }

}  // namespace thalweg
