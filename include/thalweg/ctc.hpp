#pragma once
// Connectionist temporal classification: sequences of labels read off frames, where nobody said which frame shows which
// label (Graves et al. 2006). A path has one class a frame, and stands for the labels that are left once repetitions
// are one and the blank is dropped: "aa-ab" stands for "aab".

#include <cstdint>
#include <vector>

#include "thalweg/tensor.hpp"
#include "thalweg/var.hpp"

namespace thalweg {

struct CtcOptions {
  std::int64_t blank = 0;      ///< the class that stands for no label
  bool zero_infinity = false;  ///< samples whose labels do not fit their frames have loss and gradient 0
};

/// -log of the probability of the labels: the sum over all paths that stand for them of the product of softmax(logits)
/// at each frame. logits (batch, time, classes); labels i32 (batch, most), of which the first lengths[i] count and are
/// not the blank; frames i32 (batch), how many of each sample count; lengths i32 (batch). -> (batch).
///
/// Forward and backward recursion in the logarithm of probabilities (Graves et al., eq. 6 to 16), and the gradient with
/// it: one pass over the frames and one back. Labels need a frame each, and one between two that are equal: where there
/// are fewer, the loss is infinite and its gradient NaN, as in PyTorch, or both are 0 with `zero_infinity`. Throws
/// UsageError for shapes that do not fit, and, when it runs, for a label, a length or a number of frames out of range.
Var ctc_loss(const Arg& logits, const Arg& labels, const Arg& frames, const Arg& lengths,
             const CtcOptions& options = {});

namespace ctc {

/// Labels, and the logarithm of their probability as far as the search added it up.
struct Reading {
  std::vector<std::int32_t> labels;
  double log_probability = 0;
};

/// What the likeliest path of one sample stands for. logits (time, classes), f32 or f64: any rows that log_softmax
/// makes logarithms of probabilities.
[[nodiscard]] Reading greedy(const Tensor& logits, std::int64_t blank = 0);

/// The likeliest labels of one sample by a search that keeps the `width` likeliest beginnings at each frame, each as
/// the sum over its paths (Hannun et al. 2014); the best first. Of equals, the one found first. Throws UsageError for a
/// width below 1.
[[nodiscard]] std::vector<Reading> beam(const Tensor& logits, std::int64_t width, std::int64_t blank = 0);

}  // namespace ctc
}  // namespace thalweg
