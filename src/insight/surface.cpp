#include "insight/surface.hpp"

#include <algorithm>

#include "engine/norms.hpp"

namespace thalweg {

namespace {

/// Conversions between f64 and a tensor of either dtype.
void copy(Surface::In from, Tensor& into) {
  if (into.dtype() == f64) {
    std::ranges::copy(from, into.mutable_values<double>().begin());
  } else {
    std::ranges::transform(from, into.mutable_values<float>().begin(), [](double x) { return static_cast<float>(x); });
  }
}

void copy(const Tensor& from, Surface::Out into) {
  if (from.dtype() == f64) {
    std::ranges::copy(from.values<double>(), into.begin());
  } else {
    std::ranges::copy(from.values<float>(), into.begin());
  }
}

/// A state whose trained parameters are replaced for each evaluation, and working vectors.
struct Around {
  Products& products;
  const Dataset& rows;
  State state;
  Tensor vector, result;

  void move_to(Surface::In x) {
    if (state.layout->dtype == f64) {
      std::ranges::copy(x, state.parameters.mutable_values<double>().begin());
    } else {
      std::ranges::transform(x, state.parameters.mutable_values<float>().begin(),
                             [](double value) { return static_cast<float>(value); });
    }
  }
};

}  // namespace

std::vector<Surface::Part> parts_of(const Layout& layout) {
  std::vector<Surface::Part> parts;
  for (const std::string& layer : layers_of(layout)) {
    Surface::Part& part = parts.emplace_back(Surface::Part{layer, {}});
    for (const ParameterEntry& entry : layout.entries) {
      const bool inside = entry.name == layer || entry.name.starts_with(layer + "/");
      if (!entry.frozen && inside) part.places.emplace_back(entry.offset, entry.offset + entry.shape.size());
    }
  }
  return parts;
}

SymmetricMatrix Surface::hessian_at(In x) const {
  return {size, [this, x](In v, Out product) { hessian_times(x, v, product); }};
}

Surface surface_of(Products& products, const State& at, const Dataset& rows) {
  const std::int64_t size = at.layout->trained_size;
  const DType dtype = at.layout->dtype;
  const auto around =
      std::make_shared<Around>(Around{products, rows, at, Tensor({size}, dtype), Tensor({size}, dtype)});
  Surface surface;
  surface.size = size;
  surface.parts = parts_of(*at.layout);
  surface.value = [around](Surface::In x) {
    around->move_to(x);
    return around->products.value(around->state, {around->rows});
  };
  surface.gradient = [around](Surface::In x, Surface::Out gradient) {
    around->move_to(x);
    const double value = around->products.gradient(around->state, {around->rows}, around->result);
    copy(around->result, gradient);
    return value;
  };
  surface.hessian_times = [around](Surface::In x, Surface::In v, Surface::Out product) {
    around->move_to(x);
    copy(v, around->vector);
    around->products.hessian_times(around->state, {around->rows}, around->vector, around->result);
    copy(around->result, product);
  };
  return surface;
}

std::vector<double> point_of(const State& state) {
  std::vector<double> point(static_cast<std::size_t>(state.layout->trained_size));
  for (std::size_t i = 0; i < point.size(); ++i) point[i] = state.parameters.at(static_cast<std::int64_t>(i));
  return point;
}

Surface surface_of(const Function& function, const Shape& shape) {
  const ValueAndGrad both(function);
  const Function times = hvp(function);
  const auto tensor = [shape](Surface::In x) { return Tensor::from(x, shape); };
  Surface surface;
  surface.size = shape.size();
  surface.value = [=](Surface::In x) { return function(tensor(x)).item(); };
  surface.gradient = [=](Surface::In x, Surface::Out gradient) {
    const auto [value, slope] = both(tensor(x));
    copy(slope, gradient);
    return value.item();
  };
  surface.hessian_times = [=](Surface::In x, Surface::In v, Surface::Out product) {
    copy(times(tensor(x), tensor(v)), product);
  };
  return surface;
}

}  // namespace thalweg
