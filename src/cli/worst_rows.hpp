#pragma once
// The rows of a table, or the images, with the highest losses: for the report.

#include <vector>

#include "cli/session.hpp"
#include "report/report.hpp"
#include "thalweg/metrics.hpp"

namespace thalweg::cli {

/// Rows that were measured.
struct MeasuredRows {
  const Origin& origin;
  const Dataset& data;
  const Tensor& predictions;
  const metric::Weights& weights;
};

/// The ten with the highest losses, the highest first; images with their pictures. Rows of weight 0 are left out. None
/// if a row does not have a single number or class.
[[nodiscard]] std::vector<WorstRow> worst_rows(const Session& session, const MeasuredRows& rows, const Config& config,
                                               const Registry& registry);

}  // namespace thalweg::cli
