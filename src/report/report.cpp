#include "report/report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "core/numbers.hpp"
#include "plot/plot.hpp"
#include "report/charts.hpp"
#include "report/looks.hpp"
#include "report/media.hpp"
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

std::string headline(const ReportData& data) { return tiles(data.tiles); }

std::string verdict(const ReportData& data) {
  const Verdict& v = data.verdict;
  if (v.sentence.empty()) return {};
  std::string out =
      fmt::format("<section class=\"card verdict {}\"><p>{}</p>\n<ul>\n", tone(v.kind), escape_xml(v.sentence));
  for (const Evidence& e : v.evidence) out += fmt::format("<li>{}</li>\n", escape_xml(e.sentence));
  for (const std::string& tried : v.tried) out += fmt::format("<li><i>Tried:</i> {}</li>\n", escape_xml(tried));
  return out + fmt::format("</ul>\n<p><b>Next:</b> {}</p></section>\n", escape_xml(v.advice));
}

std::string looks(const ReportData& data) { return looks_html(data.looks); }
std::string looks_note(const ReportData&) { return "noise, effective rates, sharpness"; }
std::string course(const ReportData& data) { return charts_html(data.history, data.objectives); }

/// A metric of the baselines: "always no: 0.62, linear: 0.87".
std::string beside(const ReportData& data, const std::string& metric) {
  std::string text;
  for (const auto& [name, metrics] : data.baselines) {
    const auto own = std::ranges::find(metrics, metric, &Metrics::value_type::first);
    if (own == metrics.end()) continue;
    text += fmt::format("{}{}: {}", text.empty() ? "" : ", ", name, figure(own->second));
  }
  return text;
}

std::string evaluation(const ReportData& data) {
  std::vector<ReportTile> list;
  for (const auto& [name, value] : data.evaluation) list.push_back({name, figure(value), beside(data, name)});
  return tiles(list, "small");
}

std::string evaluated_on(const ReportData& data) { return "on " + data.evaluated_on; }

std::string confusion(const ReportData& data) { return data.confusion ? confusion_html(*data.confusion) : ""; }

std::string predictions(const ReportData& data) {
  if (!data.predictions) return {};
  const auto& [target, truth, predicted] = *data.predictions;
  return "<div class=\"card\">" + scatter_html(target, truth, predicted) + "</div>\n";
}

std::string importance(const ReportData& data) {
  return data.importance.empty() ? "" : importance_html(data.importance);
}
std::string worst(const ReportData& data) { return data.worst.empty() ? "" : worst_rows_html(data.worst); }
std::string pictures(const ReportData& data) { return data.pictures.empty() ? "" : pictures_html(data.pictures); }
std::string media(const ReportData& data) {
  constexpr std::size_t budget = 4'000'000;  // so that the page stays below 5 MB
  return media_html(data.media, budget);
}
std::string map(const ReportData& data) {
  return data.map.empty() ? "" : "<div class=\"card\">" + data.map + "</div>\n";
}
std::string map_note(const ReportData& data) { return data.map_note; }
std::string model(const ReportData& data) { return data.parameters.empty() ? "" : layers_html(data.parameters); }
std::string environment(const ReportData& data) { return data.environment.empty() ? "" : pairs_html(data.environment); }
std::string configuration(const ReportData& data) {
  return data.config.empty() ? "" : "<pre>" + escape_xml(data.config) + "</pre>\n";
}

/// A part of the page: a heading, a note in soft colour after it, and a body. A part with an empty body is left out. A
/// left part and the right part after it are placed side by side.
struct Section {
  enum class Column { whole, left, right };
  std::string_view title = {};
  std::string (*body)(const ReportData&) = nullptr;
  std::string (*note)(const ReportData&) = nullptr;
  Column column = Column::whole;
};

std::string steps_note(const ReportData&) { return "step by step"; }
std::string importance_note(const ReportData& data) {
  const std::string& rows = data.importance_rows;
  return "the rise of the loss when its values are permuted among the rows" +
         (rows.empty() ? "" : ", on " + rows + " rows");
}
std::string worst_note(const ReportData&) { return "those with the highest loss"; }
std::string confusion_note(const ReportData&) { return "rows: true class, columns: predicted"; }

std::string media_note(const ReportData&) { return "the first, the last and some evenly between"; }

constexpr Section sections[] = {
    {.body = headline},
    {.body = verdict},
    {.title = "Course of the run", .body = course, .note = steps_note},
    {.title = "Looks at the run", .body = looks, .note = looks_note},
    {.title = "Metrics", .body = evaluation, .note = evaluated_on},
    {.title = "Confusion matrix", .body = confusion, .note = confusion_note},
    {.title = "Predicted against true", .body = predictions},
    {.title = "Importance of the features",
     .body = importance,
     .note = importance_note,
     .column = Section::Column::left},
    {.title = "Worst rows", .body = worst, .note = worst_note, .column = Section::Column::right},
    {.title = "Pictures", .body = pictures},
    {.title = "Products of the run", .body = media, .note = media_note},
    {.title = "Map", .body = map, .note = map_note},
    {.title = "Model", .body = model, .column = Section::Column::left},
    {.title = "Environment", .body = environment, .column = Section::Column::left},
    {.title = "Configuration", .body = configuration, .column = Section::Column::right},
};

std::string section_html(const Section& section, const ReportData& data) {
  const std::string body = section.body(data);
  if (body.empty() || section.title.empty()) return body;
  const std::string note =
      section.note ? fmt::format(" <span class=\"soft\">{}</span>", escape_xml(section.note(data))) : "";
  return fmt::format("<h2>{}{}</h2>\n{}", section.title, note, body);
}

/// Both columns, unless both are empty.
std::string pair_html(const std::string& left, const std::string& right) {
  std::string out;
  for (const std::string& side : {left, right}) {
    if (!side.empty()) out += "<section>" + side + "</section>\n";
  }
  return out.empty() ? "" : "<div class=\"pair\">\n" + out + "</div>\n";
}

}  // namespace

std::string report_html(const ReportData& data) {
  std::string body = header_html(data.title, data.subtitle), left, right;
  for (const Section& section : sections) {
    if (section.column == Section::Column::whole) {
      body += pair_html(std::exchange(left, {}), std::exchange(right, {}));
      body += section_html(section, data);
    } else {
      (section.column == Section::Column::left ? left : right) += section_html(section, data);
    }
  }
  return html_page(data.title + " – Thalweg", body + pair_html(left, right));
}

}  // namespace thalweg
