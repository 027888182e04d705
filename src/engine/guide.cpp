// Computes what optimizers need besides a batch's gradient: a gradient uphill (SAM), gradients at an anchor (SVRG), a
// diagonal of curvature (Sophia, AdaHessian), factors of curvature (K-FAC).

#include "engine/guide.hpp"

#include <cmath>

#include "core/error.hpp"
#include "core/mirrored.hpp"
#include "engine/engine.hpp"
#include "engine/factors.hpp"
#include "engine/model_evaluation.hpp"
#include "optim/asks.hpp"
#include "optim/own_method.hpp"

namespace thalweg {

Guide::Guide(const Layout& trained, Device* far, Workers& workers)
    : vectors(far, workers), dtype_(trained.dtype), far_(far) {
  const std::vector<std::int64_t> gradients = gradient_offsets(trained);
  for (std::size_t i = 0; i < trained.entries.size(); ++i) {
    const ParameterEntry& entry = trained.entries[i];
    const std::int64_t size = entry.shape.size();
    if (gradients[i] < 0 || size == 0) continue;
    if (!pieces_.empty() && pieces_.back().at + pieces_.back().size == entry.offset) {
      pieces_.back().size += size;
    } else {
      pieces_.push_back({entry.offset, gradients[i], size});
    }
    size_ += size;
  }
  kept_ = Block(static_cast<std::size_t>(size_) * size_of(dtype_), far);
}

Elements Guide::run_of(std::byte* vector, const Piece& piece) const {
  return {vector + piece.at * static_cast<std::int64_t>(size_of(dtype_)), piece.size, dtype_};
}

Elements Guide::of_vector(Tensor& vector, const Piece& piece) const {
  return run_of(Mirrored::write(far_, vector), piece);
}

Elements Guide::of_parameters(State& state, const Piece& piece) const { return of_vector(state.parameters, piece); }

Elements Guide::of_packed(std::byte* packed, const Piece& piece) const {
  return {packed + piece.gradient_at * static_cast<std::int64_t>(size_of(dtype_)), piece.size, dtype_};
}

Guide::Elsewhere::Elsewhere(Guide& guide, State& state) : guide_(guide), state_(state) {
  for (const Piece& piece : guide.pieces_)
    guide.vectors.copy(guide.of_parameters(state, piece), guide.of_packed(guide.kept_.data(), piece));
}

Guide::Elsewhere::~Elsewhere() {
  try {
    for (const Piece& piece : guide_.pieces_)
      guide_.vectors.copy(guide_.of_packed(guide_.kept_.data(), piece), guide_.of_parameters(state_, piece));
  } catch (const DeviceError&) {  // the device is lost, and the parameters with it
  }
}

namespace {
constexpr std::string_view diagonal_hint = "diagonal = \"gauss_newton\"", factors_hint = "shampoo";

/// Throws where a group's chain would be without what it needs: the method beside the chain, or a schedule.
void check_own_chains(const Optimizer& optimizer) {
  const auto text = [](const Schedule& schedule) { return schedule.name() + OptionValue(schedule.options()).str(); };
  for (const ParameterGroup& group : optimizer.groups) {
    for (const Transform& transform : group.chain) {
      if (transform.needs_method) refuse_own_method(transform.name, group.pattern);
      const std::string own = text(transform.schedule);
      if (own == text({}) || own == text(optimizer.schedule)) continue;
      fail<UsageError>(
          "[{}] the method of the parameters '{}' has a schedule, {}, and all are trained by that of the optimizer, "
          "{}. Hint: set it there.",
          optimizer.name, group.pattern, transform.schedule.name(), optimizer.schedule.name());
    }
  }
}

}  // namespace

void Engine::check_asks() const {
  for (const Member& o : objectives_) {
    const Optimizer& optimizer = o.updater.optimizer();
    check_own_chains(optimizer);
    const Asks asks = asks_of(optimizer);
    if (!asks.any()) continue;
    if (asks.factors) (void)with_drawn_labels(functions_[0], optimizer.name, factors_hint);
    if (size() > 1) {
      fail<UsageError>(
          "[{}] it asks for more than one gradient a step, and here several objectives step at once. Hint: "
          ".simultaneous = false: they take turns.",
          optimizer.name);
    }
    for (const ParameterGroup& group : optimizer.groups) {
      if (group.chain.empty() || asks.radius > 0) continue;
      fail<UsageError>(
          "[{}] the parameters '{}' have a method of their own. Wanted: one method for all that is trained",
          optimizer.name, group.pattern);
    }
  }
}

void Engine::make_guide() {
  if (!guide_) guide_.emplace(step_.objectives.front().layout, far_, crew_->workers);
}

void Engine::expect_rows() const {
  for (const Member& o : objectives_) {
    const Asks asks = asks_of(o.updater.optimizer());
    if (!asks.anchored && !asks.per_row && !owns_steps(o.updater.optimizer())) continue;
    fail<UsageError>(
        "[{}] it needs all rows to train on, and a step of one's own has those of a batch. Hint: "
        "Trainer::fit.",
        o.updater.optimizer().name);
  }
}

std::optional<Engine::Sums> Engine::asked_for(State& state, const RowSelection& batch, const BatchPrograms& programs,
                                              const Sums& sums, const Progress& progress) {
  const Asks asks = asks_of(optimizer(0));
  if (!asks.any()) return {};
  make_guide();
  if (guide_->size() == 0) return {};  // all is frozen
  const std::int64_t step = objectives_.front().updater.rule_step(state);
  if (asks.diagonal && is_due(step, asks.diagonal_every)) estimate_diagonal(state, batch, programs, step);
  if (asks.factors && is_due(step, asks.factors->every)) estimate_factors(state, batch, programs, step);
  std::optional<Sums> other;
  if (asks.radius > 0) other = sums_uphill(state, batch, programs, sums);
  if (asks.per_row) other = sums_by_table(state, batch, programs);
  if (asks.anchored) {
    const std::int64_t every = asks.anchor_every > 0 ? asks.anchor_every : progress.steps_per_epoch;
    other = sums_by_anchor(state, batch, programs, sums, is_due(step, every));
  }
  if (!other) return {};
  const double norm = objectives_.front().norm->of(gradient_of(0, *other, state), crew_->workers) / divisors_[0];
  if (!std::isfinite(norm) && !objectives_.front().updater.program().skips) {
    fail<NumericError>("[{}] step {}: the gradient that it asks for is not finite, although the batch's is. Hint: {}.",
                       optimizer(0).name, state.step + 1, asks.radius > 0 ? "a smaller radius" : "a lower rate");
  }
  asked_norm_ = norm;
  return other;
}

bool Engine::update_as_asked(State& state, const RowSelection& batch, const BatchPrograms& programs, const Sums& sums,
                             const Progress& progress) {
  std::optional<Sums> other = asked_for(state, batch, programs, sums, progress);
  if (!other) return false;
  update(0, state, *other, divisors_[0], asked_norm_, did_[0].lr, progress);
  give_back(std::move(*other));
  return true;
}

Engine::Sums Engine::sums_uphill(State& state, const RowSelection& batch, const BatchPrograms& programs,
                                 const Sums& sums) {
  const Asks asks = asks_of(optimizer(0));
  std::byte* gradient = gradient_of(0, sums, state);
  double squares = 0;
  for (const Guide::Piece& piece : guide_->pieces())
    squares +=
        guide_->vectors.climb_squares(asks, guide_->of_parameters(state, piece), guide_->of_packed(gradient, piece));
  // the gradient is a sum over samples, which must be divided
  const double factor = asks.radius / (std::sqrt(squares) / divisors_[0] + 1e-12) / divisors_[0];
  const Guide::Elsewhere uphill(*guide_, state);
  for (const Guide::Piece& piece : guide_->pieces())
    guide_->vectors.climb(asks, guide_->of_parameters(state, piece), factor, guide_->of_packed(gradient, piece));
  return sum_over_shards(state, batch, programs, true);
}

Engine::Sums Engine::sums_by_anchor(State& state, const RowSelection& batch, const BatchPrograms& programs,
                                    const Sums& sums, bool moves) {
  Updater& updater = objectives_.front().updater;
  if (programs.whole->is_random() || !programs.whole->movements().empty()) {
    fail<UsageError>(
        "[{}] the model {}, and so its gradients of a row are not the same twice. Wanted: a loss that is a "
        "mean over rows. Hint: adam.",
        optimizer(0).name, programs.whole->is_random() ? "draws random numbers" : "keeps batch statistics");
  }
  Vectors& vectors = guide_->vectors;
  std::byte *anchor = updater.slot(state, ".anchor"), *mean = updater.slot(state, ".mean");
  if (moves) {
    for (const Guide::Piece& piece : guide_->pieces())
      vectors.copy(guide_->of_parameters(state, piece), guide_->of_packed(anchor, piece));
    const BatchPrograms all = programs_.for_batch(state, step_, {batch.data}, programs.whole->rows());
    Sums whole = sum_over_shards(state, {batch.data}, all, true);
    const double weight = whole.weight(0);
    for (const Guide::Piece& piece : guide_->pieces()) {
      const Elements gradient = guide_->of_packed(gradient_of(0, whole, state), piece);
      vectors.set(guide_->of_packed(mean, piece), 1 / weight, gradient);
    }
    give_back(std::move(whole));
  }
  const Guide::Elsewhere at_anchor(*guide_, state);
  for (const Guide::Piece& piece : guide_->pieces())
    vectors.copy(guide_->of_packed(anchor, piece), guide_->of_parameters(state, piece));
  Sums result = sum_over_shards(state, batch, programs, true);
  std::byte *there = gradient_of(0, result, state), *here = gradient_of(0, sums, state);
  for (const Guide::Piece& piece : guide_->pieces()) {
    const Elements to = guide_->of_packed(there, piece);
    vectors.move(guide_->of_packed(here, piece), -1, to, to);
    vectors.add(to, divisors_[0], guide_->of_packed(mean, piece));
  }
  return result;
}

void Engine::estimate_diagonal(State& state, const RowSelection& batch, const BatchPrograms& programs,
                               std::int64_t step) {
  Guide& guide = *guide_;
  const Layout& layout = *state.layout;
  const bool drawn = asks_of(optimizer(0)).drawn_labels;
  if (!guide.products) {
    guide.products.emplace(
        drawn ? with_drawn_labels(functions_.front(), optimizer(0).name, diagonal_hint) : functions_.front(),
        crew_->workers, ProductOptions{.mode = Mode::train, .far = far_});
  }
  guide.products->set_shard_size(programs.whole->rows());
  if (drawn) return square_drawn_gradient(state, batch);
  Tensor signs({layout.trained_size}, layout.dtype);  // 0 for parameters that are not stepped
  for (const Guide::Piece& piece : guide.pieces())
    draw_signs(state.seed, step, piece.at, guide.run_of(signs.mutable_raw(), piece));
  std::byte* const signs_at = Mirrored::write(far_, signs);
  if (*asks_of(optimizer(0)).diagonal == Need::gauss_newton) {
    (void)guide.products->gauss_newton_times(state, batch, signs, guide.product);
  } else {
    (void)guide.products->hessian_times(state, batch, signs, guide.product);
  }
  std::byte* diagonal = objectives_.front().updater.slot(state, ".diagonal");
  for (const Guide::Piece& piece : guide.pieces()) {
    const Elements product = guide.of_vector(guide.product, piece);
    guide.vectors.multiply(product, guide.run_of(signs_at, piece));
    guide.vectors.copy(product, guide.of_packed(diagonal, piece));
  }
}

void Engine::estimate_factors(State& state, const RowSelection& batch, const BatchPrograms& programs,
                              std::int64_t step) {
  Guide& guide = *guide_;
  const std::vector<FactoredLayer>& layers = objectives_.front().factored;
  const FactorAsks asks = *asks_of(optimizer(0)).factors;
  if (!guide.products) {
    guide.products.emplace(with_drawn_labels(functions_.front(), optimizer(0).name, factors_hint), crew_->workers,
                           ProductOptions{.mode = Mode::train, .layers = layers, .far = far_});
  }
  guide.products->set_shard_size(programs.whole->rows());
  (void)guide.products->factors(state, batch, guide.product);
  const DType dtype = guide.product.dtype();
  const std::byte* drawn = Mirrored::write(far_, guide.product);
  // one that is not finite would stay in the running mean forever, and there would be no inverse
  if (!std::isfinite(guide.vectors.sum_abs({drawn, guide.product.size(), dtype}))) {
    if (objectives_.front().updater.program().skips) return;
    fail<NumericError>(
        "[{}] step {}: the factors of a layer are not finite, although the gradient of the batch is. Hint: inputs of a "
        "smaller scale, or adamw.",
        optimizer(0).name, state.step + 1);
  }
  const double estimates = static_cast<double>((step - 1) / asks.every + 1),
               part = std::max(1 / estimates, 1 - asks.decay);
  const auto move = [&](std::string_view slot, std::int64_t size) {
    const Elements mean{objectives_.front().updater.slot(state, slot), size, dtype};
    guide.vectors.scale(mean, 1 - part);
    guide.vectors.add(mean, part, {drawn, size, dtype});
    drawn += size * static_cast<std::int64_t>(size_of(dtype));
  };
  move(".input_factor", input_factors_size(layers));
  move(".output_factor", output_factors_size(layers));
}

void Engine::square_drawn_gradient(State& state, const RowSelection& batch) {
  Guide& guide = *guide_;
  (void)guide.products->gradient(state, batch, guide.product);
  std::byte* diagonal = objectives_.front().updater.slot(state, ".diagonal");
  for (const Guide::Piece& piece : guide.pieces()) {
    const Elements gradient = guide.of_vector(guide.product, piece);
    guide.vectors.multiply(gradient, gradient);
    guide.vectors.scale(gradient, guide.products->weight());
    guide.vectors.copy(gradient, guide.of_packed(diagonal, piece));
  }
}

}  // namespace thalweg
