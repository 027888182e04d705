#include "system/text_baseline.hpp"

#include <algorithm>
#include <string_view>

#include "core/random.hpp"
#include "data/hashed_text.hpp"
#include "sparse/linear.hpp"
#include "thalweg/loss.hpp"
#include "thalweg/optimizers.hpp"

namespace thalweg {

namespace {

std::string_view text_at(const Dataset& rows, std::int64_t row) {
  const Tensor& texts = rows["text"];
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

}  // namespace

Tensor tfidf_logistic(const Dataset& train, const Dataset& test, std::int64_t classes, std::uint64_t seed) {
  constexpr std::int64_t epochs = 10, batch = 32;
  constexpr double lr = 0.5;
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
    const std::int32_t any = 0;  // what is predicted does not depend on it
    const auto said = linear.predict({&one, 1}, {&any, 1}).predictions;
    for (std::int64_t c = 0; c < classes; ++c)
      result.set(row * classes + c, classes > 2 ? said[static_cast<std::size_t>(c)] : c == 1 ? said[0] : 1 - said[0]);
  }
  return result;
}

}  // namespace thalweg
