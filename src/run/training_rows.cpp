#include "run/training_rows.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "core/counted.hpp"
#include "core/numbers.hpp"
#include "data/split.hpp"

namespace thalweg {

void warn_of_repeated(std::string_view part, std::vector<std::uint64_t> rows, std::span<const std::uint64_t> trained,
                      std::vector<std::string>& warnings) {
  constexpr double some = 0.1;
  std::ranges::sort(rows);
  std::vector<bool> is_repeated(rows.size());
  for (const std::uint64_t row : trained) {
    const auto [begin, end] = std::ranges::equal_range(rows, row);
    std::fill(is_repeated.begin() + (begin - rows.begin()), is_repeated.begin() + (end - rows.begin()), true);
  }
  const auto repeated = std::ranges::count(is_repeated, true);
  if (rows.empty() || static_cast<double>(repeated) < some * static_cast<double>(rows.size())) return;
  warnings.push_back(
      fmt::format("{}: {} of {} are also training rows, with the same target: a model may have memorised them. "
                  "Hint: if that is a mistake, remove the duplicates",
                  part, with_commas(repeated), counted(std::ssize(rows), "rows")));
}

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
  parts.held_out = contents_of(held_out);
  parts.validation_origin = origin(held_out);
  warn_of_repeated("validation", parts.held_out, contents_of(rows_at(split.train)), parts.warnings);
  return parts;
}

std::vector<std::uint64_t> TrainingRows::contents_of(std::span<const std::int64_t> rows) const {
  std::vector<std::uint64_t> contents;
  contents.reserve(rows.size());
  for (const std::int64_t row : rows) contents.push_back(content(row));
  return contents;
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
    warn_of_repeated("test rows", contents_of(rows), contents_of(rows_at(fold.train)), parts.warnings);
  }
  return result;
}

}  // namespace thalweg
