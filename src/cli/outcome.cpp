#include "cli/outcome.hpp"

#include <nlohmann/json.hpp>

#include "cli/output.hpp"

namespace thalweg::cli {

namespace {

using Json = nlohmann::ordered_json;

Json json_of(const Metrics& metrics) {
  Json object = Json::object();
  for (const auto& [name, value] : metrics) object[name] = value;
  return object;
}

}  // namespace

void finish_run(Session& session, const Config& config, const std::string& name, const RunFolder& folder,
                const History& history, const Context& context) {
  save_model(folder.model(), session.recipe, session.trainer.state());
  Json result{{"run", folder.path().string()}, {"seconds", history.seconds}, {"steps", session.trainer.state().step}};
  if (session.parts.validation) {
    const Evaluation evaluation = session.trainer.evaluate(*session.parts.validation);
    result["validation"] = json_of(evaluation.metrics);
    if (!context.json) print_metrics("validation", evaluation.metrics);
  }
  if (session.parts.test) {
    const Evaluation evaluation = session.trainer.evaluate(*session.parts.test);
    result["test"] = json_of(evaluation.metrics);
    if (!context.json) print_metrics("test", evaluation.metrics);
  }
  (void)config;
  (void)name;
  if (context.json) {
    emit("{}\n", result.dump());
    return;
  }
  emit("{:<12}{}\n", "time", duration_text(history.seconds));
  emit("{:<12}{}\n", "run", folder.path().string());
}

}  // namespace thalweg::cli
