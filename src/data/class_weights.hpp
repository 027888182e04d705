#pragma once
// Classes of unequal size that weigh the same.

#include "thalweg/data.hpp"

namespace thalweg::data {

/// Gives the rows weights so that every class of "target" weighs the same: total / (classes * total of the class),
/// times the row's own weight where there is one. Throws UsageError where the targets are no classes.
void balance_classes(Dataset& data);

}  // namespace thalweg::data
