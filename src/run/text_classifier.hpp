#pragma once
// A classifier of texts: hashed words and a linear model of them, its configuration, and its file.

#include <filesystem>

#include "data/hashed_text.hpp"
#include "data/labelled_texts.hpp"
#include "run/config.hpp"
#include "sparse/linear.hpp"

namespace thalweg {

/// A configuration whose `[data]` has format = "texts", and whose `[system]` is of this kind.
struct TextClassifierConfig {
  std::uint64_t seed = 1;
  std::string train = {}, test = {};  ///< places: a path, or "-" for standard input
  data::LabelledTextOptions texts = {};
  data::HashingOptions hashing = {};
  Choice loss = {}, optimizer = {}, schedule = {};
  std::int64_t epochs = 10, batch_size = 32, save_every = 0, report_every = 1000;
  int threads = 0;
  std::string device = "cpu";

  [[nodiscard]] std::int64_t saves_every(bool online) const {
    return save_every > 0 ? save_every : online ? 100'000 : 2'000;
  }
  static constexpr const char* kind = "text_classifier";

  [[nodiscard]] Fields data_fields();
  [[nodiscard]] Fields train_fields();
  [[nodiscard]] std::string toml() const;
  /// The keys that decide the result, without the data.
  [[nodiscard]] std::string fingerprint(bool online) const;
  [[nodiscard]] Optimizer make_optimizer(const Registry& registry) const;
};

/// Whether a configuration is for texts with classes: format = "texts".
[[nodiscard]] bool is_text_classifier(const ConfigTree& tree);
/// Throws UsageError, with file and line where they are known, for keys and values that are unknown, of a wrong type or
/// out of range.
[[nodiscard]] TextClassifierConfig read_text_classifier(const ConfigTree& tree, const std::filesystem::path& folder,
                                                        const Registry& registry);

/// Sums for progressive validation: each row is predicted before the model learns from it.
struct ProgressiveSums {
  double rows = 0, right = 0, loss = 0;
  std::vector<double> of_class = {};  ///< number of rows of each class
  double commonest_right = 0;         ///< correct predictions of the class that was the most frequent so far

  void add(std::span<const float> prediction, std::int32_t target, double loss_of_row);
};

/// The predicted class, from the probability of the second of two classes, or from a probability or score of each
/// class.
[[nodiscard]] std::int32_t predicted_class(std::span<const float> probabilities);

class TextClassifier {
 public:
  TextClassifier(const TextClassifierConfig& config, std::vector<std::string> classes, const Registry& registry);

  [[nodiscard]] data::SparseRow row(std::string_view text) { return hasher_(text, inverse_frequency_); }
  [[nodiscard]] data::TextHasher& hasher() { return hasher_; }
  [[nodiscard]] SparseLinear& linear() { return linear_; }
  [[nodiscard]] const std::vector<std::string>& classes() const { return classes_; }
  /// Whether predictions are scores of both classes instead of probabilities.
  [[nodiscard]] bool gives_scores() const { return linear_.loss().traits().scores; }
  void set_inverse_frequency(std::vector<float> weights) { inverse_frequency_ = std::move(weights); }
  ProgressiveSums progressive;              ///< over all sittings
  double epoch_loss = 0, epoch_weight = 0;  ///< over the steps of the present epoch

  /// Writes everything on which the next step and the predictions depend, together with `fingerprint`.
  void save(const std::filesystem::path& path, const std::string& fingerprint) const;
  /// Continues from a file. Throws ModelError for the file of another classifier; UsageError with the difference if a
  /// fingerprint is given and the file's differs.
  void restore(const std::filesystem::path& path, const std::optional<std::string>& fingerprint = {});
  /// The classes of a saved model. Throws ModelError for a file that is not a classifier of texts.
  [[nodiscard]] static std::vector<std::string> saved_classes(const std::filesystem::path& path);

 private:
  std::vector<std::string> classes_;
  data::TextHasher hasher_;
  std::vector<float> inverse_frequency_;  // empty if it is not used
  SparseLinear linear_;
};

}  // namespace thalweg
