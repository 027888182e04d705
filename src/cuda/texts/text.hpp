#pragma once
// How the texts of ops are put together: every kernel begins with what its op is told, by name, so that the rest of it
// is plain CUDA C, and C++ behind the shim of emit/emit.cpp.

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "cuda/driver.hpp"

namespace thalweg::cuda::texts {

/// Threads of a block, in all texts.
inline constexpr int block_threads = 256;
/// What a block may have of the memory that its threads share.
inline constexpr std::int64_t shared_bytes = 48 << 10;

// As Shape and DType say it, without their checks, which the shapes of a site have passed.
[[nodiscard]] inline std::int64_t elements(const Shape& shape) {
  std::int64_t product = 1;
  for (const std::int64_t size : shape.sizes()) product *= size;
  return product;
}
/// The size along an axis; negative ones count from the end.
[[nodiscard]] inline std::int64_t along(const Shape& shape, int axis) {
  return shape.sizes()[static_cast<std::size_t>(axis < 0 ? axis + shape.rank() : axis)];
}
[[nodiscard]] constexpr std::int64_t bytes_of(DType dtype) { return dtype == f64 ? 8 : dtype == u8 ? 1 : 4; }
[[nodiscard]] std::string_view type_of(DType dtype);

[[nodiscard]] constexpr std::int64_t parts_of(std::int64_t count, std::int64_t each) {
  return (count + each - 1) / each;
}

/// A value in memory, as a kernel reads or writes it.
struct Operand {
  DType dtype = f32;
  Stored stored = Stored::plain;
  std::int64_t count = 0;  ///< elements
};

/// The operands of an op: of those that are stored in bf16 or rounded the kernels of texts know nothing, since they
/// read and write through get0(place), get1(place), ..., put0(place, value).
class Text {
 public:
  explicit Text(const KernelSite& site);
  Text(std::vector<Operand> inputs, Operand output);

  /// T in the kernels that follow; at first the type of the output.
  Text& type(DType dtype);
  /// A name for an integer, or for a number, in the kernels that follow.
  Text& let(std::string_view name, std::int64_t value);
  Text& let_number(std::string_view name, double value);
  /// An array in the scratch, in the kernels that follow.
  Text& array(std::string_view name, std::string_view type, std::int64_t count);
  /// Lines at the head of the kernels that follow.
  Text& head(std::string_view lines);
  /// What stands outside of kernels. Names in it begin with KERNEL_NAME, as they must differ from those of other texts.
  Text& outside(std::string_view text);
  /// A launch, of a kernel whose name ends so: none where there are no blocks.
  Text& kernel(std::string_view suffix, std::int64_t blocks, std::string_view body);
  /// A launch of one thread for each i < count; `body` is what it does.
  Text& each(std::string_view suffix, std::int64_t count, std::string_view body);

  [[nodiscard]] EmittedKernel made() const { return made_; }

 private:
  [[nodiscard]] std::string operands() const;
  void count_to(std::int64_t value);

  std::vector<Operand> inputs_;
  Operand output_;
  std::string type_, head_;
  /// Whether all places and names fit into 32 bits. Then tw_index has no more in the kernels: in 64 bits, finding the
  /// row and the column of a place would take longer than to read and write it.
  bool is_short_ = true;
  EmittedKernel made_;
};

/// A text for a site, or nothing where there is none.
using TextOf = std::optional<EmittedKernel> (*)(const KernelSite&);
struct TextRow {
  std::string_view op;
  TextOf text;
};

// The families.
[[nodiscard]] std::span<const TextRow> row_texts();
[[nodiscard]] std::span<const TextRow> place_texts();
[[nodiscard]] std::span<const TextRow> scatter_texts();
[[nodiscard]] std::span<const TextRow> standardise_texts();
[[nodiscard]] std::span<const TextRow> pooling_texts();
[[nodiscard]] std::span<const TextRow> resize_texts();
[[nodiscard]] std::span<const TextRow> random_texts();
[[nodiscard]] std::span<const TextRow> augment_texts();
[[nodiscard]] std::span<const TextRow> attention_texts();
/// text_of_rows.
[[nodiscard]] EmittedKernel rows_of_bytes(std::size_t row_bytes, std::int64_t count);

}  // namespace thalweg::cuda::texts
