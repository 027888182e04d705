#pragma once
// Stop: the token with which a long call is asked to end.

#include <concepts>
#include <functional>
#include <utility>

namespace thalweg {

/// Made from a std::stop_token, or anything else that has `stop_requested()`, or a function that says so. Asked between
/// steps, and while a collection is made, by the thread that trains.
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
