#include "cli/verdicts.hpp"

#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "cli/output.hpp"
#include "core/nesting.hpp"
#include "store/atomic_file.hpp"

namespace thalweg::cli {

void emit_verdict(const Verdict& verdict) {
  emit("{:<12}{}\n", "verdict", verdict.sentence);
  for (const std::string& tried : verdict.tried) emit("{:<12}{}\n", "tried", tried);
  if (!verdict.advice.empty()) emit("{:<12}{}\n", "to improve", verdict.advice);
}

void save_outcome(const RunFolder& folder, const nlohmann::ordered_json& outcome) {
  constexpr auto replace = nlohmann::ordered_json::error_handler_t::replace;
  write_atomically(folder.outcome(), outcome.dump(1, ' ', false, replace) + "\n");
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

namespace {

VerdictKind kind_named(const std::string& wanted) {
  int kind = 0;
  const int last = static_cast<int>(VerdictKind::not_judged);
  while (kind < last && name(static_cast<VerdictKind>(kind)) != wanted) ++kind;
  return static_cast<VerdictKind>(kind);
}

}  // namespace

std::optional<LeftOutcome> outcome_in(const std::filesystem::path& folder) {
  constexpr int deepest = 8;
  if (!std::filesystem::is_regular_file(folder / "outcome.json")) return std::nullopt;
  std::ostringstream text;
  text << std::ifstream(folder / "outcome.json").rdbuf();
  if (!nests_within(text.str(), deepest)) return std::nullopt;
  const auto left = nlohmann::ordered_json::parse(text.str(), nullptr, false);
  try {
    const auto& verdict = left.at("verdict");
    LeftOutcome outcome{.validation = {},
                        .verdict = {.kind = kind_named(verdict.at("kind")),
                                    .sentence = verdict.at("sentence"),
                                    .evidence = {},
                                    .advice = verdict.at("advice")}};
    if (!left.contains("validation")) return outcome;
    for (const auto& [metric, value] : left["validation"].items())
      outcome.validation.emplace_back("validation." + metric,
                                      value.is_number() ? value.get<double>() : std::nan(""));  // JSON has no NaN
    return outcome;
  } catch (const nlohmann::json::exception&) {
    return std::nullopt;
  }
}

}  // namespace thalweg::cli
