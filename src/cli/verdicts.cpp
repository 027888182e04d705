#include "cli/verdicts.hpp"

#include <nlohmann/json.hpp>

#include "cli/output.hpp"

namespace thalweg::cli {

void emit_verdict(const Verdict& verdict) {
  emit("{:<12}{}\n", "verdict", verdict.sentence);
  for (const std::string& tried : verdict.tried) emit("{:<12}{}\n", "tried", tried);
  if (!verdict.advice.empty()) emit("{:<12}{}\n", "to improve", verdict.advice);
}

void emit_failed(const RunFolder& folder, const Verdict& verdict, bool json) {
  if (json) {
    return emit_line_of(
        nlohmann::ordered_json{{"run", as_utf8(folder.path().string())}, {"verdict", verdict_json(verdict)}});
  }
  for (const Evidence& e : verdict.evidence) emit("{:<12}{}\n", "evidence", e.sentence);
  emit_verdict(verdict);
  emit("{:<12}{}\n", "report", shown(folder.report().string()));
}

nlohmann::ordered_json verdict_json(const Verdict& verdict) {
  nlohmann::ordered_json result{
      {"kind", name(verdict.kind)}, {"sentence", verdict.sentence}, {"advice", verdict.advice}};
  for (const Evidence& e : verdict.evidence) result["evidence"][e.name] = e.value;
  if (!verdict.tried.empty()) result["tried"] = verdict.tried;
  return result;
}

}  // namespace thalweg::cli
