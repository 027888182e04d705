#include "run/image_rows.hpp"

#include <algorithm>
#include <functional>
#include <numeric>
#include <set>

#include "data/pictures.hpp"
#include "options/rows.hpp"

namespace thalweg {

Fields ImageOptions::fields() {
  return {{"augment", &augment, "in training, { flip = true, crop = 4, cutout = 8 }: see `thalweg list sections`"},
          {"noise", &noise,
           "above 0, noise of this deviation (the range of the image is 1) is added to the input, and the model learns "
           "to remove it; the image is the target",
           not_negative}};
}

void ImageOptions::complete() {
  augment = values_of(in_option("augment", [&] { return options_from<AugmentOptions>(augment, "data.augment"); }));
}

bool suits_images(const data::Preprocessing& preprocessing) { return preprocessing.tensor() != nullptr; }

Images::Images(Dataset read, const ImageOptions& options)
    : data(options.noise > 0 ? data::noisy(read, options.noise) : std::move(read)),
      content([columns = data.columns()](std::int64_t row) {
        std::uint64_t sum = 0;
        for (const auto& [name, column] : columns) {
          const std::size_t bytes = column.bytes() / static_cast<std::size_t>(column.shape()[0]);
          sum = content_of(std::span(column.raw() + static_cast<std::size_t>(row) * bytes, bytes), sum);
        }
        return sum;
      }) {}

Images::Images(Dataset read, const ImageOptions& options, std::vector<std::uint64_t> names)
    : Images(std::move(read), options) {
  if (!data.streams()) return;
  content = [names = std::move(names)](std::int64_t row) { return names[static_cast<std::size_t>(row)]; };
}

Dataset Images::rows(RowSet* only) const {
  if (!only) return data;
  std::vector<std::int64_t> wanted;
  for (std::int64_t row = 0; row < data.rows(); ++row) {
    if (only->take(content(row))) wanted.push_back(row);
  }
  return data.select(wanted);
}

namespace {

class ImageRows final : public TrainingRows {
 public:
  ImageRows(Images images, std::vector<std::string> classes, const ImageOptions& options, double held_out)
      : TrainingRows(held_out),
        images_(std::move(images.data)),
        content_(std::move(images.content)),
        classes_(std::move(classes)),
        augmentation_(options_from<AugmentOptions>(options.augment, "data.augment")) {
    warnings_ = std::move(images.warnings);
    rows_.resize(static_cast<std::size_t>(images_.rows()));
    std::iota(rows_.begin(), rows_.end(), 0);
    const Shape image(images_.columns()[0].second.shape().sizes().subspan(1));
    facts_ = {.task = data::Task::regression, .rows = images_.rows(), .outputs = image.size(), .table = false};
    if (options.noise > 0) {
      notes_.push_back(fmt::format("{} images of {} with noise to remove", images_.rows(), image));
      return;
    }
    const auto labels = images_["target"].values<std::int32_t>();
    labels_.assign(labels.begin(), labels.end());
    const auto highest = labels_.empty() ? 0 : *std::ranges::max_element(labels_);
    if (std::ranges::adjacent_find(labels_, std::not_equal_to{}) == labels_.end()) {
      fail<DataError>(
          "[data] all {} images are of one class, {}. Wanted: two classes or more", images_.rows(),
          classes_.empty() || labels_.empty() ? std::to_string(highest) : classes_[static_cast<std::size_t>(highest)]);
    }
    facts_.task = data::Task::multiclass;
    facts_.outputs = std::max<std::int64_t>(highest + 1, static_cast<std::int64_t>(classes_.size()));
    notes_.push_back(fmt::format("{} images of {}, {} classes{}", images_.rows(), image, facts_.outputs,
                                 images_.streams() ? ", read while they are used" : ""));
    const auto seen = static_cast<std::int64_t>(std::set(labels_.begin(), labels_.end()).size());
    if (seen < facts_.outputs)
      warnings_.push_back(fmt::format(
          "{} of {} classes have no image: the highest label is {}. Hint: labels that do not count are named in "
          "loss.ignored_labels.",
          facts_.outputs - seen, facts_.outputs, highest));
  }

 private:
  [[nodiscard]] Parts encode(std::span<const std::int64_t> train,
                             std::span<const std::int64_t> validation) const override {
    Parts parts{.preprocessing = data::TensorPreprocessing::fit(images_, train, classes_),
                .train = images_.select(train),
                .augmentation = augmentation_};
    if (!validation.empty()) parts.validation = images_.select(validation);
    return parts;
  }
  [[nodiscard]] std::uint64_t content(std::int64_t row) const override { return content_(row); }
  [[nodiscard]] Dataset encode_test(Parts&, std::span<const std::int64_t> rows) const override {
    return images_.select(rows);
  }

  Dataset images_;
  std::function<std::uint64_t(std::int64_t row)> content_;
  std::vector<std::string> classes_;
  AugmentOptions augmentation_;
};

}  // namespace

std::unique_ptr<TrainingData> image_rows(Images images, std::vector<std::string> classes, const ImageOptions& options,
                                         double held_out) {
  return std::make_unique<ImageRows>(std::move(images), std::move(classes), options, held_out);
}

}  // namespace thalweg
