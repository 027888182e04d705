// The row of embeddings of words. They are trained by steps that change few rows (src/sparse/skip_gram.hpp); their
// configuration is in src/run/embeddings.hpp.

#include "core/error.hpp"
#include "sparse/skip_gram.hpp"
#include "system/row.hpp"

namespace thalweg {

namespace {

struct EmbeddingOptions : SkipGramOptions {};

Fields fields(EmbeddingOptions& o) { return o.SkipGramOptions::fields(); }

System make_embeddings(const SystemData&, const EmbeddingOptions&) {
  fail<UsageError>("[embeddings] the rows are not a text. Wanted: thalweg train, with a text as [data] train");
}

}  // namespace

std::vector<SystemRow> embeddings_systems() {
  return {system_row<EmbeddingOptions>(
      {.name = "embeddings",
       .summary = "words as vectors, such that words with similar neighbours have similar vectors",
       .formula = "-log sigmoid(u_w . v_c) - sum over samples n of log sigmoid(-u_w . v_n), for each word c of a text "
                  "and each w in a window around it; P(n) ~ count^0.75",
       .when = "a text of words; `thalweg neighbours` lists the words nearest to a word",
       .source = "Mikolov et al. 2013; samples shared by a window: Ji et al. 2016"},
      make_embeddings)};
}

}  // namespace thalweg
