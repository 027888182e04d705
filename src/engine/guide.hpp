#pragma once
// The memory of an engine for an optimizer that asks for more than the gradient of its batch.

#include <memory>
#include <optional>
#include <vector>

#include "engine/products.hpp"
#include "engine/slope_program.hpp"
#include "optim/elements.hpp"

namespace thalweg {

class Guide {
 public:
  /// A run of adjacent parameters that are stepped, and the place of their gradients in the packed gradient.
  struct Piece {
    std::int64_t at, gradient_at, size;
  };

  /// For the trained parameters of a state's layout.
  explicit Guide(const Layout& trained);

  [[nodiscard]] const std::vector<Piece>& pieces() const { return pieces_; }
  [[nodiscard]] std::int64_t size() const { return size_; }  ///< of the packed gradient, in elements
  /// One run of a state's parameters, and the same run of a packed vector.
  [[nodiscard]] static Elements of_parameters(State& state, const Piece& piece);
  [[nodiscard]] Elements of_packed(std::byte* packed, const Piece& piece) const;

  /// Replaces the stepped parameters during its lifetime, and restores them at the end.
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

  /// Vectors in the form of products: of all trained parameters of the state.
  Tensor signs, product;
  std::optional<Products> products = {};
  std::vector<std::unique_ptr<const SlopeProgram>> slope_programs = {};

 private:
  std::vector<Piece> pieces_;
  std::int64_t size_ = 0;
  DType dtype_;
  Block kept_;
};

}  // namespace thalweg
