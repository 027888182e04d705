// The table of texts, family by family.

#include "cuda/texts/text.hpp"

namespace thalweg::cuda {

std::optional<EmittedKernel> text_of_op(std::string_view op, const KernelSite& site) {
  for (const auto family : {texts::row_texts(), texts::place_texts(), texts::scatter_texts(),
                            texts::standardise_texts(), texts::pooling_texts(), texts::resize_texts(),
                            texts::random_texts(), texts::augment_texts(), texts::attention_texts()}) {
    for (const texts::TextRow& row : family) {
      if (row.op == op) return row.text(site);
    }
  }
  return {};
}

EmittedKernel text_of_rows(std::size_t row_bytes, std::int64_t count) { return texts::rows_of_bytes(row_bytes, count); }

}  // namespace thalweg::cuda
