#pragma once
// Classifiers of texts in the commands: train, evaluate, report; predict asks for one.

#include "cli/train.hpp"
#include "run/text_classifier.hpp"

namespace thalweg::cli {

/// Trains a classifier on the texts of a configuration: in passes over all of them, or once as they come (--online).
int train_texts(const TrainArguments& arguments, const NamedTree& named, const Context& context);

/// The folder of a run that trained a classifier of texts; nothing where the path is none.
[[nodiscard]] std::optional<std::filesystem::path> text_run(const std::string& path);
/// What it was configured as, and the classifier, ready to predict. Throws ModelError where there is no model yet.
struct TrainedTexts {
  TextClassifierConfig config;
  TextClassifier model;
};
[[nodiscard]] TrainedTexts trained_texts(const std::filesystem::path& folder, const Registry& registry);
/// Measures it on the texts at a place, or on its own test texts.
int evaluate_texts(const std::filesystem::path& folder, const std::string& place, const Context& context);
/// Measures and judges it again, and writes its report.
int report_texts(const std::filesystem::path& folder, const Context& context);

}  // namespace thalweg::cli
