#pragma once
// A recommender: its configuration, its data in parts, and its baseline.

#include "data/ratings.hpp"
#include "run/loop_config.hpp"
#include "sparse/factors.hpp"

namespace thalweg {

class RecommenderConfig final : public LoopConfig {
 public:
  std::string train = {}, test = {};
  data::RatingColumns columns = {};
  double validation = 0.1, test_part = 0.2, wanted = 4;
  std::int64_t top = 3;
  FactorOptions factors = {};

  RecommenderConfig();
  [[nodiscard]] std::string_view kind() const override { return "recommender"; }
  [[nodiscard]] Fields data_fields() override;
  [[nodiscard]] Fields system_fields() override { return factors.fields(); }
  [[nodiscard]] std::vector<std::string*> places() override { return {&train, &test}; }
  [[nodiscard]] OptionMap optimizer_defaults() const override { return {{"lr", {0.1}}}; }
  [[nodiscard]] bool take_fold(std::int64_t number, std::int64_t count) override {
    first_tested = static_cast<double>(number) / static_cast<double>(count);
    test_part = 1 / static_cast<double>(count);
    test.clear();
    return true;
  }
  void check() const override;
  /// the position, in [0, 1), at which the test part begins in the random order of all ratings
  double first_tested = 0;
};

/// The ratings of a configuration in three parts: training, validation and test. Rows are split by user and item, so
/// that two ratings of one item by one user are in the same part.
struct RatingParts {
  std::vector<data::Levels> levels;  ///< of the training rows
  data::Ratings train, validation, test;
};
/// Throws DataError if a requested part is empty.
[[nodiscard]] RatingParts read_parts(const RecommenderConfig& config);

/// Numbers the categories of all features consecutively: those of the first feature, then those of the second, ...
[[nodiscard]] std::vector<std::int32_t> joined_numbers(const data::Ratings& ratings,
                                                       const std::vector<data::Levels>& levels);

/// mean + b_user + b_item, which minimises the sum of squared errors with ridge penalties on the biases. The biases of
/// the users and of the items are computed alternately, until they converge.
class BiasBaseline {
 public:
  BiasBaseline(const data::Ratings& train, std::int64_t users, std::int64_t items, double user_ridge,
               double item_ridge);
  /// The model with the smallest error on `validation`, from a grid of ridges between 1 and 50 for users and for items.
  [[nodiscard]] static BiasBaseline tuned(const data::Ratings& train, const data::Ratings& validation,
                                          std::int64_t users, std::int64_t items);
  /// The prediction for a user and an item by their numbers among the levels; below 0 for an unknown one.
  [[nodiscard]] double operator()(std::int32_t user, std::int32_t item) const;
  [[nodiscard]] double user_ridge() const { return user_ridge_; }
  [[nodiscard]] double item_ridge() const { return item_ridge_; }

 private:
  double mean_ = 0, user_ridge_, item_ridge_;
  std::vector<double> users_, items_;
};

}  // namespace thalweg
