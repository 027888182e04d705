#include "train/nearest.hpp"

#include "data/nearest.hpp"

namespace thalweg {

namespace {

constexpr double most_operations = 2e10;

bool is_labelled_images(const Dataset& data) {
  if (data.streams() || !data.has("input") || !data.has("target") || data.rows() == 0) return false;
  const Tensor& target = data["target"];
  return data["input"].shape().rank() == 4 && target.dtype() == i32 && target.size() == data.rows();
}

}  // namespace

std::optional<double> nearest_neighbour_accuracy(const Dataset& training, const Dataset& rows) {
  if (!is_labelled_images(training) || !is_labelled_images(rows)) return std::nullopt;
  const Tensor &known = training["input"], &asked = rows["input"];
  if (2.0 * static_cast<double>(known.size()) * static_cast<double>(rows.rows()) > most_operations) return std::nullopt;
  const std::vector<std::int64_t> nearest = data::nearest_rows(asked, known);
  std::int64_t right = 0;
  for (std::int64_t i = 0; i < rows.rows(); ++i)
    right += training["target"].at(nearest[static_cast<std::size_t>(i)]) == rows["target"].at(i);
  return static_cast<double>(right) / static_cast<double>(rows.rows());
}

}  // namespace thalweg
