// Texts that give rows mean 0 and variance 1, and of the derivative. Usually it is one kernel whose blocks have their
// own rows; for few long rows, the sums of their parts go through the scratch, and each phase is a launch.

#include <fmt/format.h>

#include "cuda/texts/lanes.hpp"
#include "cuda/texts/text.hpp"

namespace thalweg::cuda::texts {

namespace {

// If there are fewer rows than a GPU runs blocks at once, several blocks share a row.
constexpr std::int64_t few_rows = 256, part_length = 4096;

struct Sum {
  std::string_view name, term;
};

/// The numbers that the phases use: m, scale, and in the last one the means of g and of g y.
constexpr std::string_view moments = R"(
    const T m = centred ? total(sum_x, t) / (T)n : (T)0;
    [[maybe_unused]] const T scale = 1 / tw_root(total(sum_xx, t) / (T)n + (T)epsilon);
)";
constexpr std::string_view mean_alone = "    const T m = centred ? total(sum_x, t) / (T)n : (T)0;\n";

constexpr std::string_view unit = R"(    const tw_index unit = (tw_index)blockIdx.x * together + t / lanes;
    const tw_index row = unit / parts, first = unit % parts * length, rest = first + length < n ? first + length : n;
    [[maybe_unused]] const tw_index end = unit < rows * parts ? rest : first;
)";

class Standardise {
 public:
  Standardise(const KernelSite& site, bool pull) : text_(site), lanes_(site.output.shape), pull_(pull) {
    if (lanes_.rows < few_rows && lanes_.length >= 2 * part_length) parts_ = parts_of(lanes_.length, part_length);
    centred_ = site.ints[0] != 0;
    text_.let("rows", lanes_.rows).let("n", lanes_.length).let("parts", parts_);
    text_.let("length", parts_ == 1 ? lanes_.length : part_length);
    text_.let("lanes", lanes_.lanes).let("together", lanes_.together()).let("centred", centred_ ? 1 : 0);
    text_.let_number("epsilon", site.number);
    for (const std::string_view name : names()) begin(name);
    text_.head(parts_ == 1 ? "  const auto total = [](const T* sums, int t) { return sums[t / lanes * lanes]; };\n"
                           : R"(  const auto total = [](const T* sums, int t) {
    const tw_index row = ((tw_index)blockIdx.x * together + t / lanes) / parts;
    T all = 0;
    for (tw_index part = 0; part < parts; ++part) all += sums[row * parts + part];
    return all;
  };
)");
  }

  EmittedKernel made() {
    if (centred_) sums("", "", {{"sum_x", "get0(i)"}});
    sums("_squares", mean_alone, {{"sum_xx", "(get0(i) - m) * (get0(i) - m)"}});
    if (pull_ && centred_) sums("_slopes", moments, {{"sum_g", "get1(i)"}, {"sum_gy", dot}});
    if (pull_ && !centred_) sums("_slopes", moments, {{"sum_gy", dot}});
    fill();
    if (parts_ == 1) text_.kernel("", lanes_.blocks(), body_);
    return text_.made();
  }

 private:
  static constexpr std::string_view dot = "get1(i) * ((get0(i) - m) * scale)";

  [[nodiscard]] std::vector<std::string_view> names() const {
    if (pull_) return {"sum_x", "sum_xx", "sum_g", "sum_gy"};
    return {"sum_x", "sum_xx"};
  }
  void begin(std::string_view name) {
    if (parts_ > 1) {
      text_.array(name, "T", lanes_.rows * parts_);
    } else {
      text_.head(fmt::format("  TW_SHARED T {}[{}];\n", name, block_threads));
    }
  }

  /// One phase: a launch of its own, or the next part of the single kernel.
  void phase(std::string_view suffix, const std::string& body) {
    if (parts_ > 1) {
      text_.kernel(suffix, lanes_.rows * parts_, body);
    } else {
      body_ += body;
    }
  }

  /// Sums of the given expression of element i over each row, or over each part of a row.
  void sums(std::string_view suffix, std::string_view known, const std::vector<Sum>& all) {
    const auto each = [&](std::string_view line) {
      std::string lines;
      for (std::size_t k = 0; k < all.size(); ++k) {
        lines += fmt::format(fmt::runtime(line), fmt::arg("sum", parts_ > 1 ? fmt::format("lane{}", k) : all[k].name),
                             fmt::arg("array", all[k].name), fmt::arg("k", k), fmt::arg("term", all[k].term));
      }
      return lines;
    };
    std::string body = parts_ > 1 ? each("  TW_SHARED T {sum}[256];\n") : "";
    body += fmt::format("  TW_EACH(t, 256) {{\n{}{}{}", unit, known, each("    T own{k} = 0;\n"));
    body += "    for (tw_index j = first + t % lanes; j < end; j += lanes) {\n      const tw_index i = row * n + j;\n";
    body += each("      own{k} += {term};\n") + "    }\n" + each("    {sum}[t] = own{k};\n") + "  }\n";
    body += "  for (int half = lanes / 2; half > 0; half /= 2) {\n    TW_SYNC();\n    TW_EACH(t, 256) {\n";
    body += each("      if (t % lanes < half) {sum}[t] += {sum}[t + half];\n") + "    }\n  }\n  TW_SYNC();\n";
    if (parts_ > 1) body += each("  TW_EACH(t, 1) {array}[blockIdx.x] = {sum}[0];\n");
    phase(suffix, body);
  }

  /// Reads four elements before it writes the first, because the compiler cannot know that results and inputs do not
  /// overlap.
  void fill() {
    std::string body = fmt::format("  TW_EACH(t, 256) {{\n{}{}", unit, moments);
    if (pull_) {
      body += "    const T shift = centred ? total(sum_g, t) / (T)n : (T)0, slope = total(sum_gy, t) / (T)n;\n";
    }
    body += fmt::format(R"(    for (tw_index j = first + t % lanes; j < end; j += 4 * lanes) {{
      T value[4];
      TW_UNROLL for (int k = 0; k < 4; ++k) {{
        const tw_index place = j + k * lanes < end ? j + k * lanes : j, i = row * n + place;
        const T y = (get0(i) - m) * scale;
        value[k] = {};
      }}
      TW_UNROLL for (int k = 0; k < 4; ++k) {{
        if (j + k * lanes < end) put0(row * n + j + k * lanes, value[k]);
      }}
    }}
  }}
)",
                        pull_ ? "scale * ((get1(i) - shift) - y * slope)" : "y");
    phase("_fill", body);
  }

  Text text_;
  Lanes lanes_;
  bool pull_, centred_ = false;
  std::int64_t parts_ = 1;
  std::string body_;
};

}  // namespace

std::span<const TextRow> standardise_texts() {
  static constexpr TextRow rows[] = {
      {"standardise", [](const KernelSite& site) { return std::optional(Standardise(site, false).made()); }},
      {"standardise_pull", [](const KernelSite& site) { return std::optional(Standardise(site, true).made()); }}};
  return rows;
}

}  // namespace thalweg::cuda::texts
