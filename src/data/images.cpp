// Images and labels in IDX files as a Dataset, for example Fashion-MNIST.

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "core/error.hpp"
#include "thalweg/data.hpp"

namespace thalweg::data {

namespace {

/// (rows, height, width) has one channel; (rows, height, width, channels) has its number of channels.
Tensor with_channels(const Tensor& images, const std::string& name) {
  Shape shape = images.shape();
  if (shape.rank() == 3) shape.push_back(1);
  if (shape.rank() != 4) {
    fail<DataError>("[images] {}: shape {}. Wanted: (rows, height, width) or (rows, height, width, channels)", name,
                    images.shape());
  }
  if (images.size() == 0) fail<DataError>("[images] {}: shape {} holds no image", name, shape);
  return images.reshape(shape);
}

/// Bytes are always finite; elements of other types are checked.
void check_finite(const Tensor& images, const std::string& name) {
  if (!is_float(images.dtype())) return;
  const std::int64_t size = images.size() / images.shape()[0];
  for (std::int64_t i = 0; i < images.size(); ++i) {
    if (!std::isfinite(images.at(i)))
      fail<DataError>("[images] {}: image {} holds {}. Wanted: finite numbers", name, i / size, images.at(i));
  }
}

Tensor checked_labels(const Tensor& stored, std::int64_t classes, const std::string& name) {
  if (stored.shape().rank() != 1 || is_float(stored.dtype())) {
    fail<DataError>("[images] {}: {} of shape {}. Wanted: u8 or i32, one label an image", name, stored.dtype(),
                    stored.shape());
  }
  Tensor labels = stored.to(i32);
  const auto values = labels.values<std::int32_t>();
  const auto wrong =
      std::ranges::find_if(values, [&](std::int32_t label) { return label < 0 || (classes > 0 && label >= classes); });
  if (wrong != values.end()) {
    fail<DataError>("[images] {}: label {} of image {}. Wanted: {}", name, *wrong, wrong - values.begin(),
                    classes > 0 ? fmt::format("0 to {}", classes - 1) : "0 or more");
  }
  return labels;
}

}  // namespace

Dataset images(const Path& images_path, const Path& labels_path, std::int64_t classes) {
  const Tensor input = with_channels(idx(images_path), images_path.string());
  check_finite(input, images_path.string());
  const Tensor target = checked_labels(idx(labels_path), classes, labels_path.string());
  if (input.shape()[0] != target.shape()[0]) {
    fail<DataError>("[images] {} images in {}, and {} labels in {}", input.shape()[0], images_path.string(),
                    target.shape()[0], labels_path.string());
  }
  Dataset result;
  result.set("input", input);
  result.set("target", target);
  return result;
}

std::pair<Dataset, Dataset> fashion_mnist(const Path& place) {
  const std::filesystem::path folder = place.string();
  if (!std::filesystem::is_directory(folder)) {
    fail<UsageError>("[data] no folder '{}' with Fashion-MNIST. Hint: apt-get install dataset-fashion-mnist",
                     folder.string());
  }
  const auto part = [&](const std::string& name) {
    return images(folder / (name + "-images-idx3-ubyte.gz"), folder / (name + "-labels-idx1-ubyte.gz"), 10);
  };
  return {part("train"), part("t10k")};
}

std::vector<std::string> fashion_mnist_classes() {
  return {"T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"};
}

}  // namespace thalweg::data
