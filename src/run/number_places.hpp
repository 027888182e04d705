#pragma once
// Tells a model what it needs to know of its table: which of its inputs are numbers, and how far its targets reach.

#include <optional>
#include <utility>

#include "data/preprocessing.hpp"
#include "run/config.hpp"
#include "thalweg/data.hpp"
#include "thalweg/loss.hpp"

namespace thalweg {

/// The columns with numbers and with the days of dates in the input of a model, in which embedded categories are
/// already replaced by learned numbers.
[[nodiscard]] std::vector<std::int64_t> number_places(const data::TablePreprocessing& table);

/// The knots for the piecewise linear encoding of these numbers: for each of them, in order, pieces + 1 quantiles of
/// its values in the rows.
[[nodiscard]] std::vector<double> number_knots(const data::TablePreprocessing& table, const Dataset& rows,
                                               std::int64_t pieces);

/// Sets the places and knots of a table's numbers in a model with an option `numbers`, such as `tabular`, unless its
/// options already have them. If the table has no numbers, nothing is embedded. `rows` are the training part.
[[nodiscard]] Choice with_numbers_of(Choice model, const data::Preprocessing& preprocessing, const Dataset& rows);
/// Sets the lowest and the highest target of a table in a model with an option `limits`, unless its options already
/// have them or its outputs are no numbers in the unit of the targets. `rows` are the training part.
[[nodiscard]] Choice with_limits_of(Choice model, const LossFunction& loss, const data::Preprocessing& preprocessing,
                                    const Dataset& rows);

/// The limits of a model's predictions in the unit of the target, as predictions at them are; none if it has none.
[[nodiscard]] std::optional<std::pair<double, double>> limits_in_units(const Choice& model,
                                                                       const data::TablePreprocessing& table);

}  // namespace thalweg
