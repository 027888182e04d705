#pragma once
// What a run was like in one of its steps: how noisy its gradient, how far each parameter went, how sharp the loss.

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "thalweg/tensor.hpp"

namespace thalweg {

/// The effective rates of some parameters: |change| / |gradient|, element by element, of one step and its batch. Of
/// plain descent all are the learning rate.
struct RateHistogram {
  /// Bin k has the rates from 10^((k - 1/2) / 4) to 10^((k + 1/2) / 4).
  std::map<int, std::int64_t> bins = {};
  /// Those that did not move by more than rounding, or whose gradient was 0.
  std::int64_t unmoved = 0;

  [[nodiscard]] static double rate_of(int bin);
  [[nodiscard]] std::int64_t moved() const;
  /// The rate that this part of those that moved does not exceed; NaN where none moved.
  [[nodiscard]] double quantile(double part) const;
};

struct Look {
  struct Layer {
    std::string name;
    double update =
        0;  ///< the norm of its change in the step over the norm of its parameters before; NaN where those are 0
    RateHistogram rates = {};
  };
  struct Sharpness {
    double value = 0, error = 0;
  };
  std::int64_t step = 0, epoch = 0;
  double lr = 0;
  std::int64_t batch_size = 0;            ///< rows of the step
  double signal = 0, noise = 0;           ///< |G|^2 and tr(S): see GradientNoise
  std::optional<Sharpness> largest = {};  ///< eigenvalue of the Hessian
  std::vector<Layer> layers = {};
};

/// Over some looks: the mean noise over the mean signal, in rows. The ratio of means, for a mean of ratios is of no
/// use. NaN where the mean signal is not above 0.
[[nodiscard]] double noise_scale(std::span<const Look> looks);
/// The mean signal over the mean variance of a batch's gradient.
[[nodiscard]] double signal_to_noise(std::span<const Look> looks);

/// What a step changed of some parameters.
struct Moved {
  RateHistogram rates = {};
  double change = 0, before = 0;  ///< squared norms: of the change, and of the values before it

  /// Of the elements [begin, end), by the gradient that the step had there.
  void add(const Tensor& values_before, const Tensor& values_after, const Tensor& gradient, std::int64_t begin,
           std::int64_t end);
};

}  // namespace thalweg
