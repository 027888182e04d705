// Embeddings of words: their row. They are trained by steps that touch few rows (src/sparse/skip_gram.hpp), and what a
// configuration says of them is in src/run/embeddings.hpp.

#include "core/error.hpp"
#include "sparse/skip_gram.hpp"
#include "system/row.hpp"

namespace thalweg {

namespace {

struct EmbeddingOptions : SkipGramOptions {};

Fields fields(EmbeddingOptions& o) { return o.SkipGramOptions::fields(); }

System make_embeddings(const SystemData&, const EmbeddingOptions&) {
  fail<UsageError>("[embeddings] rows that are no text. Wanted: thalweg train, with a text as [data] train");
}

}  // namespace

std::vector<SystemRow> embeddings_systems() {
  return {system_row<EmbeddingOptions>(
      {.name = "embeddings",
       .summary = "words as numbers, such that words with like neighbours are near each other",
       .formula = "-log sigmoid(u_w . v_c) - sum over samples n of log sigmoid(-u_w . v_n), for each word c of a text "
                  "and each w in a window around it; P(n) ~ count^0.75",
       .when = "a text of words; `thalweg neighbours` lists what is near a word",
       .source = "Mikolov et al. 2013; samples shared by a window: Ji et al. 2016"},
      make_embeddings)};
}

}  // namespace thalweg
