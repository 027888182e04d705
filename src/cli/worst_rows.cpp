#include "cli/worst_rows.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/numbers.hpp"
#include "data/pictures.hpp"
#include "train/row_losses.hpp"

namespace thalweg::cli {

namespace {

/// "no (0.98)", "no (score 1.73)": the likeliest class and its probability, or the class with the higher score and that
/// score.
std::string predicted_class(const Tensor& predictions, std::int64_t row, const std::vector<std::string>& classes,
                            bool scores) {
  const std::int64_t count = predictions.shape()[1];
  const double p = predictions.at(row * count);
  if (count == 1) return fmt::format("{} ({:.2f})", classes[p > 0.5 ? 1 : 0], std::max(p, 1 - p));
  std::int64_t best = 0;
  for (std::int64_t c = 1; c < count; ++c)
    best = predictions.at(row * count + c) > predictions.at(row * count + best) ? c : best;
  return fmt::format("{} ({}{:.2f})", classes[static_cast<std::size_t>(best)], scores ? "score " : "",
                     predictions.at(row * count + best));
}

/// The rows with the highest losses, the highest first, at most `most` of them. Rows of weight 0 are left out.
std::vector<std::pair<double, std::int64_t>> highest(const Tensor& losses, const metric::Weights& weights,
                                                     std::size_t most) {
  std::vector<std::pair<double, std::int64_t>> order;
  for (std::int64_t row = 0; row < losses.size(); ++row) {
    const double loss = std::isnan(losses.at(row)) ? std::numeric_limits<double>::infinity() : losses.at(row);
    if (!weights || weights->at(row) != 0) order.emplace_back(loss, row);
  }
  const auto count = std::min(order.size(), most);
  std::ranges::partial_sort(order, order.begin() + static_cast<std::ptrdiff_t>(count), std::ranges::greater{},
                            &decltype(order)::value_type::first);
  order.resize(count);
  return order;
}

/// The picture of a row of bytes: (height, width), or with 1 or 3 channels. Empty for other rows, and for a picture of
/// so many bytes that ten would fill a report.
std::vector<std::byte> picture_of(const Dataset& data, std::int64_t row) {
  const Tensor image = data.take(std::span(&row, 1))["input"];
  const Shape& shape = image.shape();
  const std::int64_t channels = shape.rank() == 3 ? 1 : shape.rank() == 4 ? shape[3] : 0;
  if (image.dtype() != u8 || (channels != 1 && channels != 3)) return {};
  constexpr std::size_t most_bytes = 100'000;
  std::vector<std::byte> png = data::png_of(image.reshape({shape[1], shape[2], channels}));
  return png.size() <= most_bytes ? png : std::vector<std::byte>{};
}

}  // namespace

std::vector<WorstRow> worst_rows(const Session& session, const MeasuredRows& rows, const Config& config,
                                 const Registry& registry) {
  constexpr std::size_t most = 10;
  const data::Preprocessing& preprocessing = session.recipe.preprocessing;
  const bool images = preprocessing.tensor() != nullptr;
  if (!images && !preprocessing.table()) return {};
  const auto& [places, targets] = rows.origin;
  const Tensor &predictions = rows.predictions, &truth = rows.data["target"];
  const std::int64_t count = rows.data.rows();
  const bool placed = std::ssize(places) == count;  // images need no places: they are numbered as they are stored
  if ((!placed && !images) || truth.size() != count || predictions.shape()[0] != count) return {};
  const bool numbers = preprocessing.task() == data::Task::regression;
  if (numbers && (predictions.size() != count || std::ssize(targets) != count)) return {};
  const std::vector<std::string> classes = numbers ? std::vector<std::string>{} : class_names(session.recipe);
  const LossFunction loss_function = session.recipe.make_loss(registry);
  const bool scores = loss_function.traits().scores;
  const Tensor losses = row_losses(session.recipe.make_model(registry), loss_function, session.trainer.state(),
                                   rows.data, config.train.threads);
  std::vector<WorstRow> worst;
  for (const auto& [loss, row] : highest(losses, rows.weights, most)) {
    const auto at = static_cast<std::size_t>(row);
    worst.push_back(
        {.place = fmt::format("{} {}", images ? "image" : "line", placed ? places[at] : row + 1),
         .truth = numbers ? figure(targets[at]) : classes[static_cast<std::size_t>(truth.at(row))],
         .predicted = numbers ? figure(predictions.at(row)) : predicted_class(predictions, row, classes, scores),
         .loss = loss,
         .png = images ? picture_of(rows.data, row) : std::vector<std::byte>{}});
  }
  return worst;
}

}  // namespace thalweg::cli
