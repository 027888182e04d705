#include "cli/explain.hpp"

namespace thalweg::cli {

std::string explained(const Target&, const Optimizer&, const MinimizeOptions&, std::int64_t) { return ""; }

}  // namespace thalweg::cli
