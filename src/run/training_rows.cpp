#include "run/training_rows.hpp"

#include <numeric>

#include "data/split.hpp"

namespace thalweg {

std::vector<std::int64_t> TrainingRows::rows_at(std::span<const std::int64_t> places) const {
  std::vector<std::int64_t> rows;
  rows.reserve(places.size());
  for (const std::int64_t place : places) rows.push_back(rows_[static_cast<std::size_t>(place)]);
  return rows;
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
  for (const std::int64_t row : held_out) {
    parts.held_out.push_back(content(row));
    parts.validation_places.push_back(place(row));
  }
  return parts;
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
    for (const std::int64_t row : rows) parts.test_places.push_back(place(row));
  }
  return result;
}

}  // namespace thalweg
