#pragma once
// `optimizer.lr = "auto"`: the rate is found before the run, and replaces "auto" in the configuration.

#include "cli/session.hpp"
#include "thalweg/find_lr.hpp"

namespace thalweg::cli {

/// The result of a search, and the signal that ended it, or 0.
struct FoundLr {
  LrFinding finding;
  int signal = 0;
};
/// Finds a rate for the run of a configuration on these parts of its data.
[[nodiscard]] FoundLr find_lr_for(const Config& config, const DataFacts& facts, const Parts& parts,
                                  FindLrOptions options, const Registry& registry);

/// If the configuration says "auto": finds the rate, prints it, and sets it. Returns the signal that interrupted the
/// search, or 0.
[[nodiscard]] int resolve_lr(Config& config, const DataFacts& facts, const Parts& parts, const Context& context);

/// "3,120 steps, 93,600 rows, 0.4 s"
[[nodiscard]] std::string cost_text(const LrFinding& finding, std::string_view rows);

}  // namespace thalweg::cli
