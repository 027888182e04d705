#pragma once
// How a run went, in a word, with the numbers that say so.

#include <string>
#include <string_view>
#include <vector>

#include "thalweg/train.hpp"

namespace thalweg {

enum class VerdictKind { diverged, crawling, still_falling, converged, overfitting };
[[nodiscard]] std::string_view name(VerdictKind kind);  ///< "still falling"

struct Evidence {
  std::string name;  ///< "late_fall"
  double value = 0;
  std::string sentence;  ///< "Between the last two fifths of the run the loss fell by 4.1 % of its whole fall."
};

struct Verdict {
  VerdictKind kind = VerdictKind::converged;
  std::string sentence;
  std::vector<Evidence> evidence;
  std::string advice;  ///< what to try next
};

/// The thresholds of the rules.
namespace verdict_rule {
inline constexpr std::int64_t fewest_steps = 10;    ///< a shorter run is not judged: it is still falling
inline constexpr double given_back = 0.5;           ///< diverged: of what the loss had gained
inline constexpr double blow_up_margin = 0.05;      ///< diverged: and this part of the first loss on top
inline constexpr double stayed_up = 0.1;            ///< diverged: it rose above twice the first, and ended in its reach
inline constexpr double validation_rise = 0.05;     ///< overfitting: above the lowest, as a part of it
inline constexpr double crawling_fall = 0.5;        ///< crawling: it fell by less than this part of the first loss
inline constexpr double crawling_pace = 0.6;        ///< crawling: pace of the second half, as a part of the first's
inline constexpr double motionless_fall = 0.01;     ///< crawling: it fell by less than this part, and so did not move
inline constexpr double motionless_gradient = 0.5;  ///< and the gradient kept at least this part of its norm
inline constexpr double late_fall = 0.03;           ///< still falling: between the last two fifths, of the whole fall
inline constexpr double annealed = 0.05;            ///< still falling: the schedule took the rate below this part
inline constexpr double second_half_fall = 0.25;    ///< and then: in the second half of the sum of rates
inline constexpr double late_fall_of_level = 0.002;  ///< and of the loss itself
inline constexpr double significance = 2;            ///< standard errors that tell a trend from noise
}  // namespace verdict_rule

/// The first of these that holds. L is the loss of the steps (of the epochs where no steps were kept), a level its mean
/// over a stretch of the run, noise what a curve moves against its own trend.
///
/// - diverged: a loss that is not finite; or the level of the last twentieth is above the lowest by more than
///   `given_back` of what had been gained, by `blow_up_margin` of |first loss| and by more than noise on top; or it
///   stood above the first loss by as much again, and came no lower than that less `stayed_up` of it by the end.
/// - overfitting: the level of the last fifth of "validation.loss" is above its lowest value by more than noise and by
///   more than `validation_rise` of it, while the training loss went on falling after that epoch.
/// - crawling, the rate is too low: L fell by less than `crawling_fall` of the first loss, and by as much for each unit
///   of rate in the second half of the run as in the first (at least `crawling_pace`): no bend is in sight. Or L fell
///   by less than `motionless_fall` (by epochs, where there are enough) while the gradient kept at least
///   `motionless_gradient` of its norm.
/// - still falling: between the last two fifths, "validation.loss" (where it was measured often enough, else L) fell by
///   more than `late_fall` of its whole fall, `late_fall_of_level` of its level and more than noise. Where a schedule
///   brought the rate below `annealed` of its highest, every curve ends flat; there it is by the sum of the rates: in
///   its second half, that curve fell by more than `second_half_fall` of the whole fall from the first loss. (A run of
///   fewer than `fewest_steps` steps counts as one.)
/// - converged: otherwise.
///
/// Where the run recorded the layers' gradients, what they say (gradient_flow) is the last of the evidence; a loss that
/// fell by less than `stayed_up` while they vanish is crawling, whatever else would hold.
[[nodiscard]] Verdict judge(const History& history);

}  // namespace thalweg
