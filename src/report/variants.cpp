#include "report/variants.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/numbers.hpp"
#include "plot/plot.hpp"
#include "report/heat.hpp"
#include "report/page.hpp"

namespace thalweg {

namespace {

std::string_view tone(const VariantReport& variant) {
  if (variant.verdict.kind == VerdictKind::diverged) return "bad";
  if (variant.flow) return variant.flow->flow == Flow::healthy ? "good" : "warn";
  return variant.verdict.kind == VerdictKind::converged ? "good" : "warn";
}

/// The names of the loss and of the first other metric.
std::vector<std::string> headline_metrics(const std::vector<VariantReport>& variants) {
  for (const VariantReport& variant : variants) {
    std::vector<std::string> names;
    for (const auto& [name, value] : variant.measured) names.push_back(name);
    if (names.empty()) continue;
    names.resize(std::min<std::size_t>(2, names.size()));
    return names;
  }
  return {};
}

/// Writes "validation.accuracy" as "validation accuracy".
std::string title_of(std::string metric) {
  std::ranges::replace(metric, '.', ' ');
  return metric;
}

std::string metric_cell(const VariantReport& variant, const std::string& name) {
  for (const auto& [known, value] : variant.measured) {
    if (known == name) return fmt::format("<td class=\"number\">{}</td>", figure(value));
  }
  return "<td class=\"number\">-</td>";
}

std::string table(const std::vector<VariantReport>& variants) {
  const std::vector<std::string> names = headline_metrics(variants);
  std::string out = "<div class=\"card wide\"><table class=\"list\">\n<thead><tr><th>variant</th>";
  for (const std::string& name : names) out += fmt::format("<th class=\"number\">{}</th>", escape_xml(title_of(name)));
  const bool watched = std::ranges::any_of(variants, [](const VariantReport& v) { return v.flow.has_value(); });
  out += fmt::format("{}<th>how it went</th></tr></thead>\n<tbody>\n", watched ? "<th>gradients</th>" : "");
  for (const VariantReport& variant : variants) {
    const std::string text = escape_xml(variant.name);
    out += variant.link.empty() ? fmt::format("<tr><td>{}</td>", text)
                                : fmt::format("<tr><td><a href=\"{}\">{}</a></td>", escape_xml(variant.link), text);
    for (const std::string& name : names) out += metric_cell(variant, name);
    if (watched) {
      out += fmt::format("<td class=\"mood {}\">{}</td>", tone(variant), variant.flow ? name(variant.flow->flow) : "-");
    }
    out += fmt::format("<td>{}</td></tr>\n", escape_xml(variant.verdict.sentence));
  }
  return out + "</tbody></table></div>\n";
}

/// One value of the steps of all variants, in one chart.
std::string chart_of(const std::vector<VariantReport>& variants, double StepReport::*value, std::string title) {
  std::vector<Series> lines;
  for (const VariantReport& variant : variants) {
    std::vector<double> x, y;
    for (const StepReport& step : variant.history.steps) {
      x.push_back(static_cast<double>(step.step));
      y.push_back(step.*value);
    }
    if (x.empty()) continue;
    Series line = thinned(variant.name, "", x, y, 120);
    line.low.clear();  // the bands of many lines would hide each other
    line.high.clear();
    lines.push_back(std::move(line));
  }
  return line_plot_html({.title = std::move(title), .log_y = wants_log(lines), .x_shown = {0}}, lines);
}

std::string flows(const std::vector<VariantReport>& variants) {
  std::string out;
  for (const VariantReport& variant : variants) {
    const std::string figure = heat_html(variant.history, variant.name);
    if (figure.empty()) continue;
    out += fmt::format("<section>{}<p class=\"soft caption\">{}</p></section>\n", figure,
                       variant.flow ? escape_xml(variant.flow->sentence) : "");
  }
  if (out.empty()) return {};
  return "<h2>Gradient norm of each layer <span class=\"soft\">first layer at the top, step by step from left to "
         "right; black is 0</span></h2>\n<div class=\"pair\">\n" +
         out + "</div>\n";
}

}  // namespace

Metrics last_metrics(const History& history) {
  if (history.epochs.empty()) return {};
  const Metrics& all = history.epochs.back().metrics;
  Metrics held_out;
  std::ranges::copy_if(all, std::back_inserter(held_out),
                       [](const auto& metric) { return metric.first.starts_with("validation."); });
  return held_out.empty() ? all : held_out;
}

std::string variants_html(std::string_view title, const std::vector<VariantReport>& variants, std::string_view note,
                          std::string_view config) {
  const std::string caption = note.empty() ? "" : fmt::format("<p class=\"soft caption\">{}</p>\n", escape_xml(note));
  const std::string body = header_html(title, fmt::format("{} variants of one configuration", variants.size())) +
                           "<h2>Outcome</h2>\n" + table(variants) + caption +
                           "<h2>Course of the runs</h2>\n<div class=\"pair\">\n" +
                           chart_of(variants, &StepReport::loss, "training loss") +
                           chart_of(variants, &StepReport::gradient_norm, "gradient norm") + "</div>\n" +
                           flows(variants) + "<h2>Configuration</h2>\n<pre>" + escape_xml(config) + "</pre>\n";
  return html_page(std::string(title) + " – Thalweg", body);
}

}  // namespace thalweg
