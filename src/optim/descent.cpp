#include "optim/descent.hpp"

#include <cmath>

#include "core/error.hpp"
#include "core/norm.hpp"
#include "graph/tracing.hpp"
#include "thalweg/ops.hpp"

namespace thalweg {

Layout layout_of_one(const Tensor& x) {
  Layout layout;
  layout.entries = {{"x", x.shape(), 0, false, false, true}};
  layout.size = layout.decayed_size = layout.trained_size = x.size();
  layout.dtype = x.dtype();
  return layout;
}

Descent::Descent(const Optimizer& optimizer, const Tensor& x, std::uint64_t seed)
    : optimizer_(optimizer),
      seed_(seed),
      update_(make_update(optimizer, layout_of_one(x))),
      slots_(initial_slots(update_)) {
  arena_ = Block(update_.program->arena_bytes());
  scalars_.resize(update_.scalars.size());
}

double Descent::step(Tensor& x, Tensor& gradient, double norm, const Progress& progress) {
  const double lr = optimizer_.lr * optimizer_.schedule.factor(progress);
  fill_scalars(update_,
               {.step = progress.step + 1,
                .gradient_norm = norm,
                .lr = lr,
                .seed = seed_,
                .momentum = optimizer_.schedule.momentum(progress)},
               scalars_);
  bases_ = {x.mutable_raw(), gradient.mutable_raw(), reinterpret_cast<std::byte*>(scalars_.data())};
  for (auto& [name, slot] : slots_) bases_.push_back(slot.mutable_raw());
  update_.program->run(bases_, arena_.data(), alone_);
  return lr;
}

Tensor& Descent::slot(std::string_view ending) {
  for (auto& [name, values] : slots_) {
    if (name.ends_with(ending)) return values;
  }
  defect("no slot's name ends with '{}'", ending);
}

Slope::Slope(const Function& f, const Tensor& like)
    : function_(f), shape_(like.shape()), dtype_(like.dtype()), program_(program({})), arena_(program_.arena_bytes()) {}

Program Slope::program(Passes passes) const {
  Graph graph;
  const Tracing tracing(graph);
  const Var x = graph.input("x", shape_, dtype_);
  const Var y = function_.trace({x}).front();
  const Var g = gradients(y, {x}).front();
  return Program(graph, {{x, {first_user_base, 0}}},
                 {{cast(y, f64), {first_user_base + 1, 0}}, {g, {first_user_base + 2, 0}}}, passes);
}

double Slope::operator()(const Tensor& x, Tensor& gradient) const {
  double value = 0;
  std::byte* bases[] = {const_cast<std::byte*>(x.raw()), reinterpret_cast<std::byte*>(&value), gradient.mutable_raw()};
  program_.run(bases, arena_.data(), alone_);
  return value;
}

std::optional<std::string> Slope::find_not_finite(const Tensor& x) const {
  const Program all = program({false, false, false, false});
  const Block arena(all.arena_bytes());
  double value = 0;
  Tensor gradient(shape_, dtype_);
  std::byte* bases[] = {const_cast<std::byte*>(x.raw()), reinterpret_cast<std::byte*>(&value), gradient.mutable_raw()};
  return all.find_not_finite(bases, arena.data(), alone_);
}

double norm_of(const Tensor& x) { return x.dtype() == f32 ? norm_of(x.values<float>()) : norm_of(x.values<double>()); }

}  // namespace thalweg
