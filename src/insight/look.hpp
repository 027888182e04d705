#pragma once
// What is measured of one step of a run: the noise of its gradient, how far each parameter moved, the sharpness of the
// loss.

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "insight/spectrum.hpp"
#include "thalweg/tensor.hpp"

namespace thalweg {

/// The effective learning rates of some parameters in one step: |change| / |gradient| of each element. For plain
/// gradient descent all of them are the learning rate.
struct RateHistogram {
  /// Bin k has the rates from 10^((k - 1/2) / 4) to 10^((k + 1/2) / 4).
  std::map<int, std::int64_t> bins = {};
  /// Elements that moved by no more than rounding, or whose gradient was 0.
  std::int64_t unmoved = 0;

  [[nodiscard]] static double rate_of(int bin);
  [[nodiscard]] std::int64_t moved() const;
  /// The quantile of the effective rates of the elements that moved; NaN where none moved.
  [[nodiscard]] double quantile(double part) const;
};

struct Look {
  struct Layer {
    std::string name;
    double update =
        0;  ///< the norm of the change of its parameters over the norm of the parameters before; NaN where they are 0
    RateHistogram rates = {};
  };
  struct Sharpness {
    double value = 0, error = 0;
  };
  std::int64_t step = 0, epoch = 0;
  double lr = 0;
  std::int64_t batch_size = 0;            ///< rows of a step; the last of an epoch may have fewer
  double signal = 0, noise = 0;           ///< |G|^2 and tr(S): see GradientNoise
  std::optional<Sharpness> largest = {};  ///< the largest eigenvalue of the Hessian
  std::vector<Layer> layers = {};
};

/// The mean noise of several looks over their mean signal, in rows. It is a ratio of means, because a mean of ratios is
/// biased and noisy. NaN where the mean signal is not above 0. The error is estimated by the jackknife over the looks,
/// and infinite for fewer than 3, or where no signal is left without one of them.
[[nodiscard]] Estimate noise_scale(std::span<const Look> looks);
/// The mean signal over the mean variance of a batch's gradient.
[[nodiscard]] double signal_to_noise(std::span<const Look> looks);

/// The change of some parameters in a step.
struct Moved {
  RateHistogram rates = {};
  double change = 0, before = 0;  ///< squared norms of the change and of the values before

  /// The change of the elements [begin, end), given the gradient of the step there.
  void add(const Tensor& values_before, const Tensor& values_after, const Tensor& gradient, std::int64_t begin,
           std::int64_t end);
};

}  // namespace thalweg
