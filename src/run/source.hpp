#pragma once
// The data of a run: read once, cut into the parts that are trained on and held out, and encoded for the model.

#include "run/reader.hpp"

namespace thalweg {

class DataSource {
 public:
  /// Reads the training data.
  explicit DataSource(DataOptions options);

  [[nodiscard]] const DataOptions& options() const { return options_; }
  [[nodiscard]] const DataFacts& facts() const { return source_ ? source_->facts() : facts_; }
  /// What was decided about the data, and what to look at, a line each.
  [[nodiscard]] const std::vector<std::string>& notes() const { return source_->notes(); }
  [[nodiscard]] const std::vector<std::string>& warnings() const { return source_->warnings(); }

  /// Says which loss the data is for. Before `parts` and `folds`; the facts count the outputs that it takes.
  void suit(const LossFunction& loss) { source_->suit(loss.traits()); }

  /// Training and validation as the configuration says, and the test data.
  [[nodiscard]] Parts parts(std::uint64_t seed) const;
  /// k times: one fold to test on, the rest cut into training and validation.
  [[nodiscard]] std::vector<Parts> folds(std::int64_t k, std::uint64_t seed) const;
  /// Gives back the memory of what was read, once its parts are made: options and facts are all that is left.
  void forget();

 private:
  void add_validation(Parts& parts) const;

  DataOptions options_;
  std::unique_ptr<TrainingData> source_;
  DataFacts facts_ = {};  // once the source is forgotten
};

/// Data at a place ("train" of a configuration, or a file of the user's), as a trained model reads it. Levels that the
/// training part did not have are counted in `warnings`.
[[nodiscard]] Dataset encode_place(const data::Preprocessing& preprocessing, const OptionValue& place,
                                   const DataOptions& options, std::vector<std::string>& warnings);
/// The rows that a run held out of its training data, known by their content. Throws DataError where some are not
/// there.
[[nodiscard]] Dataset encode_held_out(const data::Preprocessing& preprocessing, const std::vector<std::uint64_t>& rows,
                                      const DataOptions& options, std::vector<std::string>& warnings);

/// How a model with this preprocessing reads a place: as its run did, where `options` take such a place, or else by the
/// first reader that does. Nothing where none does.
[[nodiscard]] std::optional<DataOptions> options_for(const data::Preprocessing& preprocessing, const OptionValue& place,
                                                     const DataOptions& options);

}  // namespace thalweg
