#include "optim/residuals.hpp"

#include <algorithm>

#include "core/error.hpp"
#include "graph/tracing.hpp"
#include "thalweg/ops.hpp"

namespace thalweg {

namespace {

Var trace_residuals(const Function& f, Var x) {
  const Var r = f.trace({x}).front();
  if (r.dtype() != f64) fail<UsageError>("[least_squares] the residuals are {}. Wanted: f64", r.dtype());
  return reshape(r, {r.size()});
}

std::byte* address(std::span<const double> values) {
  return reinterpret_cast<std::byte*>(const_cast<double*>(values.data()));
}

}  // namespace

Residuals::Residuals(const Function& f, std::int64_t parameters) : function_(f), parameters_(parameters) {
  Graph graph;
  const Tracing tracing(graph);
  count_ = trace_residuals(f, graph.input("x", {parameters}, f64)).size();
  values_ = planned(0);
}

Residuals::Planned Residuals::planned(int order) const {
  Graph graph;
  const Tracing tracing(graph);
  const Var x = graph.input("x", {parameters_}, f64), v = graph.input("v", {parameters_}, f64);
  Var r = trace_residuals(function_, x);
  for (int i = 0; i < order; ++i) r = jvp({r}, {x}, {v}).front();
  Program program(graph, {{x, {first_user_base, 0}}, {v, {first_user_base + 1, 0}}}, {{r, {first_user_base + 2, 0}}});
  Block arena(program.arena_bytes());
  return {std::move(program), std::move(arena)};
}

Residuals::Planned Residuals::planned_against() const {
  Graph graph;
  const Tracing tracing(graph);
  const Var x = graph.input("x", {parameters_}, f64), u = graph.input("u", {count_}, f64);
  const Var product = vjp({trace_residuals(function_, x)}, {u}, {x}).front();
  Program program(graph, {{x, {first_user_base, 0}}, {u, {first_user_base + 1, 0}}},
                  {{product, {first_user_base + 2, 0}}});
  Block arena(program.arena_bytes());
  return {std::move(program), std::move(arena)};
}

void Residuals::run(const Planned& what, std::span<const double> x, std::span<const double> v,
                    std::span<double> result) const {
  std::byte* bases[] = {address(x), address(v), address(result)};
  what.program.run(bases, what.arena.data(), alone_);
}

void Residuals::values(std::span<const double> x, std::span<double> r) const {
  if (!std::ranges::equal(x, last_x_)) {
    last_r_.resize(static_cast<std::size_t>(count_));
    run(*values_, x, x, last_r_);
    last_x_.assign(x.begin(), x.end());
  }
  std::ranges::copy(last_r_, r.begin());
}

void Residuals::jacobian(std::span<const double> x, std::span<double> columns) const {
  std::vector<double> unit(x.size());
  const auto rows = static_cast<std::size_t>(count_);
  for (std::size_t i = 0; i < unit.size(); ++i) {
    unit[i] = 1;
    along(x, unit, columns.subspan(i * rows, rows));
    unit[i] = 0;
  }
}

void Residuals::along(std::span<const double> x, std::span<const double> v, std::span<double> product) const {
  if (!along_) along_ = planned(1);
  run(*along_, x, v, product);
}

void Residuals::against(std::span<const double> x, std::span<const double> u, std::span<double> product) const {
  if (!against_) against_ = planned_against();
  run(*against_, x, u, product);
}

void Residuals::bend(std::span<const double> x, std::span<const double> v, std::span<double> second) const {
  if (!bend_) bend_ = planned(2);
  run(*bend_, x, v, second);
}

}  // namespace thalweg
