#include "engine/late_steps.hpp"

#include <algorithm>
#include <cstring>
#include <limits>

#include "engine/small_program.hpp"
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

/// The sum by the tree of TreeSum.
Var sum_in_pairs(std::vector<Var> values) {
  while (values.size() > 1) {
    std::vector<Var> sums;
    for (std::size_t i = 0; i + 1 < values.size(); i += 2) sums.push_back(values[i] + values[i + 1]);
    if (values.size() % 2 != 0) sums.push_back(values.back());
    values = std::move(sums);
  }
  return values.front();
}

}  // namespace

LateSteps::LateSteps(Device& device) : device_(device), held_(2 * sizeof(double), &device) { let_go_on(); }

LateSteps::~LateSteps() { drop(); }

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

LateSteps::Form LateSteps::form_of(const Asked& asked, const ScalarsAt& at) {
  const BatchPrograms& programs = asked.programs;
  Form form{.shards = programs.shards,
            .each = SumsThere::numbers_bytes(programs),
            .loss = programs.whole->loss_dtype(0),
            .weight = programs.whole->weight_dtype(0),
            .known = programs.whole->known_weight(0),
            .last_known = programs.last->known_weight(0),
            .divides = !asked.divisor,
            .at = at};
  if (form.known && form.last_known)
    form.known = form.last_known = 1;  // not used: batches of two sizes share a program
  return form;
}

void LateSteps::plan(const Form& form, const GradientNorm& norm) {
  SmallProgram program;
  const Var none = program.number(0), one = program.number(1);
  const Place held_at{held_base, 0};
  const Var held = program.read(held_at, f64);
  const auto each = static_cast<std::int64_t>(form.each), norm_at = each * form.shards;
  std::vector<std::pair<Var, Var>> bounds;
  const auto expect = [&](const Var& large, const Var& small) { bounds.emplace_back(large, small); };
  expect(none, held);
  std::vector<Var> weights;
  for (std::int64_t i = 0; i < form.shards; ++i) {
    const Var loss = program.read_wide({numbers_base, i * each}, form.loss);
    expect(none, abs(loss - loss));  // which is NaN where the loss is not finite
    const auto known = i + 1 == form.shards ? form.last_known : form.known;
    weights.push_back(known ? program.number(*known) : program.read_wide({numbers_base, i * each + word}, form.weight));
  }
  const Var weight = sum_in_pairs(std::move(weights));
  if (!form.known || !form.last_known) expect(weight, program.number(std::numeric_limits<double>::min()));
  const Var divisor = form.divides ? weight : program.read({held_base, word}, f64);
  Var total = none;
  for (std::size_t i = 0; i < norm.sum_dtypes().size(); ++i) {
    const Place place{numbers_base, norm_at + static_cast<std::int64_t>(i) * word};
    total = total + program.read_wide(place, norm.sum_dtypes()[i]);
  }
  expect(total, program.number(norm.least()));
  expect(program.number(std::numeric_limits<double>::max()), total);
  if (device_.error_words() != nullptr) expect(none, thalweg::max(program.read_wide({error_base, 0}, i32, {2})));
  const Var go = where_ordered(bounds, one, none);
  program.write(sqrt(total) / divisor, {scalars_base, form.at.norm});
  if (form.divides) program.write(one / divisor, {scalars_base, form.at.inverse_weight});
  program.write(go, {scalars_base, form.at.go});
  program.write(1 - go, held_at);
  program.write(go + 0, {numbers_base, norm_at + static_cast<std::int64_t>(norm.sum_dtypes().size()) * word});
  program_.emplace(program.planned(device_));
  form_ = form;
  calls_ = {};
  arena_ = Block(program_->arena_bytes(), &device_);
}

void LateSteps::judge(Asked asked, GradientNorm& norm, std::byte* gradient, std::byte* scalars, const ScalarsAt& at,
                      Workers& workers) {
  if (const Form form = form_of(asked, at); form_ != form) plan(form, norm);
  if (asked.divisor && asked.divisor != divisor_) {
    divisor_ = asked.divisor;
    device_.write(held_.data() + word, reinterpret_cast<const std::byte*>(&*divisor_), sizeof(*divisor_));
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
