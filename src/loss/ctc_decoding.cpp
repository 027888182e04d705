// Labels from the logits of frames: the most likely path, and a beam search over prefixes.

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <span>

#include "core/error.hpp"
#include "thalweg/ctc.hpp"

namespace thalweg::ctc {

namespace {

constexpr double never = -std::numeric_limits<double>::infinity();

double add(double a, double b) {
  const double most = std::max(a, b);
  return most == never ? never : most + std::log(std::exp(a - most) + std::exp(b - most));
}

void check(const Tensor& logits, std::int64_t blank) {
  const Shape& shape = logits.shape();
  if (shape.rank() != 2 || !is_float(logits.dtype()) || blank < 0 || blank >= shape[1])
    fail<UsageError>(
        "[ctc] logits {} {} with the blank {}. Wanted: f32 or f64 (time, classes), and a blank that is one of the "
        "classes",
        logits.dtype(), shape, blank);
}

/// The log-probabilities of the classes at a frame.
std::vector<double> frame_of(const Tensor& logits, std::int64_t t) {
  const std::int64_t classes = logits.shape()[1];
  std::vector<double> row(static_cast<std::size_t>(classes));
  for (std::size_t c = 0; c < row.size(); ++c) row[c] = logits.at(t * classes + static_cast<std::int64_t>(c));
  const double most = *std::ranges::max_element(row);
  double total = 0;
  for (const double x : row) total += std::exp(x - most);
  for (double& x : row) x -= most + std::log(total);
  return row;
}

/// A prefix of the labels: one label after another prefix. Number 0 is the empty prefix.
struct Beginning {
  std::int64_t before = -1;
  std::int32_t label = -1;
};

/// The log-probability of a prefix, split into the paths that end in a blank and those that end in its last label.
struct Weight {
  double blank = never, label = never;
  [[nodiscard]] double both() const { return add(blank, label); }
};

class Search {
 public:
  Search(std::int64_t width, std::int64_t blank) : width_(static_cast<std::size_t>(width)), blank_(blank) {
    kept_ = {{0, {.blank = 0}}};
  }

  void take(std::span<const double> frame) {
    std::map<std::int64_t, Weight> next;
    for (const auto& [number, weight] : kept_) extend(number, weight, frame, next);
    std::erase_if(next, [](const auto& each) { return each.second.both() == never; });
    kept_.assign(next.begin(), next.end());
    std::ranges::stable_sort(kept_, std::greater{}, [](const auto& each) { return each.second.both(); });
    if (kept_.size() > width_) kept_.resize(width_);
  }

  [[nodiscard]] std::vector<Reading> readings() const {
    std::vector<Reading> all;
    for (const auto& [number, weight] : kept_) {
      Reading& reading = all.emplace_back(Reading{{}, weight.both()});
      for (std::int64_t i = number; i != 0; i = beginning(i).before) reading.labels.push_back(beginning(i).label);
      std::ranges::reverse(reading.labels);
    }
    return all;
  }

 private:
  [[nodiscard]] const Beginning& beginning(std::int64_t number) const {
    return beginnings_[static_cast<std::size_t>(number)];
  }
  [[nodiscard]] std::int64_t longer(std::int64_t number, std::int32_t label) {
    const auto [found, is_new] = numbers_.try_emplace({number, label}, static_cast<std::int64_t>(beginnings_.size()));
    if (is_new) beginnings_.push_back({number, label});
    return found->second;
  }

  void extend(std::int64_t number, const Weight& weight, std::span<const double> frame,
              std::map<std::int64_t, Weight>& next) {
    for (std::size_t c = 0; c < frame.size(); ++c) {
      if (frame[c] == never) continue;
      const auto label = static_cast<std::int32_t>(c);
      if (label == blank_) {
        Weight& same = next[number];
        same.blank = add(same.blank, weight.both() + frame[c]);
        continue;
      }
      const bool again = beginning(number).label == label;  // a repeated label; it is a second label only after a blank
      if (again) {
        Weight& same = next[number];
        same.label = add(same.label, weight.label + frame[c]);
      }
      Weight& more = next[longer(number, label)];
      more.label = add(more.label, (again ? weight.blank : weight.both()) + frame[c]);
    }
  }

  std::size_t width_;
  std::int64_t blank_;
  std::vector<Beginning> beginnings_ = {{}};
  std::map<std::pair<std::int64_t, std::int32_t>, std::int64_t> numbers_;
  std::vector<std::pair<std::int64_t, Weight>> kept_;  // best first
};

}  // namespace

Reading greedy(const Tensor& logits, std::int64_t blank) {
  check(logits, blank);
  Reading reading;
  std::int64_t before = blank;
  for (std::int64_t t = 0; t < logits.shape()[0]; ++t) {
    const std::vector<double> frame = frame_of(logits, t);
    const auto best = std::ranges::max_element(frame);
    const std::int64_t label = best - frame.begin();
    reading.log_probability += *best;
    if (label != blank && label != before) reading.labels.push_back(static_cast<std::int32_t>(label));
    before = label;
  }
  return reading;
}

std::vector<Reading> beam(const Tensor& logits, std::int64_t width, std::int64_t blank) {
  check(logits, blank);
  if (width < 1) fail<UsageError>("[ctc] a beam of {}. Wanted: 1 or more", width);
  Search search(width, blank);
  for (std::int64_t t = 0; t < logits.shape()[0]; ++t) search.take(frame_of(logits, t));
  return search.readings();
}

}  // namespace thalweg::ctc
