#pragma once
// The operands of products and convolutions. Operands in another type or order than a library accepts are converted
// into its scratch by a text before it runs; its results are converted back afterwards.

#include <array>
#include <numeric>
#include <vector>

#include "cuda/driver.hpp"

namespace thalweg::cuda {

/// A type that the libraries read and write.
enum class Element : std::uint8_t { f32, f64, bf16 };

[[nodiscard]] constexpr std::size_t bytes_of(Element element) {
  return element == Element::f64 ? 8 : element == Element::f32 ? 4 : 2;
}

/// The number of elements, without the check of Shape's own, which the shapes of a site have passed.
[[nodiscard]] inline std::int64_t elements_of(const Shape& shape) {
  return std::accumulate(shape.begin(), shape.end(), std::int64_t{1}, std::multiplies<>());
}

/// A value of a call: its form in memory, and the form that the library needs.
struct Operand {
  std::int64_t rows = 1, columns = 1;  ///< as it lies in memory, row by row
  Element lies = Element::f32;
  Element wanted = Element::f32;
  bool rounded = false;  ///< stored in f32, but used as the nearest bf16
  bool turned = false;   ///< the library needs it column by column

  [[nodiscard]] bool turns() const { return turned && rows > 1 && columns > 1; }
  [[nodiscard]] bool is_as_wanted() const { return lies == wanted && !rounded && !turns(); }
  [[nodiscard]] std::size_t wanted_bytes() const { return static_cast<std::size_t>(rows * columns) * bytes_of(wanted); }
};

/// One way in which a library can take the operands of a site.
struct Types {
  Element inputs = Element::f32, output = Element::f32;
  /// Whether all factors are bf16 values, so that TF32 does not round them.
  bool exact_in_tf32 = false;
};

/// The ways to compute at a site, the best first. Operands that all are bf16 go as they are, or in f32; `widens` says
/// that the library gives f32 of bf16.
[[nodiscard]] std::vector<Types> ways_of(const KernelSite& site, bool widens);
/// An input or the output of a site, in one of its ways; it is still to be said how it is turned.
[[nodiscard]] Operand input_of(const KernelSite& site, std::size_t k, const Types& types);
[[nodiscard]] Operand output_of(const KernelSite& site, const Types& types);

/// Where the scratch of a library begins: its workspace must be at a multiple of 256.
inline constexpr std::size_t library_alignment = 256;

/// The operands of one kernel of two inputs, with the room for them in its scratch.
class Operands {
 public:
  /// Where the library finds its operands in one call.
  struct Places {
    std::array<const std::byte*, 2> inputs;
    std::byte* output;
    std::byte* workspace;
  };

  Operands(Stream& stream, const std::array<Operand, 2>& inputs, const Operand& output, std::size_t workspace);

  /// Bytes, with those that are left out to begin at a multiple of library_alignment.
  [[nodiscard]] std::size_t scratch() const { return scratch_ == 0 ? 0 : scratch_ + library_alignment; }
  /// Brings the inputs to the library.
  [[nodiscard]] Places bring(const KernelCall& call) const;
  /// Takes its output back.
  void take(const KernelCall& call, const Places& places) const;

 private:
  struct Passage {
    Kernel kernel;  ///< without `run` where the operand is used where it lies
    std::size_t at = 0;
  };

  Passage passage(Stream& stream, const Operand& operand, bool back);

  std::size_t scratch_ = 0;  // the passages that follow take their places in it
  std::array<Passage, 2> inputs_;
  Passage output_;
  std::size_t workspace_at_;
};

/// Brings an operand to the library, or back.
[[nodiscard]] EmittedKernel text_of_passage(const Operand& operand, bool back);
[[nodiscard]] EmittedKernel text_of_zeros(Element element, std::int64_t n);
/// A kernel that writes zeros over its output: a product that sums nothing.
[[nodiscard]] Kernel make_zeros(Stream& stream, const KernelSite& site);

}  // namespace thalweg::cuda
