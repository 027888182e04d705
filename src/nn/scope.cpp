// Scope: the path, mode, random key and parameters of a model while it is traced.

#include "thalweg/scope.hpp"

#include <algorithm>
#include <limits>

#include "core/error.hpp"
#include "core/random.hpp"
#include "nn/trace.hpp"
#include "ops/random.hpp"
#include "thalweg/ops.hpp"

namespace thalweg {

Scope Scope::operator/(std::string_view name) const {
  if (name.empty() || name.find('/') != std::string_view::npos) {
    fail<UsageError>("[scope] the name '{}' below '{}'. Hint: a name is not empty and has no '/'.", name, path_);
  }
  Scope below = *this;
  for (std::string* path : {&below.path_, &below.call_}) *path += (path->empty() ? "" : "/") + std::string(name);
  return below;
}

Scope Scope::share(std::string_view name) const {
  Scope below = *this / name;
  const int call = ++context_->calls[below.call_];
  if (call > 1) below.call_ += "#" + std::to_string(call);
  return below;
}

Scope Scope::frozen() const {
  Scope same = *this;
  same.frozen_ = true;
  return same;
}

Scope Scope::average(std::string_view name) const {
  Scope same = frozen();
  same.average_ = (Scope(*context_, "") / name).path_;
  return same;
}

Var Scope::declare(std::string_view name, const Shape& shape, ParameterOptions options, bool statistic) const {
  const Scope below = *this / name;
  const bool average = !average_.empty() && !statistic;
  const std::string path = (average ? average_ + "/" : "") + below.path_;
  const bool is_free = context_->parameter_names.insert(average_ + ":" + below.call_).second;
  const std::uint64_t me = std::uint64_t{1} << context_->objective;
  const auto place = context_->places.find(path);
  if (!is_free) {
    fail<UsageError>(
        "[scope] the parameter '{}' is declared twice. Hint: give each layer a scope of its own, s / \"name\"; "
        "to call a part twice, s.share(\"name\") each time.",
        path);
  }
  options.frozen = options.frozen || frozen_;
  if (!place) {
    if (context_->check && *context_->check) (*context_->check)(path, shape);
    const Var var = context_->graph.input(path, shape, context_->dtype);
    context_->places.add(path);
    context_->parameters.push_back({path, options, var, statistic, average, me});
    return var;
  }
  TracedParameter* known = &context_->parameters[*place];
  if (known->var.shape() != shape || known->statistic != statistic) {
    fail<UsageError>("[scope] '{}' is {} at the first call of the part that shares it, and {} at a later one", path,
                     known->var.shape(), shape);
  }
  if (!statistic && known->options.frozen != options.frozen) {
    fail<UsageError>("[scope] the parameter '{}' is frozen at one call of the part that shares it, and not at another",
                     path);
  }
  known->declared_by |= me;
  return known->var;
}

Var Scope::parameter(std::string_view name, const Shape& shape, const ParameterOptions& options) const {
  return declare(name, shape, options, false);
}

Var Scope::statistic(std::string_view name, const Shape& shape, double initial) const {
  return declare(name, shape, {.initializer = init::constant(initial), .frozen = true, .decay = false}, true);
}

void Scope::observe(std::string_view statistic, const Var& observed, double momentum) const {
  if (!(momentum >= 0 && momentum <= 1))
    fail<UsageError>("[scope] the statistic '{}' moves with momentum {}. Wanted: in [0, 1]", statistic, momentum);
  if (mode() == Mode::evaluate) return;
  const std::string path = (*this / statistic).path();
  const auto place = context_->places.find(path);
  const TracedParameter* known = place ? &context_->parameters[*place] : nullptr;
  if (!known || !known->statistic) {
    fail<UsageError>("[scope] there is no statistic '{}'. Hint: declare it with s.statistic.", path);
  }
  if (!(observed.shape() == known->var.shape())) {
    fail<UsageError>("[scope] the statistic '{}' is {}; {} observed", path, known->var.shape(), observed.shape());
  }
  context_->observations.push_back({path, observed, momentum});
}

Var Scope::draw(std::string_view name, const Shape& shape, DType dtype, bool normal) const {
  const std::string path = (*this / name).call_;
  if (!context_->random_names.insert(path).second) {
    fail<UsageError>("[scope] the random numbers '{}' are drawn twice. Hint: give each a name of its own.", path);
  }
  if (shape.rank() == 0 || shape[0] % context_->samples != 0) {
    fail<UsageError>(
        "[scope] random numbers '{}' of shape {} in a trace of {} rows. Wanted: the first axis is the batch (b.rows())",
        path, shape, context_->samples);
  }
  if (!context_->random) {
    Graph& graph = context_->graph;
    context_->random = {graph.scalar("random:seed"), graph.scalar("random:step"),
                        graph.input("random:places", {context_->samples}, i32)};
  }
  const auto& [seed, step, places] = *context_->random;
  return normal ? random_normal(seed, step, places, path, shape, dtype)
                : random_uniform(seed, step, places, path, shape, dtype);
}

Var Scope::uniform(std::string_view name, const Shape& shape) const {
  return draw(name, shape, context_->dtype, false);
}

Var Scope::normal(std::string_view name, const Shape& shape) const { return draw(name, shape, context_->dtype, true); }

Var Scope::integers(std::string_view name, const Shape& shape, std::int64_t low, std::int64_t high) const {
  constexpr std::int64_t least = std::numeric_limits<std::int32_t>::min(),
                         most = std::numeric_limits<std::int32_t>::max();
  if (low >= high || low < least || high - 1 > most) {
    fail<UsageError>("[scope] whole numbers '{}' of {}, ..., {}. Wanted: low < high, within 32 bits",
                     (*this / name).path(), low, high - 1);
  }
  const double count = static_cast<double>(high - low);
  return cast(floor(draw(name, shape, f64, false) * count) + static_cast<double>(low), i32);
}

void Scope::report(std::string_view name, const Arg& values) const {
  std::string path = (*this / name).call_;
  const Var given = as_var(values, context_->graph.number(0, context_->dtype));
  expect_of_graph("report", given, context_->graph, values.source());
  if (path == "loss" || std::ranges::count(context_->reports, path, &TracedReport::name) > 0)
    fail<UsageError>("[report] the name '{}' is taken{}. Hint: give each report a name of its own.", path,
                     at(values.source()));
  const bool is_scalar = given.rank() == 0;
  if (!is_scalar && given.dim(0) % context_->samples != 0) {
    fail<UsageError>("[report] '{}' is {} for a batch of {}{}. Wanted: one value for each sample, or a scalar", path,
                     given.shape(), context_->samples, at(values.source()));
  }
  const Var numbers = is_float(given.dtype()) ? given : cast(given, context_->dtype);
  const auto samples = static_cast<double>(context_->samples);
  context_->reports.push_back({std::move(path), (is_scalar ? numbers : mean(numbers)) * samples});
}

Mode Scope::mode() const { return frozen_ ? Mode::evaluate : context_->mode; }
DType Scope::dtype() const { return context_->dtype; }
Graph& Scope::graph() const { return context_->graph; }

}  // namespace thalweg
