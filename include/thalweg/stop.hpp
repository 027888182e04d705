#pragma once
// Stop: a token that asks a long call to end.

#include <concepts>
#include <functional>
#include <utility>

namespace thalweg {

/// Can be made from a std::stop_token, from anything else with `stop_requested()`, or from a function that returns a
/// bool. The training thread checks it between steps and while a collection is made.
class Stop {
 public:
  Stop() = default;
  template <class Token>
  requires(!std::same_as<Token, Stop>) && requires(const Token& token) {
    { token.stop_requested() } -> std::convertible_to<bool>;
  }
  Stop(Token token) : asked_([token = std::move(token)] { return bool{token.stop_requested()}; }) {}
  template <std::predicate Asked>
  Stop(Asked asked) : asked_(std::move(asked)) {}

  [[nodiscard]] bool stop_requested() const { return asked_ && asked_(); }

 private:
  std::function<bool()> asked_;
};

}  // namespace thalweg
