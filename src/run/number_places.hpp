#pragma once
// Tells a model that embeds numbers which of its inputs are numbers.

#include "data/preprocessing.hpp"
#include "run/config.hpp"
#include "thalweg/data.hpp"

namespace thalweg {

/// The columns that hold the numbers themselves, and the days of dates, in the input as a model gets it: with learned
/// numbers in place of the categories that are embedded.
[[nodiscard]] std::vector<std::int64_t> number_places(const data::TablePreprocessing& table);

/// For the piecewise linear encoding of these numbers: of each, in order, pieces + 1 quantiles of its values in the
/// rows.
[[nodiscard]] std::vector<double> number_knots(const data::TablePreprocessing& table, const Dataset& rows,
                                               std::int64_t pieces);

/// A model with an option `numbers`, such as `tabular`, with the places and knots of a table's numbers, unless its
/// options say which. Where the table has none, nothing is embedded. `rows` are the training part.
[[nodiscard]] Choice with_numbers_of(Choice model, const data::Preprocessing& preprocessing, const Dataset& rows);

}  // namespace thalweg
