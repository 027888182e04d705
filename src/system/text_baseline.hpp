#pragma once
// A linear model of weighted words: a baseline for classifiers of sentences and for rewards.

#include <cstdint>
#include <vector>

#include "thalweg/data.hpp"

namespace thalweg {

/// Probabilities (rows of test, classes) by a logistic regression of TF-IDF over 2^18 hashed words (as the system
/// text_classifier makes them, with its defaults), learned from the columns "text" and "target" of `train`. Texts are
/// u8 (rows, bytes), padded with zeros. The seed decides the order of the rows.
[[nodiscard]] Tensor tfidf_logistic(const Dataset& train, const Dataset& test, std::int64_t classes,
                                    std::uint64_t seed);

/// Learns a reward that is linear in such words (Bradley and Terry 1952) from the columns "chosen_text" and
/// "rejected_text" of `train`. Returns, for each row of `test`, the reward of the chosen text minus that of the
/// rejected text.
[[nodiscard]] std::vector<double> tfidf_preferences(const Dataset& train, const Dataset& test, std::uint64_t seed);

}  // namespace thalweg
