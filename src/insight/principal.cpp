#include "insight/principal.hpp"

#include <Eigen/Dense>

#include "core/error.hpp"

namespace thalweg {

Components principal_components(const Tensor& rows, std::int64_t count) {
  const Shape& shape = rows.shape();
  if (shape.rank() != 2 || shape[0] < 1 || count < 1 || count > shape[1] || !is_float(rows.dtype()))
    fail<UsageError>("[principal_components] {} components of rows {} {}. Wanted: floats (rows, width), width >= {}",
                     count, rows.dtype(), shape, count);
  using Matrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  const Tensor exact = rows.to(f64);
  Matrix centred = Eigen::Map<const Matrix>(exact.values<double>().data(), shape[0], shape[1]);
  centred.rowwise() -= Eigen::RowVectorXd(centred.colwise().mean());
  const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> solver(centred.transpose() * centred);
  const double all = std::max(solver.eigenvalues().sum(), std::numeric_limits<double>::min());
  Components result{Tensor({shape[0], count}, f64), {}};
  Eigen::Map<Matrix> places(result.places.mutable_values<double>().data(), shape[0], count);
  for (std::int64_t c = 0; c < count; ++c) {  // eigenvalues ascend
    Eigen::VectorXd direction = solver.eigenvectors().col(shape[1] - 1 - c);
    Eigen::Index largest = 0;
    direction.cwiseAbs().maxCoeff(&largest);
    if (direction(largest) < 0) direction = -direction;
    places.col(c) = centred * direction;
    result.parts.push_back(std::max(0.0, solver.eigenvalues()(shape[1] - 1 - c)) / all);
  }
  return result;
}

}  // namespace thalweg
