#pragma once
// What an engine keeps for an optimizer that asks for more than the gradient of its batch.

#include <optional>
#include <vector>

#include "engine/products.hpp"
#include "optim/elements.hpp"

namespace thalweg {

class Guide {
 public:
  /// Parameters that are stepped and lie side by side, and where their gradients lie among those that are packed.
  struct Piece {
    std::int64_t at, gradient_at, size;
  };

  /// For what is trained of a state's layout.
  explicit Guide(const Layout& trained);

  [[nodiscard]] const std::vector<Piece>& pieces() const { return pieces_; }
  [[nodiscard]] std::int64_t size() const { return size_; }  ///< of the packed gradient, in elements
  /// A piece of a state's parameters, and of something packed.
  [[nodiscard]] static Elements of_parameters(State& state, const Piece& piece);
  [[nodiscard]] Elements of_packed(std::byte* packed, const Piece& piece) const;

  /// Other parameters for as long as it lives: those that are stepped are then as they were.
  class Elsewhere {
   public:
    Elsewhere(Guide& guide, State& state);
    Elsewhere(const Elsewhere&) = delete;
    Elsewhere& operator=(const Elsewhere&) = delete;
    ~Elsewhere();

   private:
    Guide& guide_;
    State& state_;
  };

  /// Vectors as products have them: of all trained parameters of the state.
  Tensor signs, product;
  std::optional<Products> products = {};

 private:
  std::vector<Piece> pieces_;
  std::int64_t size_ = 0;
  DType dtype_;
  Block kept_;
};

}  // namespace thalweg
