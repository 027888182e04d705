#include "run/recommender.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

#include "core/error.hpp"

namespace thalweg {

RecommenderConfig::RecommenderConfig() : LoopConfig("adagrad", "linear") {
  epochs = 15;
  batch_size = 512;
}

Fields RecommenderConfig::data_fields() {
  Fields all = {{"train", &train, "the table of ratings, one per row"},
                {"test", &test, "a table to test on; empty: a part of `train` is used"},
                {"test_part", &test_part, "the size of that part, cut by user and item", below_one},
                {"validation",
                 &validation,
                 "the part of the remaining rows for validation, and for tuning the baseline",
                 {.low = 0, .high = 1, .low_open = true, .high_open = true}},
                {"wanted", &wanted, "the lowest rating of a wanted item, for precision and recall"},
                {"top", &top, "the length of a user's list for precision, recall and NDCG", {.low = 1}}};
  const Fields own = columns.fields();
  all.insert(all.end(), own.begin(), own.end());
  return all;
}

void RecommenderConfig::check() const {
  if (train.empty()) fail_option("train", "[data] train is not given. Wanted: a table of ratings");
  std::vector<std::string> names = columns.features();
  names.push_back(columns.rating);
  std::ranges::sort(names);
  if (const auto twice = std::ranges::adjacent_find(names); twice != names.end())
    fail_option("side",
                "[data] the column '{}' is named twice. Wanted: user, item, rating and side columns that differ",
                *twice);
}

RatingParts read_parts(const RecommenderConfig& config) {
  const data::RatingTable table = data::read_ratings(config.train, config.columns);
  std::vector<std::int64_t> train, validation, test;
  const double tested = config.test.empty() ? config.test_part : 0;
  const double watched = tested + (1 - tested) * config.validation;
  for (std::int64_t row = 0; row < table.rows(); ++row) {
    const double draw = data::place_of_pair(table, row, config.seed) - config.first_tested;
    const double place = draw < 0 ? draw + 1 : draw;
    (place < tested ? test : place < watched ? validation : train).push_back(row);
  }
  if (train.empty() || validation.empty() || (tested > 0 && test.empty()))
    fail<DataError>(
        "[ratings] {}: parts are cut by user and item, and one of them got none of the {} rows. Wanted: more different "
        "pairs of a user and an item",
        config.train, table.rows());
  RatingParts parts;
  parts.levels = data::levels_of(table, train);
  parts.train = data::numbered(table, train, parts.levels);
  parts.validation = data::numbered(table, validation, parts.levels);
  parts.test = data::numbered(table, test, parts.levels);
  if (config.test.empty()) return parts;
  parts.test = data::numbered(config.test, config.columns, parts.levels);
  return parts;
}

std::vector<std::int32_t> joined_numbers(const data::Ratings& ratings, const std::vector<data::Levels>& levels) {
  std::vector<std::int32_t> joined;
  joined.reserve(ratings.numbers.size());
  for (std::int64_t row = 0; row < ratings.rows(); ++row) {
    std::int32_t before = 0;
    for (std::size_t feature = 0; feature < levels.size(); ++feature) {
      const std::int32_t number = ratings.row(row)[feature];
      joined.push_back(number < 0 ? -1 : before + number);
      before += static_cast<std::int32_t>(levels[feature].size());
    }
  }
  return joined;
}

namespace {

/// Computes the biases of one side while those of the other side are fixed: the sum of the residuals of its ratings,
/// divided by their number plus the ridge.
double settle_biases(std::vector<double>& biases, const data::Ratings& train, std::size_t side,
                     const std::vector<double>& others, double mean, double ridge) {
  std::vector<double> sums(biases.size()), counts(biases.size());
  for (std::int64_t row = 0; row < train.rows(); ++row) {
    const auto own = static_cast<std::size_t>(train.row(row)[side]);
    const auto other = static_cast<std::size_t>(train.row(row)[1 - side]);
    sums[own] += static_cast<double>(train.ratings[static_cast<std::size_t>(row)]) - mean - others[other];
    counts[own] += 1;
  }
  double moved = 0;
  for (std::size_t i = 0; i < biases.size(); ++i) {
    const double bias = counts[i] > 0 ? sums[i] / (counts[i] + ridge) : 0;
    moved = std::max(moved, std::abs(bias - biases[i]));
    biases[i] = bias;
  }
  return moved;
}

}  // namespace

BiasBaseline::BiasBaseline(const data::Ratings& train, std::int64_t users, std::int64_t items, double user_ridge,
                           double item_ridge)
    : user_ridge_(user_ridge),
      item_ridge_(item_ridge),
      users_(static_cast<std::size_t>(users)),
      items_(static_cast<std::size_t>(items)) {
  constexpr int most_turns = 200;
  constexpr double still = 1e-7;
  for (int turn = 0; turn < most_turns; ++turn) {
    double sum = 0;
    for (std::int64_t row = 0; row < train.rows(); ++row) {
      sum += static_cast<double>(train.ratings[static_cast<std::size_t>(row)]) -
             users_[static_cast<std::size_t>(train.row(row)[0])] - items_[static_cast<std::size_t>(train.row(row)[1])];
    }
    mean_ = sum / static_cast<double>(train.rows());
    const double moved = std::max(settle_biases(users_, train, 0, items_, mean_, user_ridge),
                                  settle_biases(items_, train, 1, users_, mean_, item_ridge));
    if (moved < still) break;
  }
}

double BiasBaseline::operator()(std::int32_t user, std::int32_t item) const {
  const double of_user = user < 0 ? 0 : users_[static_cast<std::size_t>(user)];
  return mean_ + of_user + (item < 0 ? 0 : items_[static_cast<std::size_t>(item)]);
}

BiasBaseline BiasBaseline::tuned(const data::Ratings& train, const data::Ratings& validation, std::int64_t users,
                                 std::int64_t items) {
  std::optional<BiasBaseline> best;
  double least = std::numeric_limits<double>::infinity();
  for (const double user_ridge : {1., 2., 5., 10., 20., 50.}) {
    for (const double item_ridge : {1., 2., 5., 10., 20., 50.}) {
      BiasBaseline biases(train, users, items, user_ridge, item_ridge);
      double squares = 0;
      for (std::int64_t row = 0; row < validation.rows(); ++row) {
        const double error = biases(validation.row(row)[0], validation.row(row)[1]) -
                             static_cast<double>(validation.ratings[static_cast<std::size_t>(row)]);
        squares += error * error;
      }
      if (squares >= least) continue;
      least = squares;
      best = std::move(biases);
    }
  }
  return *std::move(best);
}

}  // namespace thalweg
