#pragma once
// The loss over a plane of parameters: origin + a first + b second.

#include <array>
#include <memory>
#include <span>
#include <vector>

#include "engine/products.hpp"

namespace thalweg {

/// The mean loss over all rows at points of a plane. A product that depends on the parameters linearly (that of the
/// data and the weights of a first layer) is computed at the origin and along both directions once; a point then takes
/// a sum of three terms instead of the product. The loss differs from that of a plain computation by rounding alone,
/// and is the same for any number of threads.
class PlaneLoss {
 public:
  static constexpr std::size_t usual_bytes = std::size_t{1} << 30;

  /// `rows` and `workers` must outlive it. Products are kept as far as they fit into `most_bytes`.
  PlaneLoss(EvaluationFunction function, const State& origin, std::span<const double> first,
            std::span<const double> second, const Dataset& rows, Workers& workers,
            std::size_t most_bytes = usual_bytes);
  ~PlaneLoss();

  [[nodiscard]] double operator()(double a, double b);
  /// How many products of the model are kept.
  [[nodiscard]] std::size_t kept() const;

 private:
  class Shard;
  void place(double a, double b);
  void keep();

  Products products_;
  State point_;
  std::array<std::vector<double>, 3> plane_;  ///< the origin and both directions
  const Dataset& rows_;
  Workers& workers_;
  std::int64_t shard_rows_ = 0, shards_ = 1;
  std::unique_ptr<Shard> whole_, last_;
  BlockPool pool_;
  std::vector<Block> products_of_;  ///< of each shard, at the origin and along both directions
  std::vector<std::array<double, 2>> sums_;
};

}  // namespace thalweg
