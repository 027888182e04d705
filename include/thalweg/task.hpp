#pragma once
// Task: what the targets are; it decides what a prediction is and which metrics count.

namespace thalweg {

enum class Task {
  regression,  ///< targets are numbers; a prediction is a number, in the target's own unit
  binary,      ///< targets are 0 or 1; a prediction is the probability of 1
  multiclass,  ///< a target is one class of several; a prediction is the probability of each
  language,    ///< a class at every place of a row, as in a text; predictions are not kept, because there are too many
  other,       ///< anything else, such as pairs or triplets: predictions are the model's outputs, and no metric counts
};

}  // namespace thalweg
