#pragma once
// Recommenders in the commands. They are trained like the other systems with their own loops, and answer with ratings
// and recommendations.

#include "cli/looped.hpp"
#include "run/recommender.hpp"

namespace thalweg::cli {

/// A trained recommender, which takes the names of users and items.
class Recommender {
 public:
  virtual ~Recommender() = default;
  [[nodiscard]] virtual const RecommenderConfig& config() const = 0;
  /// The rating for the cells user, item, side, ...
  struct Rating {
    double value;
    bool user_known, item_known;
  };
  [[nodiscard]] virtual Rating rating(std::span<const std::string_view> cells) const = 0;
  struct Item {
    std::string name;
    double rating;
  };
  /// The items with the highest ratings among those that the user did not rate in training, the highest first. For side
  /// columns it takes the most frequent value of the item or of the user, whichever predicts the column better.
  [[nodiscard]] virtual std::vector<Item> best_for(const std::string& user, std::int64_t count) const = 0;
  [[nodiscard]] virtual bool knows_user(const std::string& user) const = 0;
};

struct TrainedRecommender {
  TrainedLoop loop;
  const Recommender& recommender;
};
/// Empty if the path is not a run of a recommender. Throws ModelError if there is no model yet.
[[nodiscard]] std::optional<TrainedRecommender> trained_recommender(const std::string& path, const Registry& registry);

}  // namespace thalweg::cli
