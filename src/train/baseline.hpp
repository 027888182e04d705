#pragma once
// Baselines that a model should beat: the best constant, and a linear fit if that is cheap.

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "thalweg/train.hpp"

namespace thalweg {

struct Baseline {
  std::string name;  ///< "constant", "commonest", "linear"
  std::shared_ptr<Trainer> trainer;
  double training_loss = 0;
  ModelFunction model = {};
};

/// The output of a model that uses no input. For counts it is the logarithm of their mean (or the mean itself, if the
/// loss takes rates), and it is added to the model's output, because no learning rate would suit means of 1e-6 and of
/// 1,000 alike. For anything else it is 0.
[[nodiscard]] double usual_output(const LossFunction& loss, const Dataset& training);

/// The baselines for the training rows: the constant prediction with the lowest loss; if the loss weights classes so
/// that this constant predicts another class than the most frequent one, also the constant that predicts the most
/// frequent class, with which metrics are compared; and, with `with_linear`, a linear model fitted by full-batch
/// descent, unless that would take more than about a second. None for texts, for models without one prediction per row,
/// and for rows that are not read yet.
[[nodiscard]] std::vector<Baseline> baselines_of(const LossFunction& loss, std::int64_t outputs,
                                                 const Dataset& training, bool with_linear, int threads);

/// Writes the parameters of baselines to a file, so that they can be measured on other data later.
void save_baselines(const std::filesystem::path& path, const std::vector<Baseline>& baselines);
/// Reads such a file; `rows` are some rows of the same kind of data. Throws ModelError for any other file.
[[nodiscard]] std::vector<Baseline> load_baselines(const std::filesystem::path& path, const LossFunction& loss,
                                                   std::int64_t outputs, const Dataset& rows);

}  // namespace thalweg
