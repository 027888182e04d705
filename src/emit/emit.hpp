#pragma once
// Tile programs as text in CUDA C, which is also C++ with the shim at its beginning. The text adds, joins and rounds in
// the order of the tiles, so that arithmetic gives the same bits on every device; exponentials and similar functions
// come from the compiler's library.

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "core/view.hpp"
#include "tiles/tiles.hpp"

namespace thalweg {

/// One launch of a kernel of the text: `blocks` blocks of `threads` threads. Its only parameter is the array of
/// addresses of the call: inputs, outputs, scratch.
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

/// The name that kernels of texts have until they are compiled.
inline constexpr const char* text_name = "KERNEL_NAME";

/// The beginning of a text: the shim that makes it C++, and the functions that are not arithmetic.
[[nodiscard]] std::string emitted_prelude();
/// The functions of those of these micro-ops that are arithmetic, from the same formulas as the machine code. They come
/// after the prelude.
[[nodiscard]] std::string emitted_micro_ops(std::span<const MicroOp> ops);

/// A tile program as kernels whose names begin with `name`. Its scratch holds the values of blocks of long reductions.
[[nodiscard]] EmittedKernel emit_tiles(const TileProgram& program, const std::string& name);
/// A kernel that copies the elements of a view, one after another, unchanged.
[[nodiscard]] EmittedKernel emit_copy(const View& view, DType dtype, const std::string& name);

}  // namespace thalweg
