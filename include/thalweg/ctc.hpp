#pragma once
// Connectionist temporal classification: labels for a sequence of frames, when it is not known which frame belongs to
// which label (Graves et al. 2006). A path has one class per frame. It stands for the labels that remain when
// repetitions are merged and blanks are dropped: "aa-ab" stands for "aab".

#include <cstdint>
#include <span>
#include <vector>

#include "thalweg/tensor.hpp"
#include "thalweg/var.hpp"

namespace thalweg {

struct CtcOptions {
  std::int64_t blank = 0;      ///< the class that stands for no label
  bool zero_infinity = false;  ///< samples whose labels do not fit their frames have loss and gradient 0
};

/// -log p(labels), where p is the sum, over all paths that stand for the labels, of the product of softmax(logits) over
/// the frames. logits (batch, time, classes); labels i32 (batch, most), of which the first lengths[i] count and must
/// not be the blank; frames i32 (batch): how many frames of each sample count; lengths i32 (batch). -> (batch).
///
/// Computed with its gradient by forward and backward recursion over logarithms of probabilities (Graves et al., eq. 6
/// to 16). Each label needs one frame, and one more between two equal labels; where there are fewer frames, the loss is
/// infinite and its gradient NaN, as in PyTorch, or both are 0 with `zero_infinity`. Throws UsageError for shapes that
/// do not fit, and, when it runs, for a label, a length or a number of frames out of range.
Var ctc_loss(const Arg& logits, const Arg& labels, const Arg& frames, const Arg& lengths,
             const CtcOptions& options = {});

namespace ctc {

/// The number of frames that labels need: one each, and one more between two equal labels.
[[nodiscard]] inline std::int64_t frames_needed(std::span<const std::int32_t> labels) {
  auto frames = static_cast<std::int64_t>(labels.size());
  for (std::size_t i = 1; i < labels.size(); ++i) frames += labels[i] == labels[i - 1] ? 1 : 0;
  return frames;
}

/// Labels, and the logarithm of the part of their probability that the search found.
struct Reading {
  std::vector<std::int32_t> labels;
  double log_probability = 0;
};

/// The labels of the likeliest path of one sample. logits (time, classes), f32 or f64, not normalised: log_softmax is
/// applied to each row.
[[nodiscard]] Reading greedy(const Tensor& logits, std::int64_t blank = 0);

/// The likeliest labels of one sample by a beam search that keeps the `width` likeliest prefixes at each frame, each
/// with the sum over its paths (Hannun et al. 2014); the best first. Of equal ones, the one found first. Throws
/// UsageError for a width below 1.
[[nodiscard]] std::vector<Reading> beam(const Tensor& logits, std::int64_t width, std::int64_t blank = 0);

}  // namespace ctc
}  // namespace thalweg
