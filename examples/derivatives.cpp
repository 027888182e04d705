// Derivatives of a function: gradients, products with the Hessian, and a check of both by differences.

#include <iostream>
#include <thalweg/thalweg.hpp>

namespace tw = thalweg;

int main() {
  // Rosenbrock's valley: f(x) = sum_i (1 - x_i)^2 + 100 (x_{i+1} - x_i^2)^2
  const auto f = [](tw::Var x) {
    const auto head = tw::slice(x, 0, -1), tail = tw::slice(x, 1);
    return tw::sum(tw::square(1 - head) + 100 * tw::square(tail - tw::square(head)));
  };
  const auto x = tw::Tensor::of({-1.2, 1.0, 0.5}), v = tw::Tensor::of({1.0, 0.0, 0.0});

  const auto [value, gradient] = tw::value_and_grad(f)(x);
  std::cout << "f(x)       " << value.item() << "\n"
            << "gradient   " << gradient.str() << "\n"
            << "H v        " << tw::hvp(f)(x, v).str() << "\n";

  // A derivative can contain another: the gradient of the squared norm of the gradient, as in a gradient penalty.
  const auto steepness = [f](tw::Var at) { return tw::sum(tw::square(tw::grad(f)(at))); };
  std::cout << "d |g|^2/dx " << tw::grad(steepness)(x).str() << "\n";

  const auto of_f = tw::check_gradient(f, x), of_steepness = tw::check_gradient(steepness, x, 1e-4);
  std::cout << of_f.str() << "\n" << of_steepness.str() << "\n";
  return of_f.ok && of_steepness.ok ? 0 : 1;
}
