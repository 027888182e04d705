#pragma once
// Training data whose rows can be split into parts and folds: tables and images.

#include "run/reader.hpp"

namespace thalweg {

/// Warns of training rows among those of another part ("validation", "test"), by their contents: memorised rows do not
/// show how a model performs on new rows.
void warn_of_repeated(std::string_view part, std::vector<std::uint64_t> rows, std::span<const std::uint64_t> trained,
                      std::vector<std::string>& warnings);

class TrainingRows : public TrainingData {
 public:
  [[nodiscard]] Parts parts(std::uint64_t seed) const final;
  [[nodiscard]] std::vector<Parts> folds(std::int64_t k, std::uint64_t seed) const final;
  [[nodiscard]] std::vector<std::uint64_t> contents() const final { return contents_of(rows_); }

 protected:
  /// This fraction of the rows is held out for validation.
  explicit TrainingRows(double held_out) : held_out_(held_out) {}

  /// The rows to train on, with the preprocessing fitted to them, and those for validation, if there are any.
  [[nodiscard]] virtual Parts encode(std::span<const std::int64_t> train,
                                     std::span<const std::int64_t> validation) const = 0;
  /// Identifies a row by its content, independent of its position.
  [[nodiscard]] virtual std::uint64_t content(std::int64_t row) const = 0;
  /// By default the numbers of the rows, from 1.
  [[nodiscard]] virtual Origin origin(std::span<const std::int64_t> rows) const;
  /// Test rows, encoded by the preprocessing of `parts`.
  [[nodiscard]] virtual Dataset encode_test(Parts& parts, std::span<const std::int64_t> rows) const = 0;

  std::vector<std::int64_t> rows_;    ///< the rows that can be used
  std::vector<std::int32_t> labels_;  ///< their labels, for stratified parts; empty for a regression

 private:
  [[nodiscard]] Parts split(std::span<const std::int64_t> places, std::uint64_t seed) const;
  [[nodiscard]] std::vector<std::uint64_t> contents_of(std::span<const std::int64_t> rows) const;
  [[nodiscard]] std::vector<std::int64_t> rows_at(std::span<const std::int64_t> places) const;

  double held_out_;
};

}  // namespace thalweg
