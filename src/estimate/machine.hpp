#pragma once
// Estimates of the resources and the cost of a run, by formulas, before it is paid for. Each kind of machine is a row.

#include <filesystem>
#include <string>
#include <vector>

#include "thalweg/options.hpp"

namespace thalweg::estimate {

/// A kind of machine; a rank is one of its accelerators, or one process. Rates are per second.
struct Machine {
  std::string name, doc, source;
  double memory = 0;            ///< bytes per rank
  double half = 0, single = 0;  ///< peak floating-point operations of matrix products, in bf16 (or f16) and f32
  double bandwidth = 0;         ///< bytes of the rank's memory
  std::int64_t ranks_a_node = 1;
  double link = 0;               ///< bytes in each direction between ranks of a node
  double network = 0;            ///< bytes in each direction between nodes, per rank
  double storage = 1e9;          ///< bytes written to files, per node
  double price = 0;              ///< dollars per rank and hour
  double matrix_efficiency = 1;  ///< fraction of the peak that large products reach
  double half_reached_at = 0;    ///< the width at which a product reaches half of that fraction
  double moved_efficiency = 1;   ///< fraction of bandwidth and link that is reached
};

[[nodiscard]] const std::vector<Machine>& machines();
/// A machine from the table, or from a TOML file with these keys, where `like = "h100"` takes the missing ones from a
/// row. Throws UsageError with the nearest name.
[[nodiscard]] Machine machine_named(const std::string& name);
[[nodiscard]] Fields fields(Machine& machine);

}  // namespace thalweg::estimate
