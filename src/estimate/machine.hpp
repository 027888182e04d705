#pragma once
// What a run needs and costs, by formulas: before anybody pays for it. Machines are rows: what a rank of one has.

#include <filesystem>
#include <string>
#include <vector>

#include "thalweg/options.hpp"

namespace thalweg::estimate {

/// A kind of machine; a rank is one accelerator of it, or one process. Rates are a second.
struct Machine {
  std::string name, doc, source;
  double memory = 0;            ///< bytes a rank
  double half = 0, single = 0;  ///< floating-point operations of matrix products, in bf16 (or f16) and f32, at the most
  double bandwidth = 0;         ///< bytes of the rank's memory
  std::int64_t ranks_a_node = 1;
  double link = 0;               ///< bytes each way between ranks of a node
  double network = 0;            ///< bytes each way between nodes, a rank
  double storage = 1e9;          ///< bytes written to files, a node
  double price = 0;              ///< dollars a rank and hour
  double matrix_efficiency = 1;  ///< part of the operations that large products reach
  double half_reached_at = 0;    ///< the width at which a product reaches half of that part
  double moved_efficiency = 1;   ///< part of bandwidth and link that is reached
};

[[nodiscard]] const std::vector<Machine>& machines();
/// Of the table, or of a TOML file with these keys; there `like = "h100"` takes the rest from a row. Throws UsageError
/// naming the nearest.
[[nodiscard]] Machine machine_named(const std::string& name);
[[nodiscard]] Fields fields(Machine& machine);

}  // namespace thalweg::estimate
