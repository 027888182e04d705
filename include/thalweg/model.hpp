#pragma once
// A trained model: parameters and preprocessing together, ready to predict.

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "thalweg/path.hpp"
#include "thalweg/registry.hpp"
#include "thalweg/train.hpp"

namespace thalweg {

struct SafetensorsFile;

struct Prediction {
  /// For a regression, the value in the unit of the target; otherwise the place of the most probable class in
  /// `classes()`.
  double value = 0;
  std::vector<float> probabilities = {};  ///< or scores (LossFunction), one per class; empty in a regression
  std::optional<double> deviation = {};  ///< the standard deviation of the value, for a loss that predicts it: gaussian
};

struct GenerateOptions {
  std::int64_t tokens = 200;
  double temperature = 1;  ///< logits are divided by it; 0 takes the likeliest token
  std::int64_t top_k = 0;  ///< draw only from this many likeliest tokens; 0: from all
  double top_p = 1;        ///< draw only from the likeliest tokens with this total probability (Holtzman et al. 2020)
  std::uint64_t seed = 1;
};

/// A value: copies share their contents. Every function may be called from several threads at once, and a row gives the
/// same bits whether it is predicted alone or among others, here or by `thalweg predict` from a file with the same
/// numbers (0.1f is not the 0.1 of a file, which `predict_cells` reads).
class Model {
 public:
  /// Loads a model from a run folder or a .safetensors file. Throws UsageError if there is none, ModelError for a
  /// damaged model, for an unfinished run, and for a kind of model that the registry does not have.
  [[nodiscard]] static Model load(const Path& path, const Registry& registry = {});

  /// Loads a file written by Trainer::save. `model` is the trained model function; the registry must have its loss.
  /// Throws as above.
  [[nodiscard]] static Model load(const Path& path, ModelFunction model, const Registry& registry = {});

  /// The value of one row: the features in the order of `input_names()`, in the units of the data (nan is missing; a
  /// category whose levels are numbers is given as that number, a date as days since 1970-01-01), or the elements of
  /// one image.
  [[nodiscard]] double predict(std::span<const float> row) const { return predict_row(row).value; }
  [[nodiscard]] Prediction predict_row(std::span<const float> row) const;
  /// The same, from cells of text as a CSV file has them. A category that the training data did not have counts as no
  /// category, and adds 1 to the feature's counter in `unknown`, if that is given. A missing number or date is replaced
  /// by the median; it is counted in `unknown` too, if the training data had no missing values there.
  [[nodiscard]] Prediction predict_cells(std::span<const std::string_view> cells,
                                         std::span<std::int64_t> unknown = {}) const;
  /// Many rows, (rows, features) or (rows, ...) of images: values (rows, 1), which are f64 where they are in the units
  /// of a table's target, or values and their standard deviations (rows, 2) for a loss that predicts both, or
  /// probabilities (rows, classes), or scores.
  [[nodiscard]] Tensor predict(const Tensor& rows) const;
  /// Many rows in the form that the model's graph reads: encoded (for a table), or as stored (for images).
  [[nodiscard]] Tensor predict_encoded(const Tensor& input) const;

  /// Loss and metrics of rows with "input" in the form of `predict_encoded`, and "target", as in a Dataset with the
  /// same preprocessing.
  [[nodiscard]] Evaluation evaluate(const Dataset& data) const;

  /// Continues a text, token by token; apart from attention the cost per token does not grow with the length of the
  /// text. `on_text` is called with each piece as it is generated; the generation ends when it returns false. The same
  /// options give the same text. Throws UsageError for a model that does not generate text.
  std::string generate(std::string_view prompt, const GenerateOptions& options = {},
                       const std::function<bool(std::string_view)>& on_text = {}) const;

  /// Features of a table, by name; empty for images.
  [[nodiscard]] const std::vector<std::string>& input_names() const;
  /// Empty in a regression.
  [[nodiscard]] const std::vector<std::string>& classes() const;
  /// The parameters, by name.
  [[nodiscard]] const std::vector<std::pair<std::string, Tensor>>& parameters() const;

  struct Parts;
  explicit Model(std::shared_ptr<const Parts> parts) : parts_(std::move(parts)) {}
  [[nodiscard]] const Parts& parts() const { return *parts_; }

 private:
  [[nodiscard]] static Model finish(std::shared_ptr<Parts> parts, const SafetensorsFile& file, const std::string& name);

  std::shared_ptr<const Parts> parts_;
};

}  // namespace thalweg
