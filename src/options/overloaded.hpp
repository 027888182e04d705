#pragma once
// A visitor made of functions, one for each type.

namespace thalweg {

template <class... Ts>
struct Overloaded : Ts... {
  using Ts::operator()...;
};
template <class... Ts>
Overloaded(Ts...) -> Overloaded<Ts...>;

}  // namespace thalweg
