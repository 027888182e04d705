// Minimises a function without data or a model, with the same optimizers.

#include <iostream>
#include <thalweg/thalweg.hpp>

namespace tw = thalweg;

int main() {
  // f(x) = sum_i (1 - x_i)^2 + 100 (x_{i+1} - x_i^2)^2
  const auto rosenbrock = [](tw::Var x) {
    const auto head = tw::slice(x, 0, -1), tail = tw::slice(x, 1);
    return tw::sum(tw::square(1 - head) + 100 * tw::square(tail - tw::square(head)));
  };
  const auto result = tw::minimize(rosenbrock, tw::full({10}, -1.2, tw::f64), tw::optim::adam({.lr = 1e-2}),
                                   {.max_steps = 50'000, .gradient_norm = 1e-8});
  std::cout << result.summary() << "\n" << result.x.str() << "\n";

  // The same for a function of plain doubles that computes its gradient itself, here with bounds.
  const auto bowl = [](std::span<const double> x, std::span<double> gradient) {
    gradient[0] = 2 * (x[0] - 3);
    gradient[1] = 8 * (x[1] + 1);
    return (x[0] - 3) * (x[0] - 3) + 4 * (x[1] + 1) * (x[1] + 1);
  };
  const double start[] = {0, 0};
  const auto inside =
      tw::minimize_black_box(bowl, start, tw::optim::sgd({.lr = 0.1}), {.upper = tw::Tensor::of({2.0, 2.0})});
  std::cout << inside.summary() << "\n" << inside.x.str() << "\n";
  return result.gradient_norm < 1e-3 && inside.x.at(0) == 2 ? 0 : 1;
}
