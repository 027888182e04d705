#pragma once
// Recommenders in the commands: trained as other looped systems are, and asked for ratings and for what to recommend.

#include "cli/looped.hpp"
#include "run/recommender.hpp"

namespace thalweg::cli {

/// A trained recommender, asked by names.
class Recommender {
 public:
  virtual ~Recommender() = default;
  [[nodiscard]] virtual const RecommenderConfig& config() const = 0;
  /// Of the cells user, item, side, ...
  struct Rating {
    double value;
    bool user_known, item_known;
  };
  [[nodiscard]] virtual Rating rating(std::span<const std::string_view> cells) const = 0;
  struct Item {
    std::string name;
    double rating;
  };
  /// The items with the highest ratings among those that the user did not rate in training, the highest first. Of side
  /// columns it is taken what the item, or the user, has most often, whichever says more of the column.
  [[nodiscard]] virtual std::vector<Item> best_for(const std::string& user, std::int64_t count) const = 0;
  [[nodiscard]] virtual bool knows_user(const std::string& user) const = 0;
};

struct TrainedRecommender {
  TrainedLoop loop;
  const Recommender& recommender;
};
/// Nothing where a path is no run of one. Throws ModelError where there is no model yet.
[[nodiscard]] std::optional<TrainedRecommender> trained_recommender(const std::string& path, const Registry& registry);

}  // namespace thalweg::cli
