#pragma once
// A classifier of our own that looks at pictures: what was generated is measured by its features and its classes.

#include "thalweg/apply.hpp"
#include "thalweg/system.hpp"

namespace thalweg::images {

/// A convolutional network, trained on the same rows with the same seed whenever it is made: distances by its features
/// can be compared between systems that were trained on those rows.
class Onlooker {
 public:
  /// Trains on "input", images, and "target", their labels.
  Onlooker(const Dataset& train, std::int64_t classes, int threads);

  /// (rows, width): the units of its last hidden layer.
  [[nodiscard]] Tensor features(const Tensor& pixels) const;
  /// The most probable class of each picture, i32 (rows).
  [[nodiscard]] Tensor classes(const Tensor& pixels) const;
  /// The part of the rows whose class it tells.
  [[nodiscard]] double accuracy(const Dataset& data) const;

 private:
  State state_;
  Apply features_, classes_;
};

/// What an onlooker that was trained on the same rows says of 5,000 samples, or as many as there are test rows:
/// - "frechet distance" of its features between the samples and the test rows; beside it that between training rows and
///   the same test rows,
/// - "classes", those that at least 5 of the first 1,000 samples are taken for; beside it those of 1,000 test rows,
/// - "right class", where samples are made by class: the part of them that are taken for theirs; beside it that of the
///   test rows,
/// - "accuracy of the classifier" on the test rows: how well it sees; beside it that of always saying their commonest
///   class, above which it has to be.
/// Rows are spread evenly over the data.
/// Throws UsageError where the classes of the data have no names.
[[nodiscard]] SystemFigures figures_of_samples(const SystemData& data, const SystemSets& sets,
                                               const std::function<Tensor(const GenerateRequest&)>& generate,
                                               bool by_class);
/// The second's figures behind the first's.
void append(SystemFigures& figures, SystemFigures more);

}  // namespace thalweg::images
