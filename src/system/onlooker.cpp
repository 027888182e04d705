#include "system/onlooker.hpp"

#include <algorithm>
#include <iterator>

#include "core/counted.hpp"
#include "core/error.hpp"
#include "data/split.hpp"
#include "system/images.hpp"
#include "thalweg/distance.hpp"
#include "thalweg/nn.hpp"
#include "thalweg/ops.hpp"
#include "thalweg/optimizers.hpp"

namespace thalweg::images {

namespace {

constexpr std::int64_t width = 128;  // of the features

Var features_of(const Scope& s, const Var& pixels) {
  Var x = unit_pixels(pixels) * 2 - 1;
  for (const auto& [name, filters] : {std::pair("conv1", 32), std::pair("conv2", 64)}) {
    x = nn::conv2d(s / name, x, {.filters = filters, .bias = false});
    x = max_pool2d(relu(nn::batch_norm(s / (std::string(name) + "_norm"), x)));
  }
  return relu(nn::dense(s / "features", nn::dropout(s / "dropout1", flatten(x), 0.4), width));
}

ModelFunction classifier(std::int64_t classes) {
  return [classes](const Scope& s, const Var& pixels) {
    const Var h = nn::dropout(s / "dropout2", features_of(s, pixels), 0.4);
    return nn::dense(s / "output", h, classes, {.initializer = init::lecun_normal()});
  };
}

State trained(const Dataset& train, std::int64_t classes, int threads) {
  Dataset rows;
  rows.set("input", train["input"]);
  rows.set("target", train["target"]);
  Trainer trainer(classifier(classes), loss::cross_entropy,
                  optim::adamw({.lr = 3e-3, .weight_decay = 0.05, .schedule = schedule::one_cycle()}), threads);
  trainer.fit(rows, {.epochs = 12, .batch_size = 128});
  return trainer.state();
}

constexpr std::int64_t most_compared = 5000, most_counted = 1000, fewest_of_a_class = 5;

/// The number of classes that are predicted for at least 5 of 1,000 samples.
std::int64_t classes_among(const Tensor& seen, std::int64_t classes) {
  const std::int64_t count = std::min(most_counted, seen.size());
  std::vector<std::int64_t> counts(static_cast<std::size_t>(classes));
  for (std::int64_t i = 0; i < count; ++i) ++counts[static_cast<std::size_t>(seen.at(i))];
  return std::ranges::count_if(counts, [&](std::int64_t n) { return n * most_counted >= fewest_of_a_class * count; });
}

/// The most frequent class, and its fraction of the labels.
std::pair<std::int64_t, double> commonest_of(const Tensor& labels, std::int64_t classes) {
  std::vector<std::int64_t> counts(static_cast<std::size_t>(classes));
  for (std::int64_t i = 0; i < labels.size(); ++i) ++counts[static_cast<std::size_t>(labels.at(i))];
  const auto most = std::ranges::max_element(counts);
  return {most - counts.begin(), static_cast<double>(*most) / static_cast<double>(labels.size())};
}

}  // namespace

Onlooker::Onlooker(const Dataset& train, std::int64_t classes, int threads)
    : state_(trained(train, classes, threads)),
      features_([](Scope s, const Batch& b) { return features_of(s, b["x"]); }, threads),
      classes_([classes](Scope s, const Batch& b) { return argmax(classifier(classes)(s, b["x"])); }, threads) {}

Tensor Onlooker::features(const Tensor& pixels) const { return in_portions(features_, state_, pixels); }
Tensor Onlooker::classes(const Tensor& pixels) const { return in_portions(classes_, state_, pixels); }

double Onlooker::accuracy(const Dataset& data) const {
  const Tensor seen = classes(data["input"]);
  std::int64_t right = 0;
  for (std::int64_t i = 0; i < seen.size(); ++i) right += seen.at(i) == data["target"].at(i);
  return static_cast<double>(right) / static_cast<double>(seen.size());
}

SystemFigures figures_of_samples(const SystemData& data, const SystemSets& sets,
                                 const std::function<Tensor(const GenerateRequest&)>& generate, bool by_class) {
  const auto classes = static_cast<std::int64_t>(data.classes.size());
  if (classes < 2)
    fail<UsageError>(
        "[evaluate] samples are measured by a classifier, and the classes of the data have no names. Hint: classes = "
        "[...] in [data].");
  const Onlooker onlooker(sets.train, classes, data.threads);
  const std::int64_t count = std::min({most_compared, sets.test.rows(), sets.train.rows()});
  const Tensor samples = generate({.count = count, .seed = 1});
  const Tensor real = onlooker.features(data::spread_rows(sets.test["input"], count));
  const Tensor seen = onlooker.classes(samples);
  const Tensor seen_of_real = onlooker.classes(data::spread_rows(sets.test["input"], std::min(count, most_counted)));
  const double accuracy = onlooker.accuracy(sets.test);
  const auto [commonest, its_part] = commonest_of(sets.test["target"], classes);
  SystemFigures figures;
  figures.metrics = {{"frechet distance", metric::frechet_distance(onlooker.features(samples), real)},
                     {"classes", static_cast<double>(classes_among(seen, classes))}};
  figures.baselines = {
      {"real against real",
       {{"frechet distance",
         metric::frechet_distance(onlooker.features(data::spread_rows(sets.train["input"], count)), real)}}},
      {"real", {{"classes", static_cast<double>(classes_among(seen_of_real, classes))}}},
      {"always " + data.classes[static_cast<std::size_t>(commonest)], {{"accuracy of the classifier", its_part}}}};
  if (by_class) {
    std::int64_t right = 0;
    for (std::int64_t i = 0; i < count; ++i) right += seen.at(i) == i % classes;
    figures.metrics.emplace_back("right class", static_cast<double>(right) / static_cast<double>(count));
    figures.baselines[1].second.emplace_back("right class", accuracy);
  }
  figures.metrics.emplace_back("accuracy of the classifier", accuracy);
  if (accuracy <= its_part)
    figures.on = fmt::format("{}; the classifier is no better than the most frequent class, so its figures mean little",
                             counted(sets.test.rows(), "images"));
  figures.media = {{"samples", Medium::pictures(first_of(samples, 100), 20)}};
  return figures;
}

void append(SystemFigures& figures, SystemFigures more) {
  std::ranges::move(more.metrics, std::back_inserter(figures.metrics));
  std::ranges::move(more.baselines, std::back_inserter(figures.baselines));
  std::ranges::move(more.media, std::back_inserter(figures.media));
  if (figures.on.empty()) figures.on = std::move(more.on);
}

}  // namespace thalweg::images
