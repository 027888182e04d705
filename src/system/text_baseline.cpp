#include "system/text_baseline.hpp"

#include <algorithm>
#include <cmath>
#include <string_view>

#include "core/random.hpp"
#include "data/hashed_text.hpp"
#include "sparse/linear.hpp"
#include "thalweg/loss.hpp"
#include "thalweg/optimizers.hpp"

namespace thalweg {

namespace {

std::string_view text_at(const Dataset& rows, std::int64_t row, std::string_view column = "text") {
  const Tensor& texts = rows[column];
  const std::int64_t width = texts.shape()[1];
  const auto bytes =
      texts.values<std::uint8_t>().subspan(static_cast<std::size_t>(row * width), static_cast<std::size_t>(width));
  const auto end = std::ranges::find(bytes, 0);
  return {reinterpret_cast<const char*>(bytes.data()), static_cast<std::size_t>(end - bytes.begin())};
}

data::SparseRows hashed(const Dataset& rows, data::TextHasher& hasher, std::span<const float> inverse_frequency) {
  data::SparseRows result;
  for (std::int64_t row = 0; row < rows.rows(); ++row) result.add(hasher(text_at(rows, row), inverse_frequency));
  return result;
}

/// a - b.
void subtract(data::SparseRow a, data::SparseRow b, std::vector<std::int32_t>& columns, std::vector<float>& values) {
  columns.clear();
  values.clear();
  const auto put = [&](std::int32_t column, float value) {
    columns.push_back(column);
    values.push_back(value);
  };
  std::size_t i = 0, j = 0;
  while (i < a.columns.size() || j < b.columns.size()) {
    const bool both = i < a.columns.size() && j < b.columns.size() && a.columns[i] == b.columns[j];
    const bool first = j == b.columns.size() || (i < a.columns.size() && a.columns[i] < b.columns[j]);
    if (both) {
      put(a.columns[i], a.values[i] - b.values[j]);
    } else {
      put(first ? a.columns[i] : b.columns[j], first ? a.values[i] : -b.values[j]);
    }
    i += both || first ? 1 : 0;
    j += both || !first ? 1 : 0;
  }
}

/// For each pair, the words of one text minus those of the other, and the reverse: rows 2 i and 2 i + 1.
data::SparseRows differences(const Dataset& pairs, data::TextHasher& hasher, std::span<const float> inverse_frequency) {
  data::SparseRows all;
  std::vector<std::int32_t> columns;
  std::vector<float> values;
  for (std::int64_t row = 0; row < pairs.rows(); ++row) {
    data::SparseRows sides;
    for (const char* column : {"chosen_text", "rejected_text"})
      sides.add(hasher(text_at(pairs, row, column), inverse_frequency));
    for (const std::int64_t first : {0, 1}) {
      subtract(sides[first], sides[1 - first], columns, values);
      all.add({columns, values});
    }
  }
  return all;
}

constexpr std::int64_t epochs = 10, batch = 32;
constexpr double lr = 0.5;

}  // namespace

Tensor tfidf_logistic(const Dataset& train, const Dataset& test, std::int64_t classes, std::uint64_t seed) {
  data::TextHasher hasher({.weighting = "tfidf"});
  const std::int64_t features = hasher.options().features, outputs = classes == 2 ? 1 : classes;
  const auto weights = data::inverse_frequencies(hashed(train, hasher, {}), features);
  const data::SparseRows rows = hashed(train, hasher, weights);
  const auto labels = train["target"].values<std::int32_t>();
  SparseLinear linear(features, outputs,
                      classes == 2 ? LossFunction(loss::binary_cross_entropy) : LossFunction(loss::cross_entropy),
                      optim::adagrad({.lr = lr}));
  for (std::int64_t epoch = 0; epoch < epochs; ++epoch) {
    const auto order = shuffled(RandomKey{seed}.fold("tfidf").fold(static_cast<std::uint64_t>(epoch)), rows.rows());
    for (std::size_t begin = 0; begin < order.size(); begin += batch) {
      std::vector<data::SparseRow> own;
      std::vector<std::int32_t> targets;
      for (std::size_t i = begin; i < std::min(order.size(), begin + batch); ++i) {
        own.push_back(rows[order[i]]);
        targets.push_back(labels[static_cast<std::size_t>(order[i])]);
      }
      (void)linear.learn(own, targets, lr);
    }
  }
  linear.table().settle();
  const data::SparseRows asked = hashed(test, hasher, weights);
  Tensor result({test.rows(), classes});
  for (std::int64_t row = 0; row < test.rows(); ++row) {
    const data::SparseRow one = asked[row];
    const std::int32_t any = 0;  // the prediction does not depend on it
    const auto said = linear.predict({&one, 1}, {&any, 1}).predictions;
    for (std::int64_t c = 0; c < classes; ++c)
      result.set(row * classes + c, classes > 2 ? said[static_cast<std::size_t>(c)] : c == 1 ? said[0] : 1 - said[0]);
  }
  return result;
}

std::vector<double> tfidf_preferences(const Dataset& train, const Dataset& test, std::uint64_t seed) {
  data::TextHasher hasher({.weighting = "tfidf"});
  const std::int64_t features = hasher.options().features;
  data::SparseRows texts;
  for (std::int64_t row = 0; row < train.rows(); ++row) {
    for (const char* column : {"chosen_text", "rejected_text"}) texts.add(hasher(text_at(train, row, column)));
  }
  const auto weights = data::inverse_frequencies(texts, features);
  const data::SparseRows pairs = differences(train, hasher, weights);
  SparseLinear linear(features, 1, LossFunction(loss::binary_cross_entropy), optim::adagrad({.lr = lr}));
  for (std::int64_t epoch = 0; epoch < epochs; ++epoch) {
    const auto order = shuffled(RandomKey{seed}.fold("pairs").fold(static_cast<std::uint64_t>(epoch)), train.rows());
    for (std::size_t begin = 0; begin < order.size(); begin += batch) {
      std::vector<data::SparseRow> own;  // both orders, so that the bias stays 0
      std::vector<std::int32_t> targets;
      for (std::size_t i = begin; i < std::min(order.size(), begin + batch); ++i) {
        own.insert(own.end(), {pairs[2 * order[i]], pairs[2 * order[i] + 1]});
        targets.insert(targets.end(), {1, 0});
      }
      (void)linear.learn(own, targets, lr);
    }
  }
  linear.table().settle();
  const data::SparseRows asked = differences(test, hasher, weights);
  std::vector<double> margins;
  for (std::int64_t row = 0; row < test.rows(); ++row) {
    const data::SparseRow one = asked[2 * row];
    const std::int32_t any = 0;  // the prediction does not depend on it
    const auto p = static_cast<double>(linear.predict({&one, 1}, {&any, 1}).predictions[0]);
    margins.push_back(std::log(p) - std::log1p(-p));
  }
  return margins;
}

}  // namespace thalweg
