// thalweg study: tests a claim of a textbook.

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "cli/comparison.hpp"
#include "cli/output.hpp"
#include "cli/study.hpp"
#include "core/error.hpp"
#include "insight/rank_test.hpp"
#include "plot/plot.hpp"
#include "store/atomic_file.hpp"

namespace thalweg::cli {

namespace {

constexpr double significant = 0.01;

struct StudyArguments {
  std::string file, out;
};

/// Draws the course of each arm.
std::string courses(const Study& study) {
  std::vector<Series> lines;
  for (const StudyArm& arm : study.arms) {
    Series line{.name = arm.name, .x = {}, .y = arm.course};
    for (std::size_t i = 0; i < arm.course.size(); ++i) line.x.push_back(static_cast<double>(i + 1));
    lines.push_back(std::move(line));
  }
  return line_plot_svg(
      {.title = study.question, .x_label = "epoch", .y_label = study.measure, .log_y = wants_log(lines)}, lines);
}

/// Draws every result of each arm and the median; each arm has its own place on the axis.
std::string picture(const Study& study) {
  if (!study.arms.front().course.empty()) return courses(study);
  std::vector<Series> series;
  bool log_y = true;
  double low = std::numeric_limits<double>::infinity(), high = 0;
  for (std::size_t a = 0; a < study.arms.size(); ++a) {
    Series points{.name = fmt::format("{}: {}", a + 1, study.arms[a].name), .x = {}, .y = {}};
    points.style = Series::Style::points;
    const auto count = static_cast<double>(study.arms[a].results.size());
    for (std::size_t i = 0; i < study.arms[a].results.size(); ++i) {
      const double result = study.arms[a].results[i];
      points.x.push_back(static_cast<double>(a + 1) + 0.3 * (static_cast<double>(i) / count - 0.5));
      points.y.push_back(result);
      log_y = log_y && result > 0;
      if (std::isfinite(result)) low = std::min(low, result), high = std::max(high, result);
    }
    series.push_back(std::move(points));
  }
  return line_plot_svg({.title = study.question,
                        .x_label = "arm",
                        .y_label = study.measure,
                        .log_y = log_y && high > 10 * low,
                        .x_shown = {0.5, static_cast<double>(study.arms.size()) + 0.5}},
                       series);
}

std::string table(const Study& study) {
  std::string names, rules;
  for (const auto& [name, values] : study.arms.front().beside) names += " " + name + " |", rules += "---:|";
  std::string text = fmt::format(
      "| arm | median | quartiles | lowest | highest | diverged |{} chosen |\n"
      "|---|---:|---:|---:|---:|---:|{}---|\n",
      names, rules);
  for (const StudyArm& arm : study.arms) {
    const auto [low, high] = std::ranges::minmax(arm.results);
    std::string beside;
    for (const auto& [name, values] : arm.beside) beside += fmt::format(" {} |", number_text(quantile(values, 0.5), 4));
    text +=
        fmt::format("| {} | {} | {} to {} | {} | {} | {} |{} {} |\n", arm.name,
                    number_text(quantile(arm.results, 0.5), 4), number_text(quantile(arm.results, 0.25), 4),
                    number_text(quantile(arm.results, 0.75), 4), number_text(low, 4), number_text(high, 4),
                    std::ranges::count_if(arm.results, [](double r) { return !std::isfinite(r); }), beside, arm.note);
  }
  return text;
}

const StudyArm& arm_named(const Study& study, const std::string& name) {
  return *std::ranges::find(study.arms, name, &StudyArm::name);
}

/// "Confirmed: ..." or "Not confirmed: ...".
std::string answer(const Study& study, const RankTest& test) {
  return fmt::format(
      "{}: '{}' ends below '{}' in {} of the pairs; by chance alone, ranks as low as these have probability {} (Mann "
      "and "
      "Whitney, one-sided, {} against {} results).",
      test.p < significant ? "Confirmed" : "Not confirmed", study.lower, study.higher, percent_text(test.superiority),
      number_text(test.p, 2), arm_named(study, study.lower).results.size(),
      arm_named(study, study.higher).results.size());
}

std::string page(const Study& study, const RankTest& test) {
  return fmt::format(
      "# {}\n\nThe claim: {} ({})\n\n**{}**\n\nMeasured: {}, {} times each.\n\n{}\n![{}]({}.svg)\n{}\n"
      "Made by `thalweg study {}.toml`.\n",
      study.question, study.claim, study.source, answer(study, test), study.measure, study.repeats, table(study),
      study.arms.front().course.empty() ? "Every result, by arm" : "Medians, by epoch", study.name,
      study.remark.empty() ? "" : fmt::format("\n{}\n", study.remark), study.name);
}

int run(const StudyArguments& arguments, const Context& context) {
  Study study = read_study(arguments.file);
  const auto kind = std::ranges::find(study_kinds(), study.kind, &StudyKind::name);
  for (StudyArm& arm : study.arms) {
    if (!context.quiet && !context.json) say("{}\n", arm.name);
    kind->run(study, arm, context);
  }
  const RankTest test = rank_test(arm_named(study, study.lower).results, arm_named(study, study.higher).results);
  std::filesystem::path folder = arguments.out;
  if (folder.empty()) folder = std::filesystem::path(arguments.file).parent_path();
  write_atomically(folder / (study.name + ".md"), page(study, test));
  write_atomically(folder / (study.name + ".svg"), picture(study));
  if (context.json) {
    nlohmann::ordered_json json{{"study", study.name}, {"shows", test.p < significant}, {"p", test.p}};
    for (const StudyArm& arm : study.arms) json["arms"][arm.name] = arm.results;
    emit_line_of(json);
    return 0;
  }
  emit("{}\n{}\n{}\nthe page is {}\n", study.question, table(study), answer(study, test),
       shown((folder / (study.name + ".md")).string()));
  return 0;
}

void set_up(CLI::App& command, Context& context) {
  auto arguments = std::make_shared<StudyArguments>();
  command.footer("Example:\n  thalweg study examples/studies/ravine.toml");
  command.add_option("study", arguments->file, "A study: a file with its question and its arms")
      ->required()
      ->type_name("TOML");
  command.add_option("--out", arguments->out, "Folder for the page and the picture (the folder of the study)")
      ->type_name("FOLDER");
  set_run(command, context, [arguments, &context] { return run(*arguments, context); });
}

}  // namespace

std::vector<CommandRow> study_commands() {
  return {{"study", "Test a claim of a textbook", CommandGroup::methods, set_up}};
}

}  // namespace thalweg::cli
