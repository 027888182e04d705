#pragma once
// Tells a model that embeds numbers which of its inputs are numbers.

#include "data/preprocessing.hpp"
#include "run/config.hpp"

namespace thalweg {

/// The columns that hold the numbers themselves, and the days of dates, in the input as a model gets it: with learned
/// numbers in place of the categories that are embedded.
[[nodiscard]] std::vector<std::int64_t> number_places(const data::TablePreprocessing& table);

/// A model with an option `numbers`, such as `tabular`, with the places of a table's numbers, unless its options say
/// which. Where the table has none, nothing is embedded.
[[nodiscard]] Choice with_number_places(Choice model, const data::Preprocessing& preprocessing);

}  // namespace thalweg
