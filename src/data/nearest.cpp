#include "data/nearest.hpp"

#include <Eigen/Dense>
#include <algorithm>
#include <limits>

namespace thalweg::data {

namespace {

constexpr std::int64_t block = 128;  // rows at a time

using Matrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

Matrix matrix_of(const Tensor& rows) {
  const Tensor numbers = rows.to(f64);
  const std::int64_t count = rows.shape()[0];
  return Eigen::Map<const Matrix>(numbers.values<double>().data(), count, rows.size() / count);
}

}  // namespace

std::vector<std::int64_t> nearest_rows(const Tensor& asked, const Tensor& known) {
  const std::int64_t count = asked.shape()[0], all = known.shape()[0];
  std::vector<std::int64_t> nearest(static_cast<std::size_t>(count));
  std::vector<double> least(nearest.size(), std::numeric_limits<double>::infinity());
  for (std::int64_t from = 0; from < all; from += block) {
    const Matrix some = matrix_of(known.rows(from, std::min(all, from + block)));
    const Eigen::RowVectorXd half = some.rowwise().squaredNorm().transpose() / 2;
    for (std::int64_t begin = 0; begin < count; begin += block) {
      // half the squared distance, up to a term that is the same for all known rows
      Matrix distance = -(matrix_of(asked.rows(begin, std::min(count, begin + block))) * some.transpose());
      distance.rowwise() += half;
      for (std::int64_t i = 0; i < distance.rows(); ++i) {
        const auto row = static_cast<std::size_t>(begin + i);
        for (std::int64_t k = 0; k < distance.cols(); ++k) {
          if (!(distance(i, k) < least[row])) continue;
          least[row] = distance(i, k);
          nearest[row] = from + k;
        }
      }
    }
  }
  return nearest;
}

}  // namespace thalweg::data
