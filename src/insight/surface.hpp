#pragma once
// A loss as a function of its parameters, as a flat vector of f64: what curvature, probes and landscapes are asked of,
// whether it is of a model and its data or a function that is minimised.

#include "engine/products.hpp"
#include "insight/spectrum.hpp"
#include "thalweg/derivatives.hpp"

namespace thalweg {

struct Surface {
  using In = std::span<const double>;
  using Out = std::span<double>;

  /// A layer: its name, and the places of its parameters in the vector.
  struct Part {
    std::string name;
    std::vector<std::pair<std::int64_t, std::int64_t>> places;  ///< begin and end of each
  };

  std::int64_t size = 0;
  std::vector<Part> parts = {};  ///< none of a function
  std::function<double(In x)> value;
  /// Gives the value and writes the gradient.
  std::function<double(In x, Out gradient)> gradient;
  /// Writes H(x) v.
  std::function<void(In x, In v, Out product)> hessian_times;

  /// The Hessian at x, which must outlive the matrix, as must this.
  [[nodiscard]] SymmetricMatrix hessian_at(In x) const;
};

/// The trained parameters of each layer: "hidden" of "hidden/weight" and "hidden/norm/bias".
[[nodiscard]] std::vector<Surface::Part> parts_of(const Layout& layout);

/// The mean loss over all rows of the data around a state, by its trained parameters; what is computed has the state's
/// dtype. `products` and `rows` must outlive it. The state is copied.
[[nodiscard]] Surface surface_of(Products& products, const State& at, const Dataset& rows);
/// The trained parameters of a state: the point where such a surface is looked at first.
[[nodiscard]] std::vector<double> point_of(const State& state);

/// A scalar function of one tensor of this shape, in f64.
[[nodiscard]] Surface surface_of(const Function& function, const Shape& shape);

}  // namespace thalweg
