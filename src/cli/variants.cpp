// The variants of a configuration, one after the other.

#include <fmt/format.h>

#include <limits>
#include <nlohmann/json.hpp>

#include "cli/output.hpp"
#include "cli/train.hpp"
#include "core/atomic_file.hpp"
#include "core/error.hpp"
#include "train/report_variants.hpp"
#include "train/run.hpp"

namespace fs = std::filesystem;

namespace thalweg::cli {

namespace {

using Json = nlohmann::ordered_json;

/// Where the variants' folders are, or go.
fs::path folder_of_all(const TrainArguments& arguments, const NamedTree& named) {
  if (named.run_folder) return named.folder;
  const fs::path wanted = arguments.out.empty() ? fs::path("runs") / named.name : fs::path(arguments.out);
  if (!arguments.resume) return RunFolder::create(wanted).path();
  if (!fs::exists(wanted / "config.toml")) {
    fail<UsageError>("[resume] there is no run {}. Hint: without --resume a new one begins.", wanted.string());
  }
  return wanted;
}

/// The configuration in full, its variants at its end: what `thalweg train FOLDER --resume` goes on with.
std::string config_text(const NamedTree& named, const Registry& registry) {
  std::string text = load(named, registry).config.toml();
  for (const Variant& variant : named.variants) {
    text += fmt::format("\n[[variants]]\nname = {}\n", OptionValue{variant.name}.str());
    for (const auto& [section, changes] : variant.changes) text += fmt::format("{} = {}\n", section, changes.str());
  }
  return text;
}

/// One variant's arguments: its own folder, and to resume only where it began.
TrainArguments arguments_for(const TrainArguments& arguments, const NamedTree& named, const Variant& variant,
                             const fs::path& folder) {
  TrainArguments own = arguments;
  own.config.variant = variant.name;
  own.out = (folder / variant.folder()).string();
  if (named.run_folder) own.config.source = (folder / "config.toml").string();
  own.resume = arguments.resume && fs::exists(fs::path(own.out) / "config.toml");
  return own;
}

/// How a variant went, as its folder tells.
VariantReport report_of(const Variant& variant, const fs::path& folder) {
  const std::string name = variant.folder();
  VariantReport report{.name = variant.name,
                       .link = {},
                       .history = MetricsLog(folder / name / "metrics.jsonl").history(),
                       .verdict = {},
                       .flow = {}};
  if (RunFolder::finished(folder / name)) {
    report.link = name + "/report.html";
  } else {  // only what diverges leaves no model
    const std::int64_t last = report.history.steps.empty() ? 0 : report.history.steps.back().step;
    constexpr double none = std::numeric_limits<double>::quiet_NaN();
    report.history.steps.push_back({.step = last + 1, .loss = none, .gradient_norm = none});
  }
  report.verdict = judge(report.history);
  report.flow = gradient_flow(report.history);
  return report;
}

void emit_table(const std::vector<VariantReport>& reports, const fs::path& page) {
  std::size_t width = 8;
  for (const VariantReport& report : reports) width = std::max(width, report.name.size());
  emit("\n");
  for (const VariantReport& report : reports) {
    std::string figures;
    for (const auto& [metric, value] : last_metrics(report.history)) {
      if (metric.ends_with("loss") || metric.ends_with("accuracy"))
        figures += fmt::format("{} {}  ", metric, figure(value));
    }
    emit("{:<{}}  {:<10} {}{}\n", report.name, width, report.flow ? name(report.flow->flow) : "", figures,
         name(report.verdict.kind));
  }
  emit("{:<12}{}\n", "report", page.string());
}

void emit_json(const std::vector<VariantReport>& reports, const fs::path& page) {
  Json all = Json::array();
  for (const VariantReport& report : reports) {
    Json one{{"name", report.name}, {"verdict", name(report.verdict.kind)}};
    if (report.flow) one["gradients"] = name(report.flow->flow);
    for (const auto& [metric, value] : last_metrics(report.history)) one[metric] = value;
    all.push_back(std::move(one));
  }
  emit("{}\n", Json{{"variants", all}, {"report", page.string()}}.dump());
}

}  // namespace

int train_variants(const TrainArguments& arguments, const NamedTree& named, const Context& context) {
  const fs::path folder = folder_of_all(arguments, named);
  const std::string config = config_text(named, context.registry);
  write_atomically(folder / "config.toml", config);
  std::vector<VariantReport> reports;
  for (const Variant& variant : named.variants) {
    const TrainArguments own = arguments_for(arguments, named, variant, folder);
    if (!context.quiet) say("{} of {}: {}\n", reports.size() + 1, named.variants.size(), variant.name);
    if (!arguments.resume || !RunFolder::finished(own.out)) {
      const NamedTree tree = read_arguments(own.config, context.registry);
      try {
        if (const int code = train_one(own, tree, load(tree, context.registry), context)) return code;
      } catch (const NumericError& error) {
        if (!context.quiet) say("{}\n", error.what());
      }
      if (arguments.stop_after > 0 && !RunFolder::finished(own.out)) continue;  // there is more of it to come
    }
    reports.push_back(report_of(variant, folder));
  }
  if (reports.size() < named.variants.size()) return 0;
  const fs::path page = folder / "report.html";
  write_atomically(page, variants_html(named.name, reports, config));
  context.json ? emit_json(reports, page) : emit_table(reports, page);
  return 0;
}

}  // namespace thalweg::cli
