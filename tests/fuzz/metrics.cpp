// Fuzz target: the metrics log of a run. Damaged lines are skipped and never prevent a resume.

#include "fuzz.hpp"
#include "run/run.hpp"

void thalweg::fuzz::run(std::string_view bytes) {
  const auto path = folder() / "metrics.jsonl";
  write(path, bytes);
  MetricsLog log(path);
  const std::size_t steps = log.history().steps.size();
  for (const StepReport& report : log.history().steps) {
    if (!report.layer_norms.empty() && report.layer_norms.size() != log.history().layers.size())
      broken("norms of other layers", "");
  }
  log.cut_after(100);
  if (log.history().steps.size() > steps) broken("steps that were not there", "");
}
