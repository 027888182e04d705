#pragma once
// How fast the training loss of a run falls, and how close it is to its end.

#include "insight/attempts.hpp"

namespace thalweg {

constexpr double by_heart = 0.03;  // training over validation loss: below it, the training rows are memorised

/// The course of the training loss: by epochs where there are enough of them, because an epoch has every row
/// once.
[[nodiscard]] const Curve& training_curve(const Course& run);

/// Whether the loss falls without a bend, in both halves of the run.
struct Pace {
  bool falls = false;
  double ratio = 0;  ///< the slope of the second half over that of the first
  double part = 0;   ///< the fall, as a fraction of the loss
};
[[nodiscard]] Pace pace_of(const Course& run);

/// Whether the loss falls steadily, by more than this fraction of itself, on the validation rows too.
[[nodiscard]] bool falls_by(const Case& run, double least);

/// The pace of fewer epochs, at least three: the slope of the last epoch over that of the epochs before. It falls where
/// training and validation loss fell in each epoch.
[[nodiscard]] Pace pace_of_few(const Case& run);
/// Whether the loss falls steadily in few epochs, by more than this fraction of itself.
[[nodiscard]] bool falls_in_each_epoch(const Case& run, double least);

/// An estimate of the last validation loss on rows like the training rows: a single outlier among few validation rows
/// gives every model a far higher loss there, the best constant too.
[[nodiscard]] double held_out_end(const Case& run);

/// Whether almost nothing is left to learn on the training rows, while the loss on other rows is far higher.
[[nodiscard]] bool knows_by_heart(const Case& run);

/// Whether the training loss is well below the best constant's, of a run that has validation rows.
[[nodiscard]] bool learned_in_part(const Case& run);

}  // namespace thalweg
