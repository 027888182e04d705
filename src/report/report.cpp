#include "report/report.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "plot/page_chart.hpp"
#include "plot/plot.hpp"
#include "report/heat.hpp"
#include "report/page.hpp"
#include "report/tables.hpp"

namespace thalweg {

namespace {

std::string tiles(const std::vector<ReportTile>& list, std::string_view size = "") {
  if (list.empty()) return {};
  std::string out = "<div class=\"tiles\">\n";
  for (const ReportTile& tile : list) {
    out += fmt::format("<div class=\"card tile {}\"><span>{}</span><b>{}</b><small>{}</small></div>\n", size,
                       escape_xml(tile.label), escape_xml(tile.value), escape_xml(tile.note));
  }
  return out + "</div>\n";
}

std::string_view tone(VerdictKind kind) {
  switch (kind) {
    case VerdictKind::converged: return "good";
    case VerdictKind::diverged: return "bad";
    default: return "warn";
  }
}

std::string verdict(const Verdict& v) {
  if (v.sentence.empty()) return {};
  std::string out =
      fmt::format("<section class=\"card verdict {}\"><p>{}</p>\n<ul>\n", tone(v.kind), escape_xml(v.sentence));
  for (const Evidence& e : v.evidence) out += fmt::format("<li>{}</li>\n", escape_xml(e.sentence));
  return out + fmt::format("</ul>\n<p><b>Next:</b> {}</p></section>\n", escape_xml(v.advice));
}

/// A metric of the epochs, over their steps.
ChartLine epoch_line(const History& history, const std::string& metric, std::string name, std::string role) {
  ChartLine line{.name = std::move(name), .role = std::move(role), .dots = history.epochs.size() <= 60};
  for (const EpochReport& epoch : history.epochs) {
    for (const auto& [key, value] : epoch.metrics) {
      if (key != metric) continue;
      line.x.push_back(static_cast<double>(epoch.step));
      line.y.push_back(value);
    }
  }
  return line;
}

ChartLine step_line(const History& history, double StepReport::*value, std::string name, std::string role) {
  std::vector<double> x, y;
  for (const StepReport& step : history.steps) {
    x.push_back(static_cast<double>(step.step));
    y.push_back(step.*value);
  }
  return thinned(std::move(name), std::move(role), x, y);
}

double best_step(const History& history) {
  const auto best = std::ranges::find(history.epochs, history.best_epoch, &EpochReport::epoch);
  return best == history.epochs.end() ? -1 : static_cast<double>(best->step);
}

/// Names of what the epochs measured, each once, without "validation." before it.
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

/// An empty chart over all steps of the run.
Chart chart_of(const History& history, std::string title) {
  std::int64_t last = 0;
  if (!history.steps.empty()) last = history.steps.back().step;
  if (!history.epochs.empty()) last = std::max(last, history.epochs.back().step);
  return {.title = std::move(title), .lines = {}, .last_x = static_cast<double>(last), .best_x = best_step(history)};
}

std::string metric_chart(const History& history, const std::string& name) {
  Chart chart = chart_of(history, name);
  const bool by_steps = name == "loss" && !history.steps.empty();
  chart.lines.push_back(by_steps ? step_line(history, &StepReport::loss, "training", "training")
                                 : epoch_line(history, name, "training", "training"));
  chart.lines.push_back(epoch_line(history, "validation." + name, "validation", "validation"));
  return chart_html(chart);
}

std::string step_chart(const History& history, double StepReport::*value, std::string title, std::string role) {
  Chart chart = chart_of(history, title);
  chart.from_zero = role == "lr";
  chart.best_x = -1;
  chart.lines.push_back(step_line(history, value, std::move(title), std::move(role)));
  return chart_html(chart);
}

/// The loss and the first metric, what drove them, and then the other metrics.
std::string charts(const History& history) {
  std::vector<std::string> names = metric_names(history);
  std::erase(names, "loss");
  std::string out = metric_chart(history, "loss");
  if (!names.empty()) out += metric_chart(history, names.front());
  out += step_chart(history, &StepReport::lr, "learning rate", "lr");
  out += step_chart(history, &StepReport::gradient_norm, "gradient norm", "gradient");
  for (std::size_t i = 1; i < names.size(); ++i) out += metric_chart(history, names[i]);
  out += heat_html(history, "gradient norm of each layer");
  if (out.empty()) return {};
  return "<h2>Course of the run <span class=\"soft\">step by step</span></h2>\n<div class=\"pair\">\n" + out +
         "</div>\n";
}

std::string evaluation(const ReportData& data) {
  if (data.evaluation.empty()) return {};
  std::vector<ReportTile> list;
  for (const auto& [name, value] : data.evaluation) list.push_back({name, short_number(value)});
  return "<h2>Metrics on " + escape_xml(data.evaluated_on) + "</h2>\n" + tiles(list, "small");
}

/// What the run was made of: the model and its surroundings on the left, the configuration on the right.
std::string making(const ReportData& data) {
  std::string left, right;
  if (!data.parameters.empty()) left += "<h2>Model</h2>\n" + layers_html(data.parameters);
  if (!data.environment.empty()) left += "<h2>Environment</h2>\n" + pairs_html(data.environment);
  if (!data.config.empty()) right += "<h2>Configuration</h2>\n<pre>" + escape_xml(data.config) + "</pre>\n";
  std::string out;
  for (const std::string& side : {left, right}) {
    if (!side.empty()) out += "<section>" + side + "</section>\n";
  }
  return out.empty() ? "" : "<div class=\"pair\">\n" + out + "</div>\n";
}

}  // namespace

std::string report_html(const ReportData& data) {
  std::string body = header_html(data.title, data.subtitle) + tiles(data.tiles) + verdict(data.verdict) +
                     charts(data.history) + evaluation(data);
  if (data.confusion) {
    body += "<h2>What was taken for what <span class=\"soft\">rows: true class, columns: predicted</span></h2>\n" +
            confusion_html(*data.confusion);
  }
  if (data.predictions) {
    body += "<h2>Predicted against true</h2>\n<div class=\"card\">" +
            scatter_html(data.predictions->target, data.predictions->truth, data.predictions->predicted) + "</div>\n";
  }
  if (!data.pictures.empty()) body += "<h2>Pictures</h2>\n" + pictures_html(data.pictures);
  body += making(data);
  return html_page(data.title + " – Thalweg", body);
}

}  // namespace thalweg
