#pragma once
// Row weights that give every class the same total weight.

#include "thalweg/data.hpp"

namespace thalweg::data {

/// Weighs the rows so that every class of "target" has the same total weight: total / (classes * total of the class),
/// times the row's own weight if it has one. Throws UsageError if the targets are not classes.
void balance_classes(Dataset& data);

}  // namespace thalweg::data
