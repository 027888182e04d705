// Similarity and ranking losses.

#include <cmath>

#include "loss/row.hpp"

namespace thalweg::loss {

Fields fields(CosinePairsOptions& o) {
  return {
      {"margin", &o.margin, "largest cosine without loss of a pair that should differ", Range{.low = -1, .high = 1}}};
}
Fields fields(TripletOptions& o) {
  return {{"margin", &o.margin, "how much farther from the anchor the negative should be", not_negative},
          {"p", &o.p, "order p of the norm", Range{.low = 1}},
          {"swap", &o.swap, "also measure the distance from the positive to the negative, and use the smaller one"},
          {"eps", &o.eps, "added to each difference", not_negative}};
}

namespace {

/// Member `i` of the tuples along the second axis: (batch, members, size) -> (batch, size).
Var member(std::string_view name, Var tuples, std::int64_t i, std::int64_t members) {
  if (tuples.rank() != 3 || tuples.dim(1) != members) {
    fail<UsageError>("[{}] predictions {}. Hint: (batch, {}, size).", name, tuples.shape(), members);
  }
  return squeeze(slice(tuples, i, i + 1, 1), 1);
}

/// The cosine of the angle between vectors along the last axis; 0 where one of them is 0.
Var cosine_of(Var a, Var b) {
  constexpr double smallest = 1e-8;
  const auto unit = [](Var x) { return x / maximum(norm(x, -1, Keep::yes), smallest); };
  return sum(unit(a) * unit(b), -1);
}

Var distance(Var a, Var b, const TripletOptions& o) {
  const Var d = a - b + o.eps;
  if (o.p == 2) return norm(d, -1);
  if (o.p == 1) return sum(abs(d), -1);
  if (std::isinf(o.p)) return max(abs(d), -1);
  // Divided by the largest, so that no power overflows; a sum of 0 has no derivative.
  const Var largest = stop_gradient(max(abs(d), -1, Keep::yes)), scale = where(equal(largest, 0), 1, largest);
  const Var total = sum(pow(abs(d) / scale, o.p), -1), none = equal(total, 0);
  return where(none, 0, pow(where(none, 1, total), 1 / o.p)) * squeeze(scale, -1);
}

}  // namespace

LossFunction make_cosine(NoOptions) {
  return {"cosine", {}, Task::other, [](Var p, Var t) { return 1 - cosine_of(p, as_target("cosine", p, t)); }};
}

LossFunction make_cosine_pairs(CosinePairsOptions o) {
  return {"cosine_pairs", checked_values("cosine_pairs", o), Task::other, [o](Var pairs, Var target) {
            const Var likeness = cosine_of(member("cosine_pairs", pairs, 0, 2), member("cosine_pairs", pairs, 1, 2));
            return where(as_target("cosine_pairs", likeness, target) > 0, 1 - likeness, relu(likeness - o.margin));
          }};
}

LossFunction make_triplet(TripletOptions o) {
  return {"triplet", checked_values("triplet", o), Task::other, [o](Var triplets, Var) {
            const Var anchor = member("triplet", triplets, 0, 3), positive = member("triplet", triplets, 1, 3),
                      negative = member("triplet", triplets, 2, 3);
            Var apart = distance(anchor, negative, o);
            if (o.swap) apart = minimum(apart, distance(positive, negative, o));
            return relu(distance(anchor, positive, o) - apart + o.margin);
          }};
}

LossFunction make_pairwise_ranking(NoOptions) {
  return {"pairwise_ranking", {}, Task::other, [](Var scores, Var target) {
            if (scores.rank() != 2 || scores.dim(1) != 2) {
              fail<UsageError>("[pairwise_ranking] predictions {}. Hint: the scores of two, (batch, 2).",
                               scores.shape());
            }
            const Var lead = squeeze(slice(scores, 0, 1, 1) - slice(scores, 1, 2, 1), 1);
            return binary_cross_entropy_with_logits(lead, as_target("pairwise_ranking", lead, target));
          }};
}

std::vector<LossRow> similarity_losses() {
  return {
      row(make_cosine, {.name = "cosine",
                        .summary = "the angle to the target",
                        .formula = "1 - cos(p, y)",
                        .when = "vectors whose direction alone matters",
                        .source = "Salton 1983"}),
      row(make_cosine_pairs, {.name = "cosine_pairs",
                              .summary = "pairs that should point in the same direction, and pairs that should not",
                              .formula = "1 - cos(a, b) where y > 0, else max(0, cos(a, b) - margin)",
                              .when = "embeddings, learned from pairs",
                              .source = "PyTorch CosineEmbeddingLoss"}),
      row(make_triplet, {.name = "triplet",
                         .summary = "a sample like the anchor should be nearer to it than a sample unlike it",
                         .formula = "max(0, |a - p| - |a - n| + margin)",
                         .when = "embeddings, learned from triplets",
                         .source = "Schroff et al. 2015; PyTorch TripletMarginLoss"}),
      row(make_pairwise_ranking, {.name = "pairwise_ranking",
                                  .summary = "the better of two should have the higher score",
                                  .formula = "-y log sigmoid(a - b) - (1 - y) log sigmoid(b - a)",
                                  .when = "comparisons: which of two is better",
                                  .source = "Bradley and Terry 1952; Burges et al. 2005"}),
  };
}

}  // namespace thalweg::loss
