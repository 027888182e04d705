#include "insight/run_watch.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "core/random.hpp"
#include "engine/shard_size.hpp"
#include "insight/noise.hpp"
#include "insight/surface.hpp"

namespace thalweg {

namespace {

constexpr std::int64_t most_batches = 16, fewest_batches = 2, batches_a_step = 40, pieces = 16, quarters = 4;
constexpr std::int64_t sharpness_rows = 256, sharpness_products = 20;

double seconds_since(std::chrono::steady_clock::time_point then) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - then).count();
}

/// `count` rows, drawn without replacement.
std::vector<std::int64_t> drawn(RandomKey key, std::int64_t count, std::int64_t of) {
  const Permutation order(key, of);
  std::vector<std::int64_t> rows(static_cast<std::size_t>(count));
  for (std::int64_t i = 0; i < count; ++i) rows[static_cast<std::size_t>(i)] = order(i);
  return rows;
}

}  // namespace

RunWatch::RunWatch(EvaluationFunction function, const Dataset& rows, const FitOptions& fit, const WatchOptions& options,
                   int threads)
    : function_(std::move(function)),
      rows_(rows),
      options_(options),
      length_(run_length(fit, rows.rows())),
      order_(fit, length_, rows.rows()),
      seed_(fit.seed),
      every_(std::max<std::int64_t>(1, options.every.steps(length_.steps, length_.steps_an_epoch))),
      workers_(threads),
      shard_size_(fit.shard_size) {}

std::optional<Look> RunWatch::after(const StepReport& step, const State& state) {
  std::optional<Look> found;
  if (waits_ && state.step == before_.step + 1) {
    const auto began = Clock::now();
    found = look(step, state);
    last_ = seconds_since(began);
    spent_ += last_;
  }
  waits_ = false;
  begin(state);
  return found;
}

void RunWatch::begin(const State& state) {
  if ((state.step + 1) % every_ != 0 || state.step >= length_.steps) return;
  if (spent_ > 0 && spent_ + last_ > options_.budget * seconds_since(began_)) {
    ++left_out_;
  } else {
    remember(state);
  }
}

/// Copies the parameters: sharing the buffer would make the run move to another buffer at its next step.
void RunWatch::remember(const State& state) {
  const auto began = Clock::now();
  if (before_.layout != state.layout) {
    before_.layout = state.layout;
    before_.parameters = Tensor(state.parameters.shape(), state.parameters.dtype());
  }
  const std::size_t bytes = static_cast<std::size_t>(state.parameters.size()) * size_of(state.parameters.dtype());
  std::memcpy(before_.parameters.mutable_raw(), state.parameters.raw(), bytes);
  before_.seed = state.seed;
  before_.step = state.step;
  waits_ = true;
  spent_ += seconds_since(began);
}

Look RunWatch::look(const StepReport& step, const State& state) {
  if (!products_) {
    Device* const far = chosen_device().far();
    const std::int64_t shard =
        shard_size_ > 0 ? shard_size_
                        : default_shard_size({&function_, 1}, columns_of(rows_), *state.layout, length_.batch);
    products_.emplace(function_, workers_, ProductOptions{.mode = Mode::train, .shard_size = shard, .far = far});
  }
  Look look{.step = step.step, .epoch = step.epoch, .lr = step.lr, .batch_size = length_.rows_a_step};
  measure_noise(look, step.step);
  measure_layers(look, state, step.step);
  if (options_.largest) measure_sharpness(look);
  return look;
}

/// On as many rows as some batches have, one in forty of those between two looks, in pieces of a quarter of a batch or
/// more.
void RunWatch::measure_noise(Look& look, std::int64_t step) {
  const std::int64_t batches = std::clamp(every_ / batches_a_step, fewest_batches, most_batches);
  const std::int64_t rows = std::min(rows_.rows(), batches * length_.rows_a_step);
  const std::int64_t piece = std::max({std::int64_t{1}, length_.rows_a_step / quarters, rows / pieces});
  if (rows / piece < 2) {
    look.signal = look.noise = std::numeric_limits<double>::quiet_NaN();
    return;
  }
  const RandomKey key = RandomKey{seed_}.fold("look").fold(static_cast<std::uint64_t>(step));
  const GradientNoise noise =
      gradient_noise(*products_, before_, {rows_, drawn(key, rows / piece * piece, rows_.rows())}, piece);
  look.signal = noise.signal;
  look.noise = noise.noise;
}

void RunWatch::measure_layers(Look& look, const State& state, std::int64_t step) {
  Tensor gradient;
  const auto batch = order_.rows_of(step - 1);
  (void)products_->gradient(before_, {rows_, batch}, gradient);
  for (const Surface::Part& part : parts_of(*state.layout)) {
    Moved moved;
    for (const auto& [begin, end] : part.places) moved.add(before_.parameters, state.parameters, gradient, begin, end);
    const double ratio =
        moved.before > 0 ? std::sqrt(moved.change / moved.before) : std::numeric_limits<double>::quiet_NaN();
    look.layers.push_back({part.name, ratio, std::move(moved.rates)});
  }
}

void RunWatch::measure_sharpness(Look& look) {
  if (rows_.streams()) return;
  if (!exact_) exact_.emplace(function_, workers_, ProductOptions{.far = chosen_device().far()});
  const std::int64_t count = std::min(sharpness_rows, rows_.rows());
  const Dataset fixed = rows_.select(drawn(RandomKey{seed_}.fold("sharpness"), count, rows_.rows()));
  const State at = state_in(f64, before_);
  const Surface surface = surface_of(*exact_, at, fixed);
  const std::vector<double> point = point_of(at);
  const Eigenvalue largest =
      extreme_eigenvalues(surface.hessian_at(point), {.steps = sharpness_products, .tolerance = 1e-2}).largest;
  look.largest = Look::Sharpness{largest.value, largest.error};
}

}  // namespace thalweg
