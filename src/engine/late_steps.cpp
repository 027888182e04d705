#include "engine/late_steps.hpp"

#include <algorithm>
#include <cstring>
#include <limits>

#include "graph/graph.hpp"
#include "thalweg/error.hpp"
#include "thalweg/ops.hpp"

namespace thalweg {

namespace {

enum JudgeBase { numbers_base = first_user_base, scalars_base, held_base, error_base };
constexpr std::int64_t word = sizeof(double);

/// `next` where all bounds hold; in each pair the first must be at least as large as the second.
Var where_ordered(const std::vector<std::pair<Var, Var>>& bounds, Var next, const Var& otherwise) {
  for (const auto& [large, small] : bounds) next = where(large >= small, next, otherwise);
  return next;
}

}  // namespace

LateSteps::LateSteps(Device& device) : device_(device), held_(2 * sizeof(double), &device) { let_go_on(); }

void LateSteps::let_go_on() {
  const double none = 0;
  device_.write(held_.data(), reinterpret_cast<const std::byte*>(&none), sizeof(none));
}

std::byte* LateSteps::numbers_of(const BatchPrograms& programs, const GradientNorm& norm) {
  norm_at_in_numbers_ = SumsThere::numbers_bytes(programs) * static_cast<std::size_t>(programs.shards);
  bytes_ = norm_at_in_numbers_ + (norm.sum_dtypes().size() + 1) * sizeof(double);
  if (numbers_.size() < bytes_) numbers_ = Block(bytes_, &device_);
  return numbers_.data();
}

void LateSteps::plan(const BatchPrograms& programs, const GradientNorm& norm) {
  Graph graph;
  std::vector<Bound> inputs, outputs;
  const auto read = [&](const std::string& name, DType dtype, Place place) {
    const Var var = graph.input(name, {}, dtype);
    inputs.push_back({var, place});
    return var;
  };
  const Var none = graph.number(0, f64), one = graph.number(1, f64);
  const Place held_at{held_base, 0};
  const Var held = read("held", f64, held_at), divisor = read("divisor", f64, {held_base, word});
  const auto each = static_cast<std::int64_t>(SumsThere::numbers_bytes(programs));
  const auto norm_at = each * programs.shards;
  std::vector<std::pair<Var, Var>> bounds = {{none, held}};
  for (std::int64_t i = 0; i < programs.shards; ++i) {
    const DType dtype = programs.of(i).loss_dtype(0);
    const Var loss = cast(read("loss" + std::to_string(i), dtype, {numbers_base, i * each}), f64);
    bounds.emplace_back(none, abs(loss - loss));  // which is NaN where the loss is not finite
  }
  Var total = none;
  for (std::size_t i = 0; i < norm.sum_dtypes().size(); ++i) {
    const Place place{numbers_base, norm_at + static_cast<std::int64_t>(i) * word};
    total = total + cast(read("squares" + std::to_string(i), norm.sum_dtypes()[i], place), f64);
  }
  bounds.emplace_back(total, graph.number(norm.least(), f64));
  bounds.emplace_back(graph.number(std::numeric_limits<double>::max(), f64), total);
  if (device_.error_words() != nullptr) {
    const Var words = graph.input("errors", {2}, i32);
    inputs.push_back({words, {error_base, 0}});
    bounds.emplace_back(none, thalweg::max(cast(words, f64)));
  }
  const Var go = where_ordered(bounds, one, none);
  outputs.push_back({sqrt(total) / divisor, {scalars_base, static_cast<std::int64_t>(norm_at_)}});
  outputs.push_back({go, {scalars_base, static_cast<std::int64_t>(go_at_)}});
  outputs.push_back({1 - go, held_at});
  outputs.push_back({go + 0, {numbers_base, norm_at + static_cast<std::int64_t>(norm.sum_dtypes().size()) * word}});
  program_.emplace(graph, inputs, outputs, Passes{}, device_);
  calls_ = {};
  arena_ = Block(program_->arena_bytes(), &device_);
}

void LateSteps::judge(Asked asked, GradientNorm& norm, std::byte* gradient, std::byte* scalars, std::size_t norm_at,
                      std::size_t go_at, Workers& workers) {
  const BatchPrograms& programs = asked.programs;
  const std::size_t each = SumsThere::numbers_bytes(programs);
  const DType loss = programs.whole->loss_dtype(0);
  const bool same = program_ && shards_ == programs.shards && each_ == each && loss_ == loss &&
                    programs.last->loss_dtype(0) == loss && norm_at_ == norm_at && go_at_ == go_at;
  shards_ = programs.shards, each_ = each, loss_ = loss, norm_at_ = norm_at, go_at_ = go_at;
  if (!same) plan(programs, norm);
  if (asked.divisor != divisor_) {
    divisor_ = asked.divisor;
    device_.write(held_.data() + word, reinterpret_cast<const std::byte*>(&divisor_), sizeof(divisor_));
  }
  norm.sum(gradient, numbers_.data() + norm_at_in_numbers_, workers);
  auto* const errors = const_cast<std::byte*>(device_.error_words());
  std::byte* const bases[] = {numbers_.data(), scalars, held_.data(), errors};
  program_->run(std::span(bases).first(errors ? 4 : 3), arena_.data(), workers, calls_);
  asked.numbers.resize(bytes_);
  asked_.push_back(std::move(asked));
  asked_.back().mark = device_.read(asked_.back().numbers.data(), numbers_.data(), bytes_);
}

const LateSteps::Asked& LateSteps::oldest() {
  device_.wait(asked_.front().mark);
  return asked_.front();
}

bool LateSteps::went_on(const Asked& asked) {
  double go = 0;
  std::memcpy(&go, asked.numbers.data() + asked.numbers.size() - sizeof(go), sizeof(go));
  return go != 0;
}

std::deque<LateSteps::Asked> LateSteps::take_back() {
  std::deque<Asked> all;
  if (asked_.empty()) return all;
  device_.wait(asked_.back().mark);
  std::swap(all, asked_);
  let_go_on();
  return all;
}

void LateSteps::drop() {
  if (asked_.empty()) return;
  for (int tries = 0; tries < 2; ++tries) {  // the error of a kernel is thrown only once
    try {
      device_.wait(asked_.back().mark);
      break;
    } catch (...) {
      continue;
    }
  }
  asked_.clear();
  try {
    let_go_on();
  } catch (const DeviceError&) {  // the device is lost, and nothing runs there any more
  }
}

}  // namespace thalweg
