#pragma once
// The data of a run: read once, split into training and held-out parts, and encoded for the model.

#include "run/reader.hpp"

namespace thalweg {

class DataSource {
 public:
  /// Reads the training data.
  explicit DataSource(DataOptions options);

  [[nodiscard]] const DataOptions& options() const { return options_; }
  [[nodiscard]] const DataFacts& facts() const { return source_ ? source_->facts() : facts_; }
  /// Decisions about the data, and warnings, one per line.
  [[nodiscard]] const std::vector<std::string>& notes() const { return source_->notes(); }
  [[nodiscard]] const std::vector<std::string>& warnings() const { return source_->warnings(); }

  /// Tells the data which loss is used; the facts then have its number of outputs. Must be called before `parts` and
  /// `folds`.
  void suit(const LossFunction& loss) { source_->suit(loss); }

  /// Training and validation as the configuration says, and the test data.
  [[nodiscard]] Parts parts(std::uint64_t seed) const;
  /// k times: one fold to test on, the rest split into training and validation.
  [[nodiscard]] std::vector<Parts> folds(std::int64_t k, std::uint64_t seed) const;
  /// Frees the memory of the data once its parts are made; only options and facts remain.
  void forget();

 private:
  void add_validation(Parts& parts) const;

  DataOptions options_;
  std::unique_ptr<TrainingData> source_;
  DataFacts facts_ = {};  // copy that remains after the source is freed
};

/// Data at a place ("train" of a configuration, or a file of the user), encoded for a trained model. Levels that the
/// training part did not have are reported in `warnings`; the origin of the rows is written to `origin`, if it is
/// given.
[[nodiscard]] Dataset encode_place(const data::Preprocessing& preprocessing, const OptionValue& place,
                                   const DataOptions& options, std::vector<std::string>& warnings,
                                   Origin* origin = nullptr);
/// The held-out rows of a run's training data, found by their content. Throws DataError if some are missing.
[[nodiscard]] Dataset encode_held_out(const data::Preprocessing& preprocessing, const std::vector<std::uint64_t>& rows,
                                      const DataOptions& options, std::vector<std::string>& warnings);

/// The options with which a model with this preprocessing reads a place: for the reader of `options` if it accepts the
/// place, otherwise for the first reader that accepts it. Empty if no reader does.
[[nodiscard]] std::optional<DataOptions> options_for(const data::Preprocessing& preprocessing, const OptionValue& place,
                                                     const DataOptions& options);

}  // namespace thalweg
