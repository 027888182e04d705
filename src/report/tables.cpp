#include "report/tables.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <numeric>

#include "core/error.hpp"
#include "plot/page_chart.hpp"
#include "plot/plot.hpp"

namespace thalweg {

namespace {

std::string percent(std::int64_t count, std::int64_t total) {
  return total == 0 ? "–" : fmt::format("{:.1f}", 100.0 * static_cast<double>(count) / static_cast<double>(total));
}

struct Counts {
  const ConfusionMatrix& matrix;
  [[nodiscard]] std::size_t size() const { return matrix.classes.size(); }
  [[nodiscard]] std::int64_t at(std::size_t truth, std::size_t predicted) const {
    return matrix.counts[truth * size() + predicted];
  }
  [[nodiscard]] std::int64_t of_true(std::size_t c) const {
    std::int64_t sum = 0;
    for (std::size_t p = 0; p < size(); ++p) sum += at(c, p);
    return sum;
  }
  [[nodiscard]] std::int64_t of_predicted(std::size_t c) const {
    std::int64_t sum = 0;
    for (std::size_t t = 0; t < size(); ++t) sum += at(t, c);
    return sum;
  }
};

/// A miss is shaded more strongly than its part says: a twentieth of a row is worth seeing.
std::string cell(const Counts& counts, std::size_t truth, std::size_t predicted) {
  const std::int64_t count = counts.at(truth, predicted), total = counts.of_true(truth);
  const std::string title =
      fmt::format("true {}, predicted {}: {} ({} %)", escape_xml(counts.matrix.classes[truth]),
                  escape_xml(counts.matrix.classes[predicted]), grouped(count), percent(count, total));
  if (count == 0) return fmt::format("<td class=\"none\" title=\"{}\">0</td>", title);
  const bool hit = truth == predicted;
  const double part = static_cast<double>(count) / static_cast<double>(total);
  const double shade = hit ? 0.15 + 0.8 * part : std::min(0.95, 0.08 + 2.5 * part);
  return fmt::format("<td class=\"{}{}\" style=\"--part:{:.2f}\" title=\"{}\">{}</td>", hit ? "hit" : "miss",
                     shade > 0.62 ? " strong" : "", shade, title, grouped(count));
}

}  // namespace

std::string confusion_html(const ConfusionMatrix& matrix) {
  const Counts counts{matrix};
  const std::size_t n = counts.size();
  std::string out = fmt::format("<div class=\"card wide\"><table class=\"confusion{}\">\n<thead><tr><th></th>",
                                n > 12 ? " many" : "");
  for (const std::string& name : matrix.classes)
    out += fmt::format("<th><div class=\"{}\">{}</div></th>", n > 3 ? "name" : "", escape_xml(name));
  out += "<th class=\"side\">recall %</th></tr></thead>\n<tbody>\n";
  for (std::size_t truth = 0; truth < n; ++truth) {
    out += fmt::format("<tr><th>{}</th>", escape_xml(matrix.classes[truth]));
    for (std::size_t predicted = 0; predicted < n; ++predicted) out += cell(counts, truth, predicted);
    out += fmt::format("<td class=\"side\">{}</td></tr>\n", percent(counts.at(truth, truth), counts.of_true(truth)));
  }
  out += "</tbody>\n<tfoot><tr><th class=\"side\">precision %</th>";
  for (std::size_t c = 0; c < n; ++c) {
    out += fmt::format("<td class=\"side\">{}</td>", percent(counts.at(c, c), counts.of_predicted(c)));
  }
  return out + "<td></td></tr></tfoot></table></div>\n";
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
                       layer.empty() ? "model" : escape_xml(layer), grouped(sum));
    for (const ParameterEntry* entry : entries) {
      out += fmt::format("<tr><td class=\"part\">{}{}</td><td>{}</td><td class=\"number\">{}</td></tr>\n",
                         escape_xml(entry->name.substr(layer.empty() ? 0 : layer.size() + 1)),
                         entry->frozen ? " (frozen)" : "", entry->shape.str(), grouped(entry->shape.size()));
    }
  }
  return out + fmt::format("<tr><th>in all</th><td></td><th class=\"number\">{}</th></tr>\n</tbody></table></div>\n",
                           grouped(total));
}

std::string pairs_html(const std::vector<std::pair<std::string, std::string>>& pairs) {
  std::string out = "<div class=\"card wide\"><table class=\"list\">\n";
  for (const auto& [name, value] : pairs) {
    out += fmt::format("<tr><td class=\"soft\">{}</td><td class=\"text\">{}</td></tr>\n", escape_xml(name),
                       escape_xml(value));
  }
  return out + "</table></div>\n";
}

ConfusionMatrix confusion_matrix(const Tensor& probabilities, const Tensor& labels, std::vector<std::string> classes) {
  const auto n = static_cast<std::int64_t>(classes.size()), rows = labels.size();
  const bool binary = probabilities.shape() == Shape{rows, 1};
  if (labels.dtype() != i32 || (binary ? n != 2 : !(probabilities.shape() == Shape{rows, n}))) {
    fail<UsageError>(
        "[confusion_matrix] probabilities {} and {} labels {} for {} classes. Wanted: (rows, classes), or "
        "(rows, 1) for two, and i32 labels (rows).",
        probabilities.shape(), labels.dtype(), labels.shape(), n);
  }
  ConfusionMatrix matrix{std::move(classes), std::vector<std::int64_t>(static_cast<std::size_t>(n * n))};
  for (std::int64_t row = 0; row < rows; ++row) {
    std::int64_t predicted = binary && probabilities.at(row) > 0.5 ? 1 : 0;
    for (std::int64_t c = 1; c < n && !binary; ++c) {
      if (probabilities.at(row * n + c) > probabilities.at(row * n + predicted)) predicted = c;
    }
    const auto truth = static_cast<std::int64_t>(labels.at(row));
    if (truth < 0 || truth >= n)
      fail<UsageError>("[confusion_matrix] label {} in row {}. Wanted: 0 to {}.", truth, row, n - 1);
    ++matrix.counts[static_cast<std::size_t>(truth * n + predicted)];
  }
  return matrix;
}

}  // namespace thalweg
