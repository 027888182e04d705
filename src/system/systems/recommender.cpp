// The row of the recommender. It is trained by steps that change few rows (src/sparse/factors.hpp); its configuration
// is in src/run/recommender.hpp.

#include "core/error.hpp"
#include "sparse/factors.hpp"
#include "system/row.hpp"

namespace thalweg {

namespace {

struct RecommenderOptions : FactorOptions {};

Fields fields(RecommenderOptions& o) { return o.FactorOptions::fields(); }

System make_recommender(const SystemData&, const RecommenderOptions&) {
  fail<UsageError>(
      "[recommender] the rows are not ratings. Wanted: thalweg train, with a table of them as [data] train");
}

}  // namespace

std::vector<SystemRow> recommender_systems() {
  return {system_row<RecommenderOptions>(
      {.name = "recommender",
       .summary = "ratings of items by users, from biases and factors of users, items and side columns",
       .formula = "mean + sum_i b_i + sum_{i < j} v_i . v_j over a row's user, item and side columns i; with ridges on "
                  "b and v",
       .when = "a table of ratings; `thalweg predict RUN --user NAME` recommends",
       .source = "Rendle 2010; of user and item alone: Koren, Bell and Volinsky 2009"},
      make_recommender)};
}

}  // namespace thalweg
