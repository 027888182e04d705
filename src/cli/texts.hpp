#pragma once
// Classifiers of texts in the commands train, evaluate and report; predict opens one.

#include "cli/train.hpp"
#include "run/text_classifier.hpp"

namespace thalweg::cli {

/// Trains a classifier on the texts of a configuration: in epochs, or with --online on each text once, in the order of
/// the stream.
int train_texts(const TrainArguments& arguments, const NamedTree& named, const Context& context);

/// The path as a folder, if it is a run that trained a classifier of texts; otherwise empty.
[[nodiscard]] std::optional<std::filesystem::path> text_run(const std::string& path);
/// The configuration, and the trained classifier. Throws ModelError if there is no model yet.
struct TrainedTexts {
  TextClassifierConfig config;
  TextClassifier model;
};
[[nodiscard]] TrainedTexts trained_texts(const std::filesystem::path& folder, const Registry& registry);
/// Measures the classifier on the texts at `place`, or on its own test texts if that is empty.
int evaluate_texts(const std::filesystem::path& folder, const std::string& place, const Context& context);
/// Measures and judges the classifier again, and writes its report.
int report_texts(const std::filesystem::path& folder, const Context& context);

}  // namespace thalweg::cli
