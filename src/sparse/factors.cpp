#include "sparse/factors.hpp"

#include <algorithm>
#include <cmath>

#include "core/error.hpp"
#include "core/random.hpp"

namespace thalweg {

Fields FactorOptions::fields() {
  return {
      {"width", &width, "number of factors of each user, item and category; 0: only biases", {.low = 0, .high = 4096}},
      {"bias_ridge", &bias_ridge, "pulls biases to 0, as strongly as this many additional ratings equal to the mean",
       not_negative},
      {"factor_ridge", &factor_ridge, "strength of the penalty that pulls factors to 0", not_negative},
      {"deviation", &deviation, "standard deviation of the normal numbers with which factors start", not_negative}};
}

Factors::Factors(const FactorOptions& options, std::vector<std::int64_t> counts, double mean, Optimizer optimizer,
                 std::uint64_t seed)
    : options_(options),
      counts_(std::move(counts)),
      table_(std::move(optimizer), std::ssize(counts_), options.width + 1, 1),
      place_(counts_.size(), -1),
      sums_(static_cast<std::size_t>(options.width)) {
  auto state = table_.state();
  Tensor& values = state.front().second;
  const std::int64_t row = options.width + 1, size = std::ssize(counts_) * row;
  const RandomKey key = RandomKey{seed}.fold("factors");
  for (std::int64_t i = 0; i < size; ++i) {
    if (i % row != 0) values.set(i, options.deviation * random_gauss(key, static_cast<std::uint64_t>(i)));
  }
  values.set(size, mean);
  table_.restore(state);
}

namespace {

/// The sum of biases plus (|sum v|^2 - sum |v|^2) / 2, over the rows of a table at `places`.
template <class At>
double scored(std::size_t entries, std::size_t width, std::vector<double>& sums, const At& row_at) {
  double score = 0, squares = 0;
  std::ranges::fill(sums, 0.0);
  for (std::size_t i = 0; i < entries; ++i) {
    const float* const row = row_at(i);
    if (!row) continue;
    score += static_cast<double>(row[0]);
    for (std::size_t k = 0; k < width; ++k) {
      const auto v = static_cast<double>(row[k + 1]);
      sums[k] += v;
      squares += v * v;
    }
  }
  double of_sums = 0;
  for (const double sum : sums) of_sums += sum * sum;
  return score + (of_sums - squares) / 2;
}

}  // namespace

double Factors::predict(Row row) const {
  const auto width = static_cast<std::size_t>(options_.width);
  const auto values = table_.values().values<float>();
  std::vector<double> sums(width);
  const double score = scored(row.size(), width, sums, [&](std::size_t i) {
    return row[i] < 0 ? nullptr : values.data() + static_cast<std::size_t>(row[i]) * (width + 1);
  });
  return static_cast<double>(values[values.size() - width - 1]) + score;
}

/// Collects the categories of the rows, in the order in which they occur, and counts how often each is used.
void Factors::gather(std::span<const std::int32_t> rows) {
  categories_.clear();
  places_.clear();
  uses_.clear();
  for (const std::int32_t category : rows) {
    if (category < 0) {
      places_.push_back(-1);
      continue;
    }
    std::int32_t& place = place_[static_cast<std::size_t>(category)];
    if (place < 0) {
      place = static_cast<std::int32_t>(categories_.size());
      categories_.push_back(category);
      uses_.push_back(0);
    }
    ++uses_[static_cast<std::size_t>(place)];
    places_.push_back(place);
  }
  for (const std::int32_t category : categories_) place_[static_cast<std::size_t>(category)] = -1;
  touched_ = table_.touch(categories_);
}

Factors::Learned Factors::learn(std::span<const std::int32_t> rows, std::span<const float> values, double lr,
                                std::optional<double> momentum) {
  gather(rows);
  const auto width = static_cast<std::size_t>(options_.width), row_size = width + 1;
  const std::size_t kinds = rows.size() / values.size(), tail = static_cast<std::size_t>(touched_.tail) * row_size;
  Learned learned;
  for (std::size_t r = 0; r < values.size(); ++r) {
    const std::int32_t* const places = places_.data() + r * kinds;
    const auto row_at = [&](std::size_t i) -> const float* {
      return places[i] < 0 ? nullptr : touched_.values.data() + static_cast<std::size_t>(places[i]) * row_size;
    };
    const double score = scored(kinds, width, sums_, row_at);
    const double error = static_cast<double>(touched_.values[tail]) + score - static_cast<double>(values[r]);
    learned.loss += error * error / 2;
    touched_.gradient[tail] += static_cast<float>(error);
    for (std::size_t i = 0; i < kinds; ++i) {
      const float* const own = row_at(i);
      if (!own) continue;
      float* const into = touched_.gradient.data() + static_cast<std::size_t>(places[i]) * row_size;
      into[0] += static_cast<float>(error);
      for (std::size_t k = 0; k < width; ++k)
        into[k + 1] += static_cast<float>(error * (sums_[k] - static_cast<double>(own[k + 1])));
    }
  }
  for (std::size_t i = 0; i < categories_.size(); ++i) {
    const double part = uses_[i] / static_cast<double>(counts_[static_cast<std::size_t>(categories_[i])]);
    float* const into = touched_.gradient.data() + i * row_size;
    const float* const own = touched_.values.data() + i * row_size;
    for (std::size_t k = 0; k < row_size; ++k)
      into[k] += static_cast<float>(part * (k == 0 ? options_.bias_ridge : options_.factor_ridge)) * own[k];
  }
  const auto count = static_cast<double>(values.size());
  learned.loss /= count;
  learned.gradient_norm = table_.step(count, lr, momentum);
  return learned;
}

}  // namespace thalweg
