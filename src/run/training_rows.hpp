#pragma once
// Training data whose rows can be dealt out: tables and images.

#include "run/reader.hpp"

namespace thalweg {

class TrainingRows : public TrainingData {
 public:
  [[nodiscard]] Parts parts(std::uint64_t seed) const final;
  [[nodiscard]] std::vector<Parts> folds(std::int64_t k, std::uint64_t seed) const final;

 protected:
  /// Of the rows that are dealt out, this fraction is held out to validate on.
  explicit TrainingRows(double held_out) : held_out_(held_out) {}

  /// The rows to train on, with the preprocessing fitted to them, and those to validate on, where there are any.
  [[nodiscard]] virtual Parts encode(std::span<const std::int64_t> train,
                                     std::span<const std::int64_t> validation) const = 0;
  /// What a row is known by, wherever it stands.
  [[nodiscard]] virtual std::uint64_t content(std::int64_t row) const = 0;
  /// Where a row stands: the line of the file, or its number from 1.
  [[nodiscard]] virtual std::int64_t place(std::int64_t row) const { return row + 1; }
  /// Rows to test on, by the preprocessing of `parts`.
  [[nodiscard]] virtual Dataset encode_test(Parts& parts, std::span<const std::int64_t> rows) const = 0;

  std::vector<std::int64_t> rows_;    ///< those that can be used
  std::vector<std::int32_t> labels_;  ///< theirs, by which they are dealt out in proportion; empty in a regression

 private:
  [[nodiscard]] Parts split(std::span<const std::int64_t> places, std::uint64_t seed) const;
  [[nodiscard]] std::vector<std::int64_t> rows_at(std::span<const std::int64_t> places) const;

  double held_out_;
};

}  // namespace thalweg
