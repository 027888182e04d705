#include "cli/recommender.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <numeric>
#include <set>

#include "core/error.hpp"
#include "core/escape.hpp"
#include "core/nesting.hpp"
#include "core/numbers.hpp"
#include "core/random.hpp"
#include "insight/ranking.hpp"
#include "store/saved_values.hpp"

namespace thalweg::cli {

namespace {

constexpr const char* levels_key = "levels";

std::vector<data::Levels> levels_in(const SafetensorsFile& file, std::size_t features) {
  const auto found = file.metadata.find(levels_key);
  std::vector<data::Levels> levels;
  if (found != file.metadata.end() && nests_within(found->second, 2)) {
    const auto json = nlohmann::json::parse(found->second, nullptr, false);
    if (json.is_array()) {
      for (const auto& names : json) {
        levels.emplace_back();
        for (const auto& name : names) {
          if (name.is_string()) levels.back().names.push_back(name.get<std::string>());
        }
        if (!std::ranges::is_sorted(levels.back().names)) levels.clear();
      }
    }
  }
  if (levels.size() != features)
    fail<ModelError>("[recommender] the names of users and items are missing in the model");
  return levels;
}

std::int64_t categories_of(const std::vector<data::Levels>& levels) {
  return std::accumulate(levels.begin(), levels.end(), std::int64_t{0},
                         [](std::int64_t sum, const data::Levels& own) { return sum + own.size(); });
}

/// The most frequent value of a side column, for each user or for each item: the one of the two that predicts the
/// column better.
struct Habit {
  std::int32_t of = 0;                // 0: users, 1: items
  std::vector<std::int32_t> usually;  // one value for each user or item
};

Habit habit_by(const data::Ratings& train, std::size_t feature, std::int32_t of, std::int64_t levels,
               std::int64_t& agreeing) {
  std::vector<std::map<std::int32_t, std::int64_t>> counts(static_cast<std::size_t>(levels));
  for (std::int64_t row = 0; row < train.rows(); ++row)
    ++counts[static_cast<std::size_t>(train.row(row)[static_cast<std::size_t>(of)])][train.row(row)[feature]];
  Habit habit{of, {}};
  agreeing = 0;
  for (const auto& own : counts) {
    const auto most = std::ranges::max_element(own, {}, [](const auto& entry) { return entry.second; });
    habit.usually.push_back(most == own.end() ? -1 : most->first);
    agreeing += most == own.end() ? 0 : most->second;
  }
  return habit;
}

std::vector<Habit> habits_of(const data::Ratings& train, const std::vector<data::Levels>& levels) {
  std::vector<Habit> habits;
  for (std::size_t feature = 2; feature < levels.size(); ++feature) {
    std::int64_t by_users = 0, by_items = 0;
    Habit of_users = habit_by(train, feature, 0, levels[0].size(), by_users);
    Habit of_items = habit_by(train, feature, 1, levels[1].size(), by_items);
    habits.push_back(by_users > by_items ? std::move(of_users) : std::move(of_items));
  }
  return habits;
}

std::vector<std::int64_t> counts_of(std::span<const std::int32_t> joined, std::int64_t categories) {
  std::vector<std::int64_t> counts(static_cast<std::size_t>(categories));
  for (const std::int32_t category : joined) {
    if (category >= 0) ++counts[static_cast<std::size_t>(category)];
  }
  return counts;
}

double mean_of(const std::vector<float>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

/// The loss of a single prediction for all rows.
double half_variance(const data::Ratings& rows, double constant) {
  double squares = 0;
  for (const float rating : rows.ratings) squares += (rating - constant) * (rating - constant);
  return squares / 2 / static_cast<double>(rows.rows());
}

double lowest_of(const data::Ratings& rows) { return rows.rows() == 0 ? 0 : std::ranges::min(rows.ratings); }

/// The metrics of the predictions for some rows. `lowest` is the lowest rating of the training rows.
Metrics figures_of(const data::Ratings& rows, const std::vector<double>& predicted, const RecommenderConfig& config,
                   double lowest) {
  double squares = 0;
  std::map<std::int32_t, std::pair<std::vector<double>, std::vector<double>>>
      lists;  // the predictions and the ratings of each user
  for (std::int64_t row = 0; row < rows.rows(); ++row) {
    const auto at = static_cast<std::size_t>(row);
    const auto value = static_cast<double>(rows.ratings[at]);
    squares += (predicted[at] - value) * (predicted[at] - value);
    if (rows.row(row)[0] < 0) continue;  // unknown users have no list: they may be several users
    auto& [scores, values] = lists[rows.row(row)[0]];
    scores.push_back(predicted[at]);
    values.push_back(value);
  }
  Ranking ranking(config.top, config.wanted, lowest);
  for (const auto& [user, list] : lists) ranking.add(list.first, list.second);
  Metrics metrics = {{"rmse", std::sqrt(squares / static_cast<double>(rows.rows()))}};
  const RankingFigures figures = ranking.figures();
  if (figures.lists == 0) return metrics;
  const std::string at = fmt::format(" at {}", config.top);
  metrics.insert(metrics.end(),
                 {{"precision" + at, figures.precision}, {"recall" + at, figures.recall}, {"ndcg" + at, figures.ndcg}});
  return metrics;
}

class FactorRecommender final : public Looped, public Recommender {
 public:
  /// For training.
  FactorRecommender(const RecommenderConfig& config, RatingParts parts, const Registry& registry)
      : config_(config),
        levels_(parts.levels),
        habits_(habits_of(parts.train, levels_)),
        joined_(joined_numbers(parts.train, levels_)),
        model_(config.factors, counts_of(joined_, categories_of(levels_)), mean_of(parts.train.ratings),
               config.make_optimizer(registry), config.seed),
        parts_(std::move(parts)) {
    for (std::int64_t row = 0; row < parts_->train.rows(); ++row)
      rated_.emplace(parts_->train.row(row)[0], parts_->train.row(row)[1]);
  }
  /// For a trained system, whose parameters are then restored.
  FactorRecommender(const RecommenderConfig& config, const SafetensorsFile& file, const Registry& registry)
      : config_(config),
        levels_(levels_in(file, config.columns.features().size())),
        model_(config.factors, std::vector<std::int64_t>(static_cast<std::size_t>(categories_of(levels_)), 1), 0,
               config.make_optimizer(registry), config.seed) {}

  [[nodiscard]] std::string described() const override {
    return fmt::format(
        "recommender: {} users, {} items, {} factors{}; {} parameters", with_commas(levels_[0].size()),
        with_commas(levels_[1].size()), config_.factors.width,
        levels_.size() > 2 ? fmt::format(", side columns {}", fmt::join(config_.columns.side, ", ")) : "",
        with_commas(parameters()));
  }
  [[nodiscard]] std::int64_t parameters() const override { return model_.parameters(); }
  [[nodiscard]] std::int64_t steps_in_epoch() const override {
    return (parts_->train.rows() + config_.batch_size - 1) / config_.batch_size;
  }
  [[nodiscard]] StepReport take(double rate, std::optional<double> momentum, bool) override;
  [[nodiscard]] Metrics end_of_epoch() override {
    const data::Ratings& rows = parts_->validation;
    const double rmse = figures_of(rows, predictions(rows), config_, 0).front().second;
    return {{"validation.loss", rmse * rmse / 2}, {"validation.rmse", rmse}};
  }
  [[nodiscard]] std::optional<Measured> measure(const std::string& place) override;
  [[nodiscard]] JudgeOptions constants() const override {
    if (!parts_) return {};
    const double mean = mean_of(parts_->train.ratings);
    return {.constant_training = half_variance(parts_->train, mean),
            .constant_validation = half_variance(parts_->validation, mean)};
  }
  [[nodiscard]] std::string next(const std::string& run) const override {
    return fmt::format("thalweg predict {} --user {}", run, shell_word(levels_[0].names.front()));
  }

  [[nodiscard]] const RecommenderConfig& config() const override { return config_; }
  [[nodiscard]] Rating rating(std::span<const std::string_view> cells) const override {
    std::vector<std::int32_t> row;
    for (std::size_t feature = 0; feature < levels_.size(); ++feature)
      row.push_back(joined(feature, levels_[feature].find(cells[feature])));
    return {model_.predict(row), row[0] >= 0, row[1] >= 0};
  }
  [[nodiscard]] bool knows_user(const std::string& user) const override { return levels_[0].find(user) >= 0; }
  [[nodiscard]] std::vector<Item> best_for(const std::string& user, std::int64_t count) const override;

 protected:
  void write(SafetensorsFile& file) const override;
  void read(const SafetensorsFile& file) override;

 private:
  [[nodiscard]] std::int32_t joined(std::size_t feature, std::int32_t number) const {
    std::int64_t before = 0;
    for (std::size_t i = 0; i < feature; ++i) before += levels_[i].size();
    return number < 0 ? -1 : static_cast<std::int32_t>(before) + number;
  }
  [[nodiscard]] std::vector<double> predictions(const data::Ratings& rows) const {
    const std::vector<std::int32_t> joined = joined_numbers(rows, levels_);
    std::vector<double> predicted;
    for (std::int64_t row = 0; row < rows.rows(); ++row)
      predicted.push_back(model_.predict(std::span(joined).subspan(static_cast<std::size_t>(row * rows.features),
                                                                   static_cast<std::size_t>(rows.features))));
    return predicted;
  }

  RecommenderConfig config_;
  std::vector<data::Levels> levels_;
  std::vector<Habit> habits_;         // one for each side column
  std::vector<std::int32_t> joined_;  // the training rows
  Factors model_;
  std::optional<RatingParts> parts_;
  std::set<std::pair<std::int32_t, std::int32_t>> rated_;  // users and items
  std::int64_t ordered_epoch_ = -1;
  std::vector<std::int64_t> order_;
  std::vector<std::int32_t> batch_;
  std::vector<float> batch_ratings_;
};

StepReport FactorRecommender::take(double rate, std::optional<double> momentum, bool) {
  const std::int64_t epoch = steps / steps_in_epoch(), rows = parts_->train.rows();
  if (epoch != ordered_epoch_) {
    order_ = shuffled(RandomKey{config_.seed}.fold("order").fold(static_cast<std::uint64_t>(epoch)), rows);
    ordered_epoch_ = epoch;
  }
  batch_.clear();
  batch_ratings_.clear();
  const std::int64_t begin = steps % steps_in_epoch() * config_.batch_size, kinds = parts_->train.features;
  for (std::int64_t i = begin; i < std::min(begin + config_.batch_size, rows); ++i) {
    const std::int64_t row = order_[static_cast<std::size_t>(i)];
    const auto cells =
        std::span(joined_).subspan(static_cast<std::size_t>(row * kinds), static_cast<std::size_t>(kinds));
    batch_.insert(batch_.end(), cells.begin(), cells.end());
    batch_ratings_.push_back(parts_->train.ratings[static_cast<std::size_t>(row)]);
  }
  const Factors::Learned learned = model_.learn(batch_, batch_ratings_, rate, momentum);
  const std::int64_t count = std::ssize(batch_ratings_);
  return {.loss = learned.loss,
          .gradient_norm = learned.gradient_norm,
          .samples = count,
          .weight = static_cast<double>(count)};
}

std::optional<Looped::Measured> FactorRecommender::measure(const std::string& place) {
  if (!parts_) {
    parts_ = read_parts(config_);
    if (parts_->levels != levels_)
      fail<DataError>("[evaluate] {} has other users, items or side columns than when the run was trained",
                      config_.train);
  }
  const data::Ratings test = place.empty() ? parts_->test : data::numbered(place, config_.columns, levels_);
  if (test.rows() == 0) return std::nullopt;
  const BiasBaseline biases =
      BiasBaseline::tuned(parts_->train, parts_->validation, levels_[0].size(), levels_[1].size());
  std::vector<double> by_biases;
  std::int64_t new_users = 0, new_items = 0;
  for (std::int64_t row = 0; row < test.rows(); ++row) {
    by_biases.push_back(biases(test.row(row)[0], test.row(row)[1]));
    new_users += test.row(row)[0] < 0 ? 1 : 0;
    new_items += test.row(row)[1] < 0 ? 1 : 0;
  }
  Measured measured;
  const double lowest = lowest_of(parts_->train);
  measured.figures.metrics = figures_of(test, predictions(test), config_, lowest);
  measured.figures.baselines = {{fmt::format("biases, ridges {} and {}", biases.user_ridge(), biases.item_ridge()),
                                 figures_of(test, by_biases, config_, lowest)}};
  measured.counts = {{"ratings", test.rows()}, {"new users", new_users}, {"new items", new_items}};
  measured.note = fmt::format("{} ratings, {} by users and {} of items that were never seen", with_commas(test.rows()),
                              with_commas(new_users), with_commas(new_items));
  return measured;
}

std::vector<Recommender::Item> FactorRecommender::best_for(const std::string& user, std::int64_t count) const {
  const std::int32_t number = levels_[0].find(user);
  std::vector<Item> items;
  for (std::int32_t item = 0; item < levels_[1].size(); ++item) {
    if (rated_.contains({number, item})) continue;
    std::vector<std::int32_t> row = {joined(0, number), joined(1, item)};
    for (std::size_t side = 0; side < habits_.size(); ++side) {
      const std::int32_t owner = habits_[side].of == 0 ? number : item;
      row.push_back(joined(side + 2, owner < 0 ? -1 : habits_[side].usually[static_cast<std::size_t>(owner)]));
    }
    items.push_back({levels_[1].names[static_cast<std::size_t>(item)], model_.predict(row)});
  }
  std::ranges::stable_sort(items, std::ranges::greater(), &Item::rating);
  items.resize(static_cast<std::size_t>(std::min(count, std::ssize(items))));
  return items;
}

void FactorRecommender::write(SafetensorsFile& file) const {
  for (auto& entry : model_.table().state()) file.tensors.push_back(std::move(entry));
  nlohmann::json levels = nlohmann::json::array();
  for (const data::Levels& own : levels_) levels.push_back(own.names);
  file.metadata[levels_key] = levels.dump();
  for (std::size_t side = 0; side < habits_.size(); ++side) {
    std::vector<std::int32_t> numbers = {habits_[side].of};
    numbers.insert(numbers.end(), habits_[side].usually.begin(), habits_[side].usually.end());
    file.tensors.emplace_back(fmt::format("usual{}", side), Tensor::from(numbers, {std::ssize(numbers)}));
  }
  std::vector<std::int32_t> rated;
  for (const auto& [user, item] : rated_) rated.insert(rated.end(), {user, item});
  file.tensors.emplace_back("rated", Tensor::from(rated, {std::ssize(rated) / 2, 2}));
}

void FactorRecommender::read(const SafetensorsFile& file) {
  if (levels_in(file, levels_.size()) != levels_)
    fail<DataError>(
        "[resume] the ratings have other users, items or side columns than when the run began. Hint: without --resume "
        "a new run begins.");
  model_.table().restore(file.tensors);
  const auto rated = saved_values<std::int32_t>(file, "rated", "recommender");
  rated_.clear();
  for (std::size_t i = 0; i + 1 < rated.size(); i += 2) rated_.emplace(rated[i], rated[i + 1]);
  habits_.clear();
  for (std::size_t side = 0; side + 2 < levels_.size(); ++side) {
    const auto numbers = saved_values<std::int32_t>(file, fmt::format("usual{}", side), "recommender");
    const bool whole = !numbers.empty() && (numbers[0] == 0 || numbers[0] == 1) &&
                       std::ssize(numbers) == levels_[static_cast<std::size_t>(numbers[0])].size() + 1 &&
                       std::ranges::all_of(numbers.subspan(1), [&](std::int32_t number) {
                         return number >= -1 && number < levels_[side + 2].size();
                       });
    if (!whole) fail<ModelError>("[recommender] the usual values of the side columns are missing in the model");
    habits_.push_back({numbers[0], {numbers.begin() + 1, numbers.end()}});
  }
}

const RecommenderConfig& own(const LoopConfig& config) { return dynamic_cast<const RecommenderConfig&>(config); }

}  // namespace

LoopedRow looped_recommender() {
  return {.kind = "recommender",
          .config = []() -> std::unique_ptr<LoopConfig> { return std::make_unique<RecommenderConfig>(); },
          .begin = [](const LoopConfig& config, const Registry& registry) -> std::unique_ptr<Looped> {
            return std::make_unique<FactorRecommender>(own(config), read_parts(own(config)), registry);
          },
          .load = [](const LoopConfig& config, const std::filesystem::path& file,
                     const Registry& registry) -> std::unique_ptr<Looped> {
            auto system = std::make_unique<FactorRecommender>(own(config), read_safetensors(file), registry);
            system->restore(file);
            return system;
          }};
}

std::optional<TrainedRecommender> trained_recommender(const std::string& path, const Registry& registry) {
  const LoopedRow* const row = looped_run(path);
  if (!row || row->kind != looped_recommender().kind) return std::nullopt;
  TrainedLoop loop = trained_loop(*row, path, registry);
  const auto& recommender = dynamic_cast<const Recommender&>(*loop.system);
  return TrainedRecommender{std::move(loop), recommender};
}

}  // namespace thalweg::cli
