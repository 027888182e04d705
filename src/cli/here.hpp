#pragma once
// This machine as a row of the table of machines, with measured values.

#include "estimate/machine.hpp"
#include "kernels/rates.hpp"

namespace thalweg::cli {

inline constexpr const char* here_name = "here";

struct Here {
  Rates rates;
  int threads = 1;

  /// The part of one rank, if `ranks` ranks share the threads and the memory.
  [[nodiscard]] estimate::Machine machine(std::int64_t ranks) const;
  /// "AMD EPYC, 2 threads: products of width 32, 128 reach 20, 130 GFLOP/s in f32 and ... in f64; ..."
  [[nodiscard]] std::string text() const;
};

/// Measures this machine, in about a second.
[[nodiscard]] Here measure_here(Workers& workers);
/// A row of the table, this machine ("here") as seen by one of `ranks` ranks, or a TOML file.
[[nodiscard]] estimate::Machine machine_for(const std::string& name, std::int64_t ranks);

}  // namespace thalweg::cli
