#pragma once
// Takes steps of an optimizer's update with given gradients, without a model or an engine.

#include <cmath>
#include <memory>

#include "optim/update.hpp"
#include "thalweg/optimizers.hpp"

namespace thalweg::testing {

/// A layout of these parameters, one after another: those with weight decay come first, frozen ones last.
inline Layout layout_of(std::vector<ParameterEntry> entries, DType dtype = f64) {
  Layout layout;
  layout.dtype = dtype;
  for (ParameterEntry& entry : entries) {
    entry.offset = layout.size;
    layout.size += entry.shape.size();
    if (!entry.frozen) layout.trained_size = layout.size;
    if (!entry.frozen && entry.decay) layout.decayed_size = layout.size;
  }
  layout.entries = std::move(entries);
  return layout;
}

inline Layout one_vector(std::int64_t size, DType dtype = f64) { return layout_of({{"x", {size}}}, dtype); }

class Stepper {
 public:
  Stepper(Optimizer optimizer, Layout layout, const Tensor& start, Passes passes = {})
      : optimizer_(std::move(optimizer)), update_(make_update(optimizer_, layout, passes)) {
    state.layout = std::make_shared<Layout>(std::move(layout));
    state.parameters = start.to(state.layout->dtype);
    state.slots = initial_slots(update_);
    scalars_.resize(update_.scalars.size());
    arena_ = Block(update_.program->arena_bytes());
    bases_.resize(UpdateBases::first_slot - first_user_base + state.slots.size());
  }

  /// Takes one step. The gradient has the layout and the dtype of the parameters.
  void step(Tensor& gradient, double lr_factor = 1) {
    double squares = 0;
    for (std::int64_t i = 0; i < state.layout->trained_size; ++i) squares += gradient.at(i) * gradient.at(i);
    fill_scalars(update_,
                 {.step = ++state.step,
                  .gradient_norm = std::sqrt(squares),
                  .lr = optimizer_.lr * lr_factor,
                  .seed = state.seed},
                 scalars_);
    bases_[0] = state.parameters.mutable_raw();
    bases_[1] = gradient.mutable_raw();
    bases_[2] = reinterpret_cast<std::byte*>(scalars_.data());
    for (std::size_t i = 0; i < state.slots.size(); ++i) bases_[3 + i] = state.slots[i].second.mutable_raw();
    update_.program->run(bases_, arena_.data(), workers_);
  }

  [[nodiscard]] double x(std::int64_t i) const { return state.parameters.at(i); }
  [[nodiscard]] Tensor evaluated() { return evaluation_parameters(update_, state, workers_); }
  [[nodiscard]] const UpdateProgram& update() const { return update_; }

  State state;

 private:
  Optimizer optimizer_;
  UpdateProgram update_;
  std::vector<double> scalars_;
  std::vector<std::byte*> bases_;
  Block arena_;
  Workers workers_{1};
};

/// f(x) = sum_i a_i d_i^2 / 2 + d_i^4 / 4 + sum_i (x_{i+1} - x_i)^2 / 2, d = x - c: smooth, and not quadratic. The
/// gradient is computed with the same order of operations as in tests/reference/optimizers.py.
struct SmoothProblem {
  static constexpr std::int64_t size = 8;

  static Tensor start() {
    Tensor x(Shape{size}, f64);
    for (int i = 0; i < size; ++i) x.set(i, 1.125 - 0.375 * i + i * i / 32.0);  // no gradient near 0
    return x;
  }

  template <class T>
  static void gradient(std::span<const T> x, std::span<T> g) {
    for (std::size_t i = 0; i < size; ++i) {
      const T a = T(0.5) + T(0.25) * static_cast<T>(i), d = x[i] - (T(0.125) * static_cast<T>(i) - T(0.5));
      g[i] = a * d + d * d * d;
    }
    for (std::size_t i = 1; i < size; ++i) g[i] += x[i] - x[i - 1];
    for (std::size_t i = 1; i < size; ++i) g[i - 1] -= x[i] - x[i - 1];
  }

  static Tensor gradient(const Tensor& x, bool climb = false) {
    Tensor g(x.shape(), x.dtype());
    if (x.dtype() == f64) {
      gradient<double>(x.values<double>(), g.mutable_values<double>());
    } else {
      gradient<float>(x.values<float>(), g.mutable_values<float>());
    }
    if (climb) {
      for (std::int64_t i = 0; i < g.size(); ++i) g.set(i, -g.at(i));
    }
    return g;
  }
};

inline void run_on_smooth_problem(Stepper& stepper, int steps, bool climb = false, double lr_factor = 1) {
  for (int i = 0; i < steps; ++i) {
    Tensor g = SmoothProblem::gradient(stepper.state.parameters, climb);
    stepper.step(g, lr_factor);
  }
}

}  // namespace thalweg::testing
