// CartPole: a pole on a cart, which is pushed left or right so that the pole stays up.

#include <fmt/format.h>

#include <array>
#include <cmath>
#include <numbers>

#include "core/random.hpp"
#include "thalweg/environment.hpp"

namespace thalweg {

namespace {

// Metres, kilograms and seconds, as in Gym's CartPole-v1.
constexpr double gravity = 9.8, cart_mass = 1.0, pole_mass = 0.1, half_length = 0.5, force = 10.0, interval = 0.02;
constexpr double farthest = 2.4, steepest = 12 * 2 * std::numbers::pi / 360, start_spread = 0.05;
constexpr std::int64_t longest = 500;

class CartPole final : public Environment {
 public:
  [[nodiscard]] std::string_view name() const override { return "cartpole"; }
  [[nodiscard]] Shape observation_shape() const override { return {4}; }
  [[nodiscard]] std::int64_t actions() const override { return 2; }
  [[nodiscard]] std::string action_name(std::int64_t action) const override { return action == 0 ? "left" : "right"; }
  [[nodiscard]] std::unique_ptr<Environment> copy() const override { return std::make_unique<CartPole>(*this); }
  [[nodiscard]] std::string drawing() const override;

 protected:
  void start(std::uint64_t seed) override {
    const RandomKey key = RandomKey{seed}.fold("cartpole");
    for (std::size_t i = 0; i < state_.size(); ++i) state_[i] = start_spread * (2 * random_unit(key, i) - 1);
  }

  /// The equations of Barto, Sutton and Anderson (1983) without friction, one step of Euler's method.
  Result act(std::int64_t action) override {
    auto& [x, v, angle, turn] = state_;
    constexpr double mass = cart_mass + pole_mass, moment = pole_mass * half_length;
    const double push = action == 1 ? force : -force, cosine = std::cos(angle), sine = std::sin(angle);
    const double both = (push + moment * (turn * turn) * sine) / mass;
    const double turning =
        (gravity * sine - cosine * both) / (half_length * (4.0 / 3.0 - pole_mass * (cosine * cosine) / mass));
    const double speeding = both - moment * turning * cosine / mass;
    x += interval * v;
    v += interval * speeding;
    angle += interval * turn;
    turn += interval * turning;
    const bool fell = std::abs(x) > farthest || std::abs(angle) > steepest;
    return {.reward = 1, .over = fell, .cut = steps() + 1 >= longest};
  }

  void look(std::span<float> into) const override {
    for (std::size_t i = 0; i < state_.size(); ++i) into[i] = static_cast<float>(state_[i]);
  }

 private:
  // position and speed of the cart, angle of the pole to the right and its angular speed
  std::array<double, 4> state_ = {};
};

/// The track from the left border to the right one, and the pole, five characters high, with its angle exaggerated.
std::string CartPole::drawing() const {
  constexpr std::ptrdiff_t width = 61, height = 5;
  const auto column = [](double x) {
    return std::clamp<std::ptrdiff_t>(std::lround((x / farthest + 1) / 2 * (width - 1)), 0, width - 1);
  };
  std::string text;
  for (std::ptrdiff_t row = height; row >= 1; --row) {
    std::string line(width, ' ');
    const auto across = std::lround(static_cast<double>(row) * state_[2] / steepest);
    line[static_cast<std::size_t>(std::clamp<std::ptrdiff_t>(column(state_[0]) + across, 0, width - 1))] =
        state_[2] > steepest / 4    ? '/'
        : state_[2] < -steepest / 4 ? '\\'
                                    : '|';
    text += line + "\n";
  }
  std::string cart(width, '_');
  for (std::ptrdiff_t at = column(state_[0]) - 2; at <= column(state_[0]) + 2; ++at) {
    if (at >= 0 && at < width) cart[static_cast<std::size_t>(at)] = '=';
  }
  return text + cart +
         fmt::format("\nstep {:3}  place {:+.2f} m  angle {:+.1f} degrees\n", steps(), state_[0],
                     state_[2] * 180 / std::numbers::pi);
}

}  // namespace

std::vector<EnvironmentRow> cartpole_environments() {
  return {{.name = "cartpole",
           .summary = "a pole on a cart, pushed left or right; a reward of 1 a step until it falls, at most 500",
           .source = "Barto, Sutton and Anderson 1983; constants and limits as Gym's CartPole-v1",
           .make = [] { return std::make_unique<CartPole>(); }}};
}

}  // namespace thalweg
