#include "system/images.hpp"

#include <Eigen/Dense>
#include <algorithm>

#include "core/error.hpp"
#include "thalweg/ops.hpp"

namespace thalweg::images {

namespace {

constexpr std::int64_t portion = 256;

}  // namespace

void expect(const SystemData& data, std::string_view system, std::int64_t divisor) {
  const Shape& shape = data.input;
  const bool image = shape.rank() == 3 && (shape[2] == 1 || shape[2] == 3);
  if (!image) fail<UsageError>("[{}] rows of {}. Wanted: images (height, width, 1 or 3)", system, shape);
  if (shape[0] % divisor == 0 && shape[1] % divisor == 0) return;
  fail<UsageError>("[{}] images of {} x {}. Wanted: height and width that {} divides", system, shape[0], shape[1],
                   divisor);
}

Var unit_pixels(const Var& pixels) { return pixels.dtype() == u8 ? cast(pixels, f32) / 255 : pixels; }

Tensor unit_pixels(const Tensor& pixels) {
  if (pixels.dtype() != u8) return pixels.to(f32);
  Tensor result(pixels.shape());
  const auto from = pixels.values<std::uint8_t>();
  std::ranges::transform(from, result.mutable_values<float>().begin(),
                         [](std::uint8_t v) { return static_cast<float>(v) / 255; });
  return result;
}

Tensor from_signed(const Tensor& pixels) {
  Tensor result(pixels.shape());
  std::ranges::transform(pixels.values<float>(), result.mutable_values<float>().begin(),
                         [](float v) { return std::clamp((v + 1) / 2, 0.f, 1.f); });
  return result;
}

Tensor in_portions(const Apply& function, const State& state, const Tensor& rows) {
  const std::int64_t count = rows.shape()[0];
  Tensor all;
  std::size_t done = 0;
  for (std::int64_t begin = 0; begin < count; begin += portion) {
    const Tensor some = function(state, {{"x", rows.rows(begin, std::min(count, begin + portion))}});
    if (begin == 0) {
      Shape shape = some.shape();
      shape.set(0, count);
      all = Tensor(shape, some.dtype());
    }
    std::memcpy(all.mutable_raw() + done, some.raw(), some.bytes());
    done += some.bytes();
  }
  return all;
}

Tensor first_of(const Tensor& rows, std::int64_t count) { return rows.rows(0, std::min(count, rows.shape()[0])); }

Tensor stacked(const std::vector<Tensor>& pictures) {
  Shape shape = pictures.front().shape();
  shape.set(0, shape[0] * static_cast<std::int64_t>(pictures.size()));
  Tensor all(shape, pictures.front().dtype());
  std::size_t done = 0;
  for (const Tensor& some : pictures) {
    std::memcpy(all.mutable_raw() + done, some.raw(), some.bytes());
    done += some.bytes();
  }
  return all;
}

Generated generated(const Tensor& pictures) {
  Generated made{.items = {}, .all = Medium::pictures(pictures)};
  for (std::int64_t i = 0; i < pictures.shape()[0]; ++i)
    made.items.push_back(Medium::pictures(pictures.rows(i, i + 1)));
  return made;
}

double mean_square(const Tensor& a, const Tensor& b) {
  double sum = 0;
  for (std::int64_t i = 0; i < a.size(); ++i) sum += (a.at(i) - b.at(i)) * (a.at(i) - b.at(i));
  return sum / static_cast<double>(a.size());
}

namespace {

using Matrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

Matrix matrix_of(const Tensor& rows) {
  const std::int64_t count = rows.shape()[0];
  return Eigen::Map<const Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>>(
             rows.values<float>().data(), count, rows.size() / count)
      .cast<double>();
}

}  // namespace

Tensor principal_reconstruction(const Tensor& train, const Tensor& test, std::int64_t width) {
  const std::int64_t count = train.shape()[0], features = train.size() / count;
  Eigen::RowVectorXd mean = Eigen::RowVectorXd::Zero(features);
  Matrix scatter = Matrix::Zero(features, features);
  constexpr std::int64_t block = 4096;  // rows in f64 at a time
  for (std::int64_t begin = 0; begin < count; begin += block) {
    const Matrix rows = matrix_of(train.rows(begin, std::min(count, begin + block)));
    mean += rows.colwise().sum();
    scatter.noalias() += rows.transpose() * rows;
  }
  mean /= static_cast<double>(count);
  scatter -= static_cast<double>(count) * mean.transpose() * mean;
  const Eigen::SelfAdjointEigenSolver<Matrix> solver(scatter);
  const Matrix components = solver.eigenvectors().rightCols(std::min(width, features));
  Matrix rows = matrix_of(test);
  rows.rowwise() -= mean;
  Matrix back = (rows * components) * components.transpose();
  back.rowwise() += mean;
  Tensor result(test.shape());
  Eigen::Map<Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>>(
      result.mutable_values<float>().data(), rows.rows(), rows.cols()) = back.cast<float>();
  return result;
}

}  // namespace thalweg::images
