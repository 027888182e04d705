#pragma once
// A small classifier of images. Its features and its classes measure generated images.

#include "thalweg/apply.hpp"
#include "thalweg/system.hpp"

namespace thalweg::images {

/// A convolutional network. It is always trained on the same rows with the same seed, so that distances between its
/// features can be compared between systems with the same training rows.
class Onlooker {
 public:
  /// Trains on "input", images, and "target", their labels.
  Onlooker(const Dataset& train, std::int64_t classes, int threads);

  /// (rows, width): the units of its last hidden layer.
  [[nodiscard]] Tensor features(const Tensor& pixels) const;
  /// The most probable class of each picture, i32 (rows).
  [[nodiscard]] Tensor classes(const Tensor& pixels) const;
  /// The fraction of the rows that it classifies correctly.
  [[nodiscard]] double accuracy(const Dataset& data) const;

 private:
  State state_;
  Apply features_, classes_;
};

/// Figures of 5,000 samples (at most as many as test rows) by an onlooker with the same training rows:
/// - "frechet distance" of its features between the samples and the test rows; for comparison that between training
/// rows
///   and the same test rows,
/// - "classes": the number of classes that are predicted for at least 5 of the first 1,000 samples; for comparison that
///   of 1,000 test rows,
/// - "right class", if samples are made by class: the fraction that is classified as that class; for comparison that of
///   the test rows,
/// - "accuracy of the classifier" on the test rows, the quality of the classifier itself; for comparison that of always
///   predicting the most frequent class, which it has to exceed.
/// Rows are spread evenly over the data.
/// Throws UsageError if the classes of the data have no names.
[[nodiscard]] SystemFigures figures_of_samples(const SystemData& data, const SystemSets& sets,
                                               const std::function<Tensor(const GenerateRequest&)>& generate,
                                               bool by_class);
/// Appends `more` to the figures.
void append(SystemFigures& figures, SystemFigures more);

}  // namespace thalweg::images
