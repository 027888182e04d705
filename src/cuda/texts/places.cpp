// Texts of ops that move elements: gather, pick, concat, pad.

#include <fmt/format.h>

#include "cuda/texts/text.hpp"

namespace thalweg::cuda::texts {

namespace {

/// A type of `bytes` bytes that is moved at once; functions of the text may need it declared first.
struct Word {
  std::int64_t bytes;
  std::string type, declared = {};
};

/// The widest word that divides the bytes of a row.
Word word_of(std::int64_t row_bytes) {
  if (row_bytes % 16 == 0)
    return {16, "KERNEL_NAME_word", "struct alignas(16) KERNEL_NAME_word { unsigned long long low, high; };\n"};
  if (row_bytes % 8 == 0) return {8, "unsigned long long"};
  if (row_bytes % 4 == 0) return {4, "unsigned"};
  if (row_bytes % 2 == 0) return {2, "unsigned short"};
  return {1, "unsigned char"};
}

/// Copies whole rows; `row` is the number of the row for the place `i / words`, of type tw_index. A table or a result
/// may begin at any element, of so many bytes: where that is no place for a word, its elements are copied one by one.
void copy_rows(Text& text, std::int64_t row_bytes, std::int64_t element_bytes, std::int64_t count,
               std::string_view row) {
  const Word word = word_of(row_bytes), element = word_of(element_bytes);
  const std::int64_t words = row_bytes / word.bytes;
  text.outside(word.declared).let("words", words);
  const std::string copied = fmt::format("(({0}*)out0)[i] = ((const {0}*)in0)[from]", word.type);
  std::string body = fmt::format("{}      const tw_index from = row * words + i % words;\n", row);
  if (element.bytes == word.bytes) {
    body += fmt::format("      {};\n", copied);
  } else {
    body += fmt::format(
        "      if (((unsigned long long)in0 | (unsigned long long)out0) % {0} == 0) {{\n        {1};\n      }} else "
        "{{\n"
        "        for (int e = 0; e < {2}; ++e) (({3}*)out0)[i * {2} + e] = ((const {3}*)in0)[from * {2} + e];\n      "
        "}}\n",
        word.bytes, copied, word.bytes / element.bytes, element.type);
  }
  text.each("", count * words, body);
}

/// Reads a row number of the table; an invalid one is reported in the error word, and replaced by the nearest valid
/// one.
constexpr std::string_view checked_row = R"(      tw_index row = get1(i / words);
      if (row < 0 || row >= rows) {
        *error = wrong_index;
        row = row < 0 ? 0 : rows - 1;
      }
)";

std::optional<EmittedKernel> gather(const KernelSite& site) {
  const std::int64_t rows = along(site.inputs[0].shape, 0), count = elements(site.inputs[1].shape);
  const std::int64_t width = rows > 0 ? elements(site.inputs[0].shape) / rows : 0;
  Text text(site);
  text.let("rows", rows).let("wrong_index", static_cast<std::int64_t>(Wrong::index));
  const Stored from = site.stored.empty() ? Stored::plain : site.stored[0];
  if (rows == 0) {  // every number is wrong, and there is no row to take instead
    text.each("", count, "      *error = wrong_index;\n");
  } else if (from == site.result) {
    const std::int64_t each = from == Stored::bf16 ? 2 : bytes_of(site.output.dtype);
    copy_rows(text, width * each, each, count, checked_row);
  } else {
    text.let("words", width)
        .each("", count * width, std::string(checked_row) + "      put0(i, get0(row * words + i % words));\n");
  }
  return text.made();
}

std::optional<EmittedKernel> pick(const KernelSite& site) {
  const std::int64_t n = along(site.inputs[0].shape, -1);
  Text text(site);
  text.let("n", n).let("wrong_index", static_cast<std::int64_t>(Wrong::index));
  text.each("", elements(site.output.shape), R"(      tw_index label = get1(i);
      if (label < 0 || label >= n) {
        *error = wrong_index;
        label = label < 0 ? 0 : n - 1;
      }
      put0(i, get0(i * n + label));
)");
  return text.made();
}

std::optional<EmittedKernel> to_i32(const KernelSite& site) {
  Text text(site);
  text.each("", elements(site.output.shape), R"(      const double x = (double)get0(i);
      put0(i, x != x ? 0 : x <= -2147483648.0 ? -2147483647 - 1 : x >= 2147483647.0 ? 2147483647 : (int)x);
)");
  return text.made();
}

std::optional<EmittedKernel> concat(const KernelSite& site) {
  constexpr std::size_t most_parts = 256;  // addresses are parameters of a kernel, and those have 4 KB
  if (site.inputs.size() > most_parts) return {};
  std::int64_t outer = 1, begin = 0;
  for (int axis = 0; axis < static_cast<int>(site.ints[0]); ++axis) outer *= along(site.output.shape, axis);
  std::string body = "      const tw_index o = i / run, j = i % run;\n";
  for (std::size_t part = 0; outer > 0 && part < site.inputs.size(); ++part) {
    const std::int64_t run = elements(site.inputs[part].shape) / outer, end = begin + run;
    body += fmt::format("      if (j >= {0} && j < {1}) put0(i, get{2}(o * {3} + j - {0}));\n", begin, end, part, run);
    begin = end;
  }
  Text text(site);
  text.let("run", begin).each("", outer * begin, body);
  return text.made();
}

std::optional<EmittedKernel> pad(const KernelSite& site) {
  const Shape &from = site.inputs[0].shape, &to = site.output.shape;
  std::string body = "      bool inside = true;\n      tw_index left = i, place = 0, below = 1;\n";
  for (int axis = to.rank() - 1; axis >= 0; --axis) {
    const auto* ints = &site.ints[3 * static_cast<std::size_t>(axis)];
    body += fmt::format(
        "      {{\n        const tw_index j = left % {0} - {1};\n        left /= {0};\n"
        "        inside = inside && j >= 0 && j % {2} == 0 && j / {2} < {3};\n"
        "        place += j / {2} * below;\n        below *= {3};\n      }}\n",
        along(to, axis), ints[0], ints[2], along(from, axis));
  }
  Text text(site);
  text.each("", elements(to), body + "      put0(i, inside ? get0(place) : (T)0);\n");
  return text.made();
}

}  // namespace

std::span<const TextRow> place_texts() {
  static constexpr TextRow rows[] = {
      {"gather", gather}, {"pick", pick}, {"to_i32", to_i32}, {"concat", concat}, {"pad", pad}};
  return rows;
}

EmittedKernel rows_of_bytes(std::size_t row_bytes, std::int64_t count) {
  // bytes and 64-bit numbers are read as what they are, not by an element type
  const auto bytes = static_cast<std::int64_t>(row_bytes);
  Text text({{u8}, {f64, Stored::plain, count}}, {u8, Stored::plain, count * bytes});
  copy_rows(text, bytes, 1, count, "      const long long row = ((const long long*)in1)[i / words];\n");
  return text.made();
}

}  // namespace thalweg::cuda::texts
