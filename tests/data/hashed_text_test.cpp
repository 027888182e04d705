// Hashed words against scikit-learn: values of MurmurHash3, and the rows of its HashingVectorizer.

#include "data/hashed_text.hpp"

#include <gtest/gtest.h>

#include <cmath>

namespace thalweg::data {
namespace {

// The expected values are those of sklearn.utils.murmurhash3_32(text, positive=True).
TEST(HashedText, HashesAsMurmurHash3) {
  EXPECT_EQ(murmur3(""), 0u);
  EXPECT_EQ(murmur3("a"), 1009084850u);
  EXPECT_EQ(murmur3("hello"), 613153351u);
  EXPECT_EQ(murmur3("brown fox"), 4231684034u);
}

// The expected rows are those of HashingVectorizer(n_features=50, ngram_range=(1, 2)) of scikit-learn 1.2.1.
TEST(HashedText, RowsAreThoseOfAHashingVectorizer) {
  TextHasher hasher({.features = 50, .ngrams = 2});
  const SparseRow row = hasher("The quick brown fox, the lazy dog_1; a 42 FOX!");
  const std::vector<std::int32_t> columns = {2, 5, 8, 12, 15, 17, 22, 31, 32, 35, 37, 38};
  const std::vector<double> values = {-0.242536, 0.242536, -0.485071, -0.242536, -0.485071, -0.242536,
                                      -0.242536, 0.242536, -0.242536, 0.242536,  -0.242536, 0};
  ASSERT_EQ(std::vector<std::int32_t>(row.columns.begin(), row.columns.end()), columns);
  for (std::size_t i = 0; i < values.size(); ++i) EXPECT_NEAR(row.values[i], values[i], 1e-6) << columns[i];
}

TEST(HashedText, ATextWithoutWordsIsARowWithoutEntries) {
  TextHasher hasher({});
  EXPECT_TRUE(hasher("").columns.empty());
  EXPECT_TRUE(hasher("! a ; b").columns.empty());
}

TEST(HashedText, RareWordsHaveLargerWeights) {
  SparseRows rows;
  const std::vector<std::int32_t> both = {0, 2}, one = {0};
  const std::vector<float> two_values = {1, 1}, one_value = {1};
  rows.add({both, two_values});
  rows.add({one, one_value});
  const std::vector<float> weights = inverse_frequencies(rows, 3);
  EXPECT_FLOAT_EQ(weights[0], 1);
  EXPECT_FLOAT_EQ(weights[1], static_cast<float>(std::log(3.0) + 1));
  EXPECT_FLOAT_EQ(weights[2], static_cast<float>(std::log(1.5) + 1));
}

}  // namespace
}  // namespace thalweg::data
