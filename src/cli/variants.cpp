// The variants of a configuration, one after the other.

#include <fmt/format.h>

#include <filesystem>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>

#include "cli/output.hpp"
#include "cli/train.hpp"
#include "cli/verdicts.hpp"
#include "core/error.hpp"
#include "report/variants.hpp"
#include "run/run.hpp"
#include "store/atomic_file.hpp"

namespace fs = std::filesystem;

namespace thalweg::cli {

namespace {

using Json = nlohmann::ordered_json;

/// One variant with its data. All are made before the first is trained, so that every mistake is found at once.
struct Planned {
  Variant variant;
  NamedTree tree;
  LoadedConfig loaded;  ///< until it is trained
  Choice loss;
};

std::vector<Planned> plan(const ConfigArguments& arguments, const NamedTree& named, const Registry& registry) {
  std::vector<Planned> all;
  for (const Variant& variant : named.variants) {
    ConfigArguments own = arguments;
    own.variant = variant.name;
    NamedTree tree = read_arguments(own, registry);
    tree.name = named.name + "-" + variant.folder();
    tree.run_folder = false;  // the folder of the variant is given instead
    LoadedConfig loaded = load(tree, registry);
    Choice loss = loaded.config.loss;
    all.push_back({variant, std::move(tree), std::move(loaded), std::move(loss)});
  }
  return all;
}

/// Writes the whole configuration and every whole variant, for `thalweg train FOLDER --resume`.
std::string whole_text(const Config& base, const std::vector<Planned>& variants) {
  std::string text = base.toml();
  for (const Planned& planned : variants) {
    text += fmt::format("\n[[variants]]\nname = {}\n", OptionValue{planned.variant.name}.str());
    for (const auto& [section, values] : planned.loaded.config.tree()) {
      text += fmt::format("{} = {}\n", section, values.str());
    }
  }
  return text;
}

/// The configuration, and how each variant differs from it.
std::string short_text(const Config& base, const std::vector<Planned>& variants) {
  std::string text = "# The options of all variants; below, the options in which each variant differs.\n" + base.toml();
  for (const Planned& planned : variants) {
    text += fmt::format("\n# variant {}\n", planned.variant.name);
    for (const std::string& line : differences(base, planned.loaded.config)) text += fmt::format("#   {}\n", line);
  }
  return text;
}

/// The folder to resume in; its variants must be those of the configuration.
fs::path folder_to_resume(const fs::path& wanted, const NamedTree& named, const std::vector<Planned>& variants,
                          const Registry& registry) {
  const auto found = named.run_folder ? std::optional(named.folder) : RunFolder::newest_unfinished(wanted);
  if (!found || RunFolder::finished(*found)) {
    fail<UsageError>("[resume] there is no unfinished run {}. Hint: without --resume a new one begins.",
                     wanted.string());
  }
  const ConfigArguments stored{.source = found->string(), .given = {}, .sets = {}, .types = {}};
  const std::vector<Planned> before = plan(stored, read_arguments(stored, registry), registry);
  bool same = before.size() == variants.size();
  for (std::size_t i = 0; same && i < before.size(); ++i) {
    same = before[i].variant.name == variants[i].variant.name &&
           differences(before[i].loaded.config, variants[i].loaded.config).empty();
  }
  if (same) return *found;
  fail<UsageError>("[resume] the variants are not those of {}. Hint: thalweg train {} --resume", found->string(),
                   shell_quoted(found->string()));
}

/// Whether a stopped variant left nothing that can be resumed; if so, its files are removed.
bool begins_again(const fs::path& folder) {
  if (!fs::exists(folder)) return true;
  if (RunFolder::finished(folder)) return false;
  const fs::path checkpoints = folder / "checkpoints";
  if (fs::exists(checkpoints) && !fs::is_empty(checkpoints)) return false;
  static_cast<void>(RunFolder::open(folder));  // throws if another process uses the folder
  fs::remove_all(folder);
  return true;
}

/// The result of a variant, read from its folder, and the error that ended it, if there was one.
VariantReport report_of(const Variant& variant, const fs::path& folder, const std::string& failure) {
  const std::string name = variant.folder();
  VariantReport report{.name = variant.name, .link = {}, .history = {}, .measured = {}, .verdict = {}, .flow = {}};
  if (fs::exists(folder / name / "metrics.jsonl"))
    report.history = MetricsLog(folder / name / "metrics.jsonl").history();
  if (fs::exists(folder / name / "report.html")) report.link = name + "/report.html";
  JudgeOptions options{.failure = failure};
  if (!options.failure.empty()) {  // the failed step has no report
    options.failed_step = (report.history.steps.empty() ? 0 : report.history.steps.back().step) + 1;
    constexpr double none = std::numeric_limits<double>::quiet_NaN();
    report.history.steps.push_back({.step = options.failed_step, .loss = none, .gradient_norm = none});
  }
  const std::optional<LeftOutcome> left = outcome_in(folder / name);
  report.verdict =
      left ? left->verdict : judge(report.history, options);  // after a failed first step there are no files
  report.measured = left && !left->validation.empty() ? left->validation : last_metrics(report.history);
  report.flow = gradient_flow(report.history);
  return report;
}

/// A note if the losses of the variants differ in kind or options; otherwise empty.
std::string note_on_losses(const std::vector<Planned>& variants) {
  std::vector<std::string> kinds, losses;
  const auto add = [](std::vector<std::string>& all, std::string one) {
    if (std::ranges::find(all, one) == all.end()) all.push_back(std::move(one));
  };
  for (const Planned& planned : variants) {
    add(kinds, planned.loss.kind);
    add(losses, planned.loss.kind + OptionValue{planned.loss.options}.str());
  }
  if (losses.size() == 1) return {};
  const std::string differ =
      kinds.size() > 1 ? fmt::format("are of different kinds ({})", fmt::join(kinds, ", ")) : "have different options";
  return fmt::format("the losses {}: their values cannot be compared", differ);
}

void emit_table(const std::vector<VariantReport>& reports, const std::string& note, const fs::path& page) {
  std::size_t width = 8;
  for (const VariantReport& report : reports) width = std::max(width, report.name.size());
  emit("\n");
  for (const VariantReport& report : reports) {
    std::string figures;
    for (const auto& [metric, value] : report.measured) {
      if (metric.ends_with("loss") || metric.ends_with("accuracy"))
        figures += fmt::format("{} {}  ", metric, figure(value));
    }
    emit("{:<{}}  {:<10} {}{}\n", report.name, width, report.flow ? name(report.flow->flow) : "", figures,
         name(report.verdict.kind));
  }
  if (!note.empty()) emit("{:<12}{}\n", "note", note);
  emit("{:<12}{}\n", "report", shown(page.string()));
}

void emit_json(const std::vector<VariantReport>& reports, const std::string& note, const fs::path& page) {
  Json all = Json::array();
  for (const VariantReport& report : reports) {
    Json one{{"name", report.name}, {"verdict", name(report.verdict.kind)}};
    if (report.flow) one["gradients"] = name(report.flow->flow);
    for (const auto& [metric, value] : report.measured) one[metric] = value;
    all.push_back(std::move(one));
  }
  Json result{{"variants", all}, {"report", as_utf8(page.string())}};
  if (!note.empty()) result["note"] = note;
  emit_line_of(result);
}

}  // namespace

int train_variants(const TrainArguments& arguments, const NamedTree& named, const Context& context) {
  const Config base = load(named, context.registry).config;
  std::vector<Planned> variants = plan(arguments.config, named, context.registry);
  const fs::path wanted = !arguments.out.empty() ? fs::path(arguments.out)
                          : named.run_folder     ? named.folder
                                                 : fs::path("runs") / named.name;
  const fs::path folder =
      arguments.resume ? folder_to_resume(wanted, named, variants, context.registry) : RunFolder::create(wanted).path();
  if (!arguments.resume) write_atomically(folder / "config.toml", whole_text(base, variants));
  const std::string text = short_text(base, variants);
  std::vector<VariantReport> reports;
  std::vector<std::string> failed;
  std::size_t number = 0;
  for (Planned& planned : variants) {
    TrainArguments own = arguments;
    own.out = (folder / planned.variant.folder()).string();
    own.resume = arguments.resume && !begins_again(own.out);
    if (!context.quiet) say("{} of {}: {}\n", ++number, variants.size(), planned.variant.name);
    std::string failure;
    if (!arguments.resume || !RunFolder::finished(own.out)) {
      try {
        if (const int code = train_one(own, planned.tree, std::move(planned.loaded), context)) {
          if (!context.quiet)
            say("to go on with this one and the others: thalweg train {} --resume\n", shell_quoted(folder.string()));
          return code;
        }
      } catch (const NumericError& error) {
        failure = error.what();
        failed.push_back(planned.variant.name);
        say("{}\n", error.what());
      }
    }
    if (failure.empty() && !RunFolder::finished(own.out)) continue;  // interrupted: it can be resumed
    reports.push_back(report_of(planned.variant, folder, failure));
  }
  if (reports.size() < variants.size()) {
    if (!context.quiet)
      say("to go on with those that were stopped: thalweg train {} --resume{}\n", shell_quoted(folder.string()),
          base.train.budget.empty() ? "" : " --set train.budget=");
    return 0;
  }
  const fs::path page = folder / "report.html";
  const std::string note = note_on_losses(variants);
  write_atomically(page, variants_html(folder.filename().string(), reports, note, text));
  context.json ? emit_json(reports, note, page) : emit_table(reports, note, page);
  if (failed.empty()) return 0;
  fail<NumericError>("[variants] {} of {} ended in an error and left no model: {}", failed.size(), variants.size(),
                     fmt::join(failed, "; "));
}

}  // namespace thalweg::cli
