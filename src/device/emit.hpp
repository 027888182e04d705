#pragma once
// Tile programs as text: CUDA C, which is C++ too behind the shim at its head. The text adds, joins and rounds in the
// order that the tiles keep, so that arithmetic gives the same bits on every device; exponentials and their kin are
// those of the compiler's library.

#include <cstdint>
#include <string>
#include <vector>

#include "core/view.hpp"
#include "tiles/tiles.hpp"

namespace thalweg {

/// One launch of a kernel of the text: `blocks` blocks of `threads` threads. Its one parameter is the array of the
/// call's addresses: its inputs, its outputs, its scratch.
struct EmittedLaunch {
  std::string name;
  std::int64_t blocks = 0;
  int threads = 0;
};

struct EmittedKernel {
  std::string text;                     ///< the functions, without the prelude
  std::vector<EmittedLaunch> launches;  ///< one after another
  int inputs = 0, outputs = 0;
  std::size_t scratch = 0;  ///< bytes
};

/// What stands once at the head of a text: the shim by which it is C++, and the functions that are no arithmetic.
[[nodiscard]] std::string emitted_prelude();
/// The functions of all micro-ops that are arithmetic, from the same formulas as the machine code. They follow the
/// prelude.
[[nodiscard]] std::string emitted_micro_ops();

/// A tile program as kernels whose names begin with `name`. Its scratch holds the values of blocks of long reductions.
[[nodiscard]] EmittedKernel emit_tiles(const TileProgram& program, const std::string& name);
/// What a view sees, one element after another, as it is.
[[nodiscard]] EmittedKernel emit_copy(const View& view, DType dtype, const std::string& name);

}  // namespace thalweg
