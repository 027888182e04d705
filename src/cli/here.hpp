#pragma once
// This machine as a row of the table of machines: measured, not looked up.

#include "estimate/machine.hpp"
#include "kernels/rates.hpp"

namespace thalweg::cli {

inline constexpr const char* here_name = "here";

struct Here {
  Rates rates;
  int threads = 1;

  /// A rank's part of it, where `ranks` share its threads and its memory.
  [[nodiscard]] estimate::Machine machine(std::int64_t ranks) const;
  /// "AMD EPYC, 2 threads: products of width 32, 128 reach 20, 130 GFLOP/s in f32 and ... in f64; ..."
  [[nodiscard]] std::string text() const;
};

/// Takes about a second.
[[nodiscard]] Here measure_here(Workers& workers);
/// A row of the table, this machine as one of so many ranks has it, or a TOML file.
[[nodiscard]] estimate::Machine machine_for(const std::string& name, std::int64_t ranks);

}  // namespace thalweg::cli
