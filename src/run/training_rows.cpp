#include "run/training_rows.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "core/counted.hpp"
#include "core/numbers.hpp"
#include "data/split.hpp"

namespace thalweg {

namespace {

/// Warns of training rows among the validation rows: memorised rows do not show how a model performs on new rows.
void warn_of_repeated(const std::vector<std::uint64_t>& held_out, std::int64_t repeated,
                      std::vector<std::string>& warnings) {
  constexpr double some = 0.1;
  if (held_out.empty() || static_cast<double>(repeated) < some * static_cast<double>(held_out.size())) return;
  warnings.push_back(
      fmt::format("validation: {} of {} are also training rows, with the same target: a model may have memorised them. "
                  "Hint: if that is a mistake, remove the duplicates",
                  with_commas(repeated), counted(std::ssize(held_out), "rows")));
}

}  // namespace

std::vector<std::int64_t> TrainingRows::rows_at(std::span<const std::int64_t> places) const {
  std::vector<std::int64_t> rows;
  rows.reserve(places.size());
  for (const std::int64_t place : places) rows.push_back(rows_[static_cast<std::size_t>(place)]);
  return rows;
}

Origin TrainingRows::origin(std::span<const std::int64_t> rows) const {
  Origin origin;
  for (const std::int64_t row : rows) origin.places.push_back(row + 1);
  return origin;
}

/// The rows at `places`, without the fraction for validation.
Parts TrainingRows::split(std::span<const std::int64_t> places, std::uint64_t seed) const {
  if (held_out_ == 0) return encode(rows_at(places), {});
  std::vector<std::int32_t> labels;
  for (const std::int64_t place : labels_.empty() ? std::span<const std::int64_t>{} : places) {
    labels.push_back(labels_[static_cast<std::size_t>(place)]);
  }
  data::Split split = data::split_fraction(static_cast<std::int64_t>(places.size()), held_out_, seed, labels);
  for (auto* part : {&split.train, &split.held_out}) {
    for (std::int64_t& place : *part) place = places[static_cast<std::size_t>(place)];
  }
  const std::vector<std::int64_t> held_out = rows_at(split.held_out);
  Parts parts = encode(rows_at(split.train), held_out);
  for (const std::int64_t row : held_out) parts.held_out.push_back(content(row));
  parts.validation_origin = origin(held_out);
  warn_of_repeated(parts.held_out, repeated(parts.held_out, split.train), parts.warnings);
  return parts;
}

std::int64_t TrainingRows::repeated(std::vector<std::uint64_t> held_out, std::span<const std::int64_t> trained) const {
  std::ranges::sort(held_out);
  std::vector<bool> is_repeated(held_out.size());
  for (const std::int64_t row : rows_at(trained)) {
    const auto [begin, end] = std::ranges::equal_range(held_out, content(row));
    std::fill(is_repeated.begin() + (begin - held_out.begin()), is_repeated.begin() + (end - held_out.begin()), true);
  }
  return std::ranges::count(is_repeated, true);
}

Parts TrainingRows::parts(std::uint64_t seed) const {
  std::vector<std::int64_t> places(rows_.size());
  std::iota(places.begin(), places.end(), 0);
  return split(places, seed);
}

std::vector<Parts> TrainingRows::folds(std::int64_t k, std::uint64_t seed) const {
  std::vector<Parts> result;
  for (const data::Split& fold : data::split_folds(static_cast<std::int64_t>(rows_.size()), k, seed, labels_)) {
    Parts& parts = result.emplace_back(split(fold.train, seed));
    const std::vector<std::int64_t> rows = rows_at(fold.held_out);
    parts.test = encode_test(parts, rows);
    parts.test_origin = origin(rows);
  }
  return result;
}

}  // namespace thalweg
