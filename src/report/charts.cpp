#include "report/charts.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "plot/plot.hpp"
#include "report/heat.hpp"

namespace thalweg {

namespace {

/// A metric of the epochs, plotted over the steps.
Series epoch_line(const History& history, const std::string& metric, std::string name, std::string role) {
  Series line{.name = std::move(name), .x = {}, .y = {}, .role = std::move(role)};
  if (history.epochs.size() <= 60) line.style = Series::Style::dotted_line;
  for (const EpochReport& epoch : history.epochs) {
    for (const auto& [key, value] : epoch.metrics) {
      if (key != metric) continue;
      line.x.push_back(static_cast<double>(epoch.step));
      line.y.push_back(value);
    }
  }
  return line;
}

Series step_line(const History& history, double StepReport::*value, std::string name, std::string role) {
  std::vector<double> x, y;
  for (const StepReport& step : history.steps) {
    x.push_back(static_cast<double>(step.step));
    y.push_back(step.*value);
  }
  return thinned(std::move(name), std::move(role), x, y);
}

/// The names of the metrics of the epochs, each once, without the prefix "validation.".
std::vector<std::string> metric_names(const History& history) {
  std::vector<std::string> names;
  for (const EpochReport& epoch : history.epochs) {
    for (const auto& [key, value] : epoch.metrics) {
      const std::string name = key.starts_with("validation.") ? key.substr(11) : key;
      if (std::ranges::find(names, name) == names.end()) names.push_back(name);
    }
  }
  return names;
}

/// The axis covers all steps of the run.
PlotOptions options_of(const History& history, std::string title) {
  std::int64_t last = 0;
  if (!history.steps.empty()) last = history.steps.back().step;
  if (!history.epochs.empty()) last = std::max(last, history.epochs.back().step);
  return {.title = std::move(title), .x_shown = {0, static_cast<double>(last)}};
}

std::string metric_chart(const History& history, const std::string& name) {
  const bool by_steps = name == "loss" && !history.steps.empty();
  const Series lines[] = {by_steps ? step_line(history, &StepReport::loss, "training", "training")
                                   : epoch_line(history, name, "training", "training"),
                          epoch_line(history, "validation." + name, "validation", "validation")};
  PlotOptions options = options_of(history, name);
  options.log_y = wants_log(lines);
  const auto best = std::ranges::find(history.epochs, history.best_epoch, &EpochReport::epoch);
  if (best != history.epochs.end()) options.marks = {{static_cast<double>(best->step), "best"}};
  return line_plot_html(options, lines);
}

/// The losses of several objectives, "d.loss" and so on, in one chart.
std::string losses_chart(const History& history, const std::vector<std::string>& objectives) {
  std::vector<Series> lines;
  for (const std::string& objective : objectives) {
    const std::string name = objective + ".loss";
    std::vector<double> x, y;
    for (const StepReport& step : history.steps) {
      const auto found = std::ranges::find(step.metrics, name, &Metrics::value_type::first);
      if (found == step.metrics.end()) continue;
      x.push_back(static_cast<double>(step.step));
      y.push_back(found->second);
    }
    lines.push_back(thinned(name, fmt::format("series{}", lines.size() + 1), x, y));
  }
  PlotOptions options = options_of(history, "training losses");
  options.log_y = wants_log(lines);
  return line_plot_html(options, lines);
}

/// If there are several objectives, `whose` names the first: rate and gradient norm are recorded only for it.
std::string rate_chart(const History& history, const std::string& whose) {
  PlotOptions options = options_of(history, "learning rate" + whose);
  options.y_shown = {0};
  const Series line = step_line(history, &StepReport::lr, "learning rate", "lr");
  return line_plot_html(options, {&line, 1});
}

std::string gradient_chart(const History& history, const std::string& whose) {
  PlotOptions options = options_of(history, "gradient norm" + whose);
  const Series line = step_line(history, &StepReport::gradient_norm, "gradient norm", "gradient");
  options.log_y = wants_log({&line, 1});
  return line_plot_html(options, {&line, 1});
}

}  // namespace

std::string charts_html(const History& history, const std::vector<std::string>& objectives) {
  std::vector<std::string> names = metric_names(history);
  std::erase(names, "loss");
  const bool several = objectives.size() > 1;
  const std::string whose = several ? " of " + objectives.front() : "";
  std::string out = several ? losses_chart(history, objectives) : metric_chart(history, "loss");
  if (!names.empty()) out += metric_chart(history, names.front());
  out += rate_chart(history, whose) + gradient_chart(history, whose);
  for (std::size_t i = 1; i < names.size(); ++i) out += metric_chart(history, names[i]);
  out += heat_html(history, "gradient norm of each layer");
  return out.empty() ? "" : "<div class=\"pair\">\n" + out + "</div>\n";
}

}  // namespace thalweg
