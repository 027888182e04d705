#pragma once
// The memory of an engine for an optimizer that asks for more than the gradient of its batch.

#include <memory>
#include <optional>
#include <vector>

#include "engine/products.hpp"
#include "engine/slope_program.hpp"
#include "engine/vectors.hpp"

namespace thalweg {

class Guide {
 public:
  /// A run of adjacent parameters that are stepped, and the place of their gradients in the packed gradient.
  struct Piece {
    std::int64_t at, gradient_at, size;
  };

  /// For the trained parameters of a state's layout, whose bytes are with a device, or here where that is null.
  Guide(const Layout& trained, Device* far, Workers& workers);

  [[nodiscard]] const std::vector<Piece>& pieces() const { return pieces_; }
  [[nodiscard]] std::int64_t size() const { return size_; }  ///< of the packed gradient, in elements
  /// One run of a state's parameters, and the same run of a packed vector.
  [[nodiscard]] Elements of_parameters(State& state, const Piece& piece) const;
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

  /// The same of a vector in the form of products.
  [[nodiscard]] Elements run_of(std::byte* vector, const Piece& piece) const;
  [[nodiscard]] Elements of_vector(Tensor& vector, const Piece& piece) const;

  Vectors vectors;
  /// In the form of products: of all trained parameters of the state.
  Tensor product;
  std::optional<Products> products = {};
  std::vector<std::unique_ptr<const SlopeProgram>> slope_programs = {};

 private:
  std::vector<Piece> pieces_;
  std::int64_t size_ = 0;
  DType dtype_;
  Device* far_;
  Block kept_;
};

}  // namespace thalweg
