// Functions on Tensors: traced and planned once for each set of shapes, then run.

#include <cmath>
#include <map>
#include <mutex>

#include "core/error.hpp"
#include "graph/tracing.hpp"
#include "plan/program.hpp"
#include "plan/run_there.hpp"
#include "thalweg/derivatives.hpp"
#include "thalweg/ops.hpp"

namespace thalweg {

struct Function::Compiled {
  struct Entry {
    std::vector<Signature> inputs, outputs;
    Device* device = nullptr;
    std::unique_ptr<Program> program;
  };
  std::mutex mutex;
  std::vector<std::unique_ptr<Entry>> entries;
};

Function::Function(Body body) : body_(std::move(body)), compiled_(std::make_shared<Compiled>()) {}

namespace {

constexpr Source nowhere{};  // a line of ours says nothing to a user

std::vector<Var> outputs_of(const Function::Body& body, const std::vector<Var>& inputs) {
  std::vector<Var> outputs = body(inputs);
  if (outputs.empty()) fail<UsageError>("[function] it returned no value. Wanted: one or more");
  return outputs;
}
}  // namespace

std::vector<Var> Function::trace(const std::vector<Var>& inputs) const { return outputs_of(body_, inputs); }

void Function::wrong_count(std::size_t count) {
  fail<UsageError>("[function] called with {} arguments, a number that it does not accept", count);
}

namespace {

template <class Entry>
std::unique_ptr<Entry> compile(const Function::Body& body, const std::vector<Signature>& signatures, Device& device) {
  Graph graph;
  const Tracing tracing(graph);
  std::vector<Bound> inputs, outputs;
  std::vector<Var> vars;
  int base = first_user_base;
  for (const Signature& signature : signatures) {
    vars.push_back(graph.input("x" + std::to_string(vars.size()), signature.shape, signature.dtype));
    inputs.push_back({vars.back(), {base++, 0}});
  }
  auto entry = std::make_unique<Entry>();
  entry->inputs = signatures;
  for (const Var& y : outputs_of(body, vars)) {
    outputs.push_back({y, {base++, 0}});
    entry->outputs.push_back({y.shape(), y.dtype()});
  }
  entry->device = &device;
  entry->program = std::make_unique<Program>(graph, inputs, outputs, Passes{}, device);
  return entry;
}

}  // namespace

std::vector<Tensor> Function::run(const std::vector<Tensor>& inputs) const {
  std::vector<Signature> signatures;
  for (const Tensor& x : inputs) signatures.push_back({x.shape(), x.dtype()});
  Device& device = chosen_device();
  const Compiled::Entry* entry = nullptr;
  {
    const std::lock_guard lock(compiled_->mutex);
    for (const auto& known : compiled_->entries) {
      if (known->inputs == signatures && known->device == &device) entry = known.get();
    }
    if (!entry) {
      compiled_->entries.push_back(compile<Compiled::Entry>(body_, signatures, device));
      entry = compiled_->entries.back().get();
    }
  }
  if (entry->program->far() != nullptr) return run_there(*entry->program, inputs, entry->outputs);
  std::vector<Tensor> outputs;
  std::vector<std::byte*> bases;
  for (const Tensor& x : inputs) bases.push_back(const_cast<std::byte*>(x.raw()));
  for (const Signature& signature : entry->outputs) outputs.emplace_back(signature.shape, signature.dtype);
  for (Tensor& y : outputs) bases.push_back(y.mutable_raw());
  const Block arena(entry->program->arena_bytes());
  Workers alone(1);
  entry->program->run(bases, arena.data(), alone);
  return outputs;
}

Function grad(const Function& f) {
  return Function(Function::Body([f](std::span<const Var> x) {
    return gradients(Arg(f.trace({x.begin(), x.end()}).front(), nowhere), {x[0]});
  }));
}

ValueAndGrad::ValueAndGrad(const Function& f)
    : both_(Function::Body([f](std::span<const Var> x) {
        const Var y = f.trace({x.begin(), x.end()}).front();
        return std::vector<Var>{y, gradients(Arg(y, nowhere), {x[0]}).front()};
      })) {}

namespace {
/// f of all arguments except the second, which is a direction.
Var without_direction(std::string_view what, const Function& f, std::span<const Var> x) {
  if (x.size() < 2) {
    fail<UsageError>("[{}] called with {} arguments. Hint: {}(f)(x, direction, others...).", what, x.size(), what);
  }
  std::vector<Var> arguments{x[0]};
  arguments.insert(arguments.end(), x.begin() + 2, x.end());
  return f.trace(arguments).front();
}
}  // namespace

Function hvp(const Function& f) {
  return Function(Function::Body([f](std::span<const Var> x) {
    const Var gradient = gradients(Arg(without_direction("hvp", f, x), nowhere), {x[0]}).front();
    return jvp({gradient}, {x[0]}, {x[1]});
  }));
}

Function jvp(const Function& f) {
  return Function(
      Function::Body([f](std::span<const Var> x) { return jvp({without_direction("jvp", f, x)}, {x[0]}, {x[1]}); }));
}

Function vjp(const Function& f) {
  return Function(
      Function::Body([f](std::span<const Var> x) { return vjp({without_direction("vjp", f, x)}, {x[1]}, {x[0]}); }));
}

std::string GradientReport::str() const {
  std::string text =
      fmt::format("{}: largest error {:.3g}", ok ? "gradient agrees" : "gradient differs", largest_error);
  if (worst >= 0) {
    text +=
        fmt::format(" at element {} (analytic {:.9g}, numeric {:.9g})", worst, analytic.at(worst), numeric.at(worst));
  }
  return text;
}

GradientReport check_gradient(const Function& f, const Tensor& x, double tolerance, double step) {
  GradientReport report;
  const Tensor at_x = x.to(f64);
  report.analytic = grad(f)(at_x);
  report.numeric = Tensor(x.shape(), f64);
  for (std::int64_t i = 0; i < x.size(); ++i) {
    const double centre = at_x.at(i), h = step * std::max(1.0, std::abs(centre));
    Tensor moved = at_x;
    moved.set(i, centre + h);
    const double above = f(moved).item();
    moved.set(i, centre - h);
    const double slope = (above - f(moved).item()) / (2 * h), exact = report.analytic.at(i);
    report.numeric.set(i, slope);
    const double error = std::abs(slope - exact) / std::max({1.0, std::abs(slope), std::abs(exact)});
    if (!(error <= report.largest_error) && !std::isnan(report.largest_error)) {
      report.largest_error = error;
      report.worst = i;
    }
  }
  report.ok = report.largest_error <= tolerance;
  return report;
}

}  // namespace thalweg
