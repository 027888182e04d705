#include "report/tables.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <span>

#include "core/numbers.hpp"
#include "plot/plot.hpp"

namespace thalweg {

namespace {

constexpr std::size_t most_shown = 40;  // classes

std::string percent(double part, double whole) { return whole > 0 ? fmt::format("{:.1f}", 100 * part / whole) : "-"; }

/// Counts are whole numbers unless rows have weights.
std::string count_text(double count) {
  return count == std::floor(count) ? with_commas(static_cast<std::int64_t>(count)) : figure(count);
}

/// Wrong predictions are shaded more strongly than their fraction, so that a twentieth of a row is still visible.
std::string cell(const ReportConfusion& confusion, std::size_t truth, std::size_t predicted) {
  const Confusion::Counts& row = confusion.counts.of(truth);
  const double count = confusion.counts.at(truth, predicted), total = row.tp + row.fn;
  const std::string title =
      fmt::format("true {}, predicted {}: {} ({} %)", escape_xml(confusion.classes[truth]),
                  escape_xml(confusion.classes[predicted]), count_text(count), percent(count, total));
  if (count == 0) return fmt::format("<td class=\"none\" title=\"{}\">0</td>", title);
  const bool hit = truth == predicted;
  const double shade = hit ? 0.15 + 0.8 * count / total : std::min(0.95, 0.08 + 2.5 * count / total);
  return fmt::format("<td class=\"{}{}\" style=\"--part:{:.2f}\" title=\"{}\">{}</td>", hit ? "hit" : "miss",
                     shade > 0.62 ? " strong" : "", shade, title, count_text(count));
}

}  // namespace

std::string confusion_html(const ReportConfusion& confusion) {
  const std::vector<std::size_t> shown = confusion.counts.most_confused(most_shown);
  const std::size_t all = confusion.counts.size();
  std::string out = fmt::format("<div class=\"card wide\"><table class=\"confusion{}\">\n<thead><tr><th></th>",
                                shown.size() > 12 ? " many" : "");
  for (const std::size_t c : shown)
    out += fmt::format("<th><div class=\"{}\">{}</div></th>", all > 3 ? "name" : "", escape_xml(confusion.classes[c]));
  out += "<th class=\"side\">recall %</th></tr></thead>\n<tbody>\n";
  for (const std::size_t truth : shown) {
    const Confusion::Counts& row = confusion.counts.of(truth);
    out += fmt::format("<tr><th>{}</th>", escape_xml(confusion.classes[truth]));
    for (const std::size_t predicted : shown) out += cell(confusion, truth, predicted);
    out += fmt::format("<td class=\"side\">{}</td></tr>\n", percent(row.tp, row.tp + row.fn));
  }
  out += "</tbody>\n<tfoot><tr><th class=\"side\">precision %</th>";
  for (const std::size_t c : shown) {
    const Confusion::Counts& column = confusion.counts.of(c);
    out += fmt::format("<td class=\"side\">{}</td>", percent(column.tp, column.tp + column.fp));
  }
  out += "<td></td></tr></tfoot></table>";
  if (shown.size() < all) {
    out += fmt::format("<p class=\"soft caption\">The {} of {} classes with the most mistakes.</p>", shown.size(),
                       with_commas(static_cast<std::int64_t>(all)));
  }
  return out + "</div>\n";
}

std::string layers_html(const std::vector<ParameterEntry>& parameters) {
  std::vector<std::pair<std::string, std::vector<const ParameterEntry*>>> layers;
  std::int64_t total = 0;
  for (const ParameterEntry& entry : parameters) {
    const auto slash = entry.name.rfind('/');
    const std::string layer = slash == std::string::npos ? "" : entry.name.substr(0, slash);
    auto found = std::ranges::find(layers, layer, &decltype(layers)::value_type::first);
    if (found == layers.end()) found = layers.insert(layers.end(), {layer, {}});
    found->second.push_back(&entry);
    total += entry.shape.size();
  }
  std::string out =
      "<div class=\"card wide\"><table class=\"list\">\n<thead><tr><th>layer</th><th>shape</th>"
      "<th class=\"number\">parameters</th></tr></thead>\n<tbody>\n";
  for (const auto& [layer, entries] : layers) {
    std::int64_t sum = 0;
    for (const ParameterEntry* entry : entries) sum += entry->shape.size();
    out += fmt::format("<tr><th>{}</th><td></td><th class=\"number\">{}</th></tr>\n",
                       layer.empty() ? "model" : escape_xml(layer), with_commas(sum));
    for (const ParameterEntry* entry : entries) {
      out += fmt::format("<tr><td class=\"part\">{}{}</td><td>{}</td><td class=\"number\">{}</td></tr>\n",
                         escape_xml(entry->name.substr(layer.empty() ? 0 : layer.size() + 1)),
                         entry->frozen ? " (frozen)" : "", entry->shape.str(), with_commas(entry->shape.size()));
    }
  }
  return out + fmt::format("<tr><th>in all</th><td></td><th class=\"number\">{}</th></tr>\n</tbody></table></div>\n",
                           with_commas(total));
}

std::string importance_html(const std::vector<std::pair<std::string, double>>& importance) {
  const std::size_t count = std::min(importance.size(), most_shown);
  std::string out =
      "<div class=\"card wide\"><table class=\"list\">\n<thead><tr><th>feature</th><th class=\"number\">rise of the "
      "loss</th></tr></thead>\n<tbody>\n";
  for (const auto& [feature, rise] : std::span(importance).first(count)) {
    out += fmt::format("<tr><td>{}</td><td class=\"number\">{}</td></tr>\n", escape_xml(feature), figure(rise));
  }
  out += "</tbody></table>";
  if (count < importance.size()) {
    out += fmt::format("<p class=\"soft caption\">The first {} of {} features.</p>", count,
                       with_commas(std::ssize(importance)));
  }
  return out + "</div>\n";
}

std::string worst_rows_html(const std::vector<WorstRow>& rows) {
  const bool pictured = std::ranges::any_of(rows, [](const WorstRow& row) { return !row.png.empty(); });
  std::string out = fmt::format(
      "<div class=\"card wide\"><table class=\"list\">\n<thead><tr>{}<th>row</th><th>true</th><th>predicted</th>"
      "<th class=\"number\">loss</th></tr></thead>\n<tbody>\n",
      pictured ? "<th></th>" : "");
  for (const WorstRow& row : rows) {
    const std::string place = escape_xml(row.place);
    out += "<tr>";
    if (pictured)
      out += row.png.empty() ? "<td></td>"
                             : fmt::format("<td><img class=\"row\" alt=\"{}\" src=\"{}\"></td>", place,
                                           data_address("image/png", row.png));
    out += fmt::format("<td>{}</td><td>{}</td><td>{}</td><td class=\"number\">{}</td></tr>\n", place,
                       escape_xml(row.truth), escape_xml(row.predicted), figure(row.loss));
  }
  return out + "</tbody></table></div>\n";
}

std::string pairs_html(const std::vector<std::pair<std::string, std::string>>& pairs) {
  std::string out = "<div class=\"card wide\"><table class=\"list\">\n";
  for (const auto& [name, value] : pairs) {
    out += fmt::format("<tr><td class=\"soft\">{}</td><td class=\"text\">{}</td></tr>\n", escape_xml(name),
                       escape_xml(value));
  }
  return out + "</table></div>\n";
}

}  // namespace thalweg
