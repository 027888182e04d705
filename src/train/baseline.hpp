#pragma once
// Baselines that a model should beat: the best constant, and a linear fit where that is cheap.

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

/// What a model of such rows gives where it knows nothing of them. For counts the logarithm of their mean (the mean,
/// where the loss takes rates): it is added to the model's output, for no rate of a network's steps suits means of 1e-6
/// and of 1,000 alike. For anything else 0.
[[nodiscard]] double usual_output(const LossFunction& loss, const Dataset& training);

/// For the training rows: the constant prediction with the lowest loss; where the loss weighs classes so that it names
/// another than the commonest class, also the constant that names this one, which metrics are held against; and, with
/// `with_linear`, a linear model fitted by full-batch descent, unless that would take more than about a second. None
/// for texts, for models without one prediction per row, and for rows that are not read yet.
[[nodiscard]] std::vector<Baseline> baselines_of(const LossFunction& loss, std::int64_t outputs,
                                                 const Dataset& training, bool with_linear, int threads);

/// Writes their parameters to a file, so that they can be measured on other data later.
void save_baselines(const std::filesystem::path& path, const std::vector<Baseline>& baselines);
/// Reads such a file; `rows` are some rows of data of that kind. Throws ModelError for any other file.
[[nodiscard]] std::vector<Baseline> load_baselines(const std::filesystem::path& path, const LossFunction& loss,
                                                   std::int64_t outputs, const Dataset& rows);

}  // namespace thalweg
