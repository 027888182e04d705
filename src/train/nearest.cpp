#include "train/nearest.hpp"

#include <Eigen/Dense>

namespace thalweg {

namespace {

constexpr double most_operations = 2e10;
constexpr std::int64_t block = 64;  // rows at a time

using Matrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

Matrix matrix_of(const Tensor& rows) {
  const Tensor numbers = rows.to(f32);
  const std::int64_t count = rows.shape()[0];
  return Eigen::Map<const Matrix>(numbers.values<float>().data(), count, rows.size() / count);
}

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
  const Matrix all = matrix_of(known);
  const Eigen::RowVectorXf half = all.rowwise().squaredNorm().transpose() / 2;
  std::int64_t right = 0;
  for (std::int64_t begin = 0; begin < rows.rows(); begin += block) {
    const Matrix some = matrix_of(asked.rows(begin, std::min(rows.rows(), begin + block)));
    Matrix distance = -(some * all.transpose());  // half the squared distance, but for what all have in common
    distance.rowwise() += half;
    for (std::int64_t i = 0; i < some.rows(); ++i) {
      Eigen::Index nearest = 0;
      distance.row(i).minCoeff(&nearest);
      right += training["target"].at(nearest) == rows["target"].at(begin + i);
    }
  }
  return static_cast<double>(right) / static_cast<double>(rows.rows());
}

}  // namespace thalweg
