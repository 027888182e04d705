#include "plot/page_chart.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "plot/axis.hpp"

namespace thalweg {

std::string grouped(std::int64_t number) {
  std::string digits = fmt::format("{}", number);
  const std::size_t first = number < 0 ? 1 : 0;
  for (std::size_t at = digits.size(); at > first + 3;) digits.insert(at -= 3, 1, ',');
  return digits;
}

std::string short_number(double value) {
  if (std::isfinite(value) && std::abs(value) >= 1000 && std::abs(value) < 1e9) {
    return grouped(static_cast<std::int64_t>(std::llround(value)));
  }
  std::string text = fmt::format("{:.4g}", value);
  const auto e = text.find('e');
  if (e == std::string::npos) return text;
  const auto digits = text.find_first_not_of("+-0", e + 1);
  return fmt::format("{}{}{}", text.substr(0, e + 1), text[e + 1] == '-' ? "-" : "", text.substr(digits));
}

ChartLine thinned(std::string name, std::string role, std::span<const double> x, std::span<const double> y,
                  std::size_t points) {
  ChartLine line{.name = std::move(name), .role = std::move(role)};
  const std::size_t n = std::min(x.size(), y.size()), bins = std::min(n, points);
  for (std::size_t bin = 0; bin < bins; ++bin) {
    const std::size_t begin = bin * n / bins, count = (bin + 1) * n / bins - begin;
    const auto values = y.subspan(begin, count), places = x.subspan(begin, count);
    const auto total = static_cast<double>(count);
    line.x.push_back(std::accumulate(places.begin(), places.end(), 0.0) / total);
    line.y.push_back(std::accumulate(values.begin(), values.end(), 0.0) / total);
    if (bins == n) continue;
    const auto [low, high] = std::ranges::minmax(values);
    line.low.push_back(low);
    line.high.push_back(high);
  }
  return line;
}

namespace {

struct Frame {
  double left = 58, top = 10, right = 472, bottom = 206, width = 480, height = 234;
  [[nodiscard]] double x(double place) const { return left + place * (right - left); }
  [[nodiscard]] double y(double place) const { return bottom - place * (bottom - top); }
};

bool wants_log(const Chart& chart) {
  double low = std::numeric_limits<double>::infinity(), high = 0;
  for (const ChartLine& line : chart.lines) {
    for (const double value : line.y) {
      if (std::isfinite(value)) low = std::min(low, value), high = std::max(high, value);
    }
  }
  return !chart.from_zero && low > 0 && high > 10 * low;
}

struct ChartAxes {
  bool log;
  Axis x, y;
  explicit ChartAxes(const Chart& chart)
      : log(wants_log(chart)),
        x(values(chart, &ChartLine::x, {chart.first_x, chart.last_x}), false, false, 5),
        y(values(chart, &ChartLine::y, std::vector<double>(chart.from_zero ? 1 : 0)), log, true, 4) {}

  /// Of all lines, and those that the axis has to show besides.
  static std::vector<std::span<const double>> values(const Chart& chart, std::vector<double> ChartLine::*member,
                                                     const std::vector<double>& besides) {
    std::vector<std::span<const double>> lists{besides};
    for (const ChartLine& line : chart.lines) lists.emplace_back(line.*member);
    return lists;
  }
};

std::string grid(const ChartAxes& axes, const Frame& f) {
  std::string out;
  for (const auto& [place, label] : axes.y.ticks()) {
    out +=
        fmt::format(R"(<path class="grid" d="M{:.1f} {:.1f}H{:.1f}"/><text x="{:.1f}" y="{:.1f}" class="y">{}</text>)",
                    f.left, f.y(place), f.right, f.left - 8, f.y(place) + 4, label);
  }
  for (const auto& [place, label] : axes.x.ticks()) {
    const char* anchor = place < 0.03 ? "start" : place > 0.97 ? "end" : "middle";
    out += fmt::format(R"(<text x="{:.1f}" y="{:.1f}" text-anchor="{}">{}</text>)", f.x(place), f.bottom + 19, anchor,
                       label);
  }
  return out + "\n";
}

/// Between low and high, from left to right and back.
std::string band(const ChartLine& line, const ChartAxes& axes, const Frame& f) {
  if (line.low.size() != line.x.size() || line.x.empty()) return {};
  std::string there, back;
  for (std::size_t i = 0; i < line.x.size(); ++i) {
    const auto x = axes.x.place(line.x[i]), low = axes.y.place(line.low[i]), high = axes.y.place(line.high[i]);
    if (!x || !low || !high) continue;
    there += fmt::format("{}{:.1f} {:.1f}", there.empty() ? 'M' : 'L', f.x(*x), std::max(f.top, f.y(*high)));
    back.insert(0, fmt::format("L{:.1f} {:.1f}", f.x(*x), std::min(f.bottom, f.y(*low))));
  }
  return there.empty() ? "" : fmt::format(R"(<path class="band {}" d="{}{}Z"/>)", line.role, there, back);
}

/// The path, which carries what the read-out says: place and value of each point.
std::string curve(const ChartLine& line, const ChartAxes& axes, const Frame& f) {
  std::string path, points, dots;
  bool open = false;
  for (std::size_t i = 0; i < line.x.size(); ++i) {
    const auto x = axes.x.place(line.x[i]), y = axes.y.place(line.y[i]);
    if (x && y) {
      path += fmt::format("{}{:.1f} {:.1f}", open ? 'L' : 'M', f.x(*x), f.y(*y));
      points += fmt::format("{:.1f},{:.1f},{},{} ", f.x(*x), f.y(*y), std::llround(line.x[i]),
                            fmt::format("{:.4g}", line.y[i]));
      if (line.dots)
        dots += fmt::format(R"(<circle class="dot {}" cx="{:.1f}" cy="{:.1f}" r="2.6"/>)", line.role, f.x(*x), f.y(*y));
    }
    open = x && y;
  }
  if (!points.empty()) points.pop_back();
  return fmt::format("<path class=\"line {}\" d=\"{}\" data-points=\"{}\"/>{}\n", line.role, path, points, dots);
}

std::string legend(const Chart& chart) {
  std::string out;
  for (const ChartLine& line : chart.lines) {
    out += fmt::format(R"(<span class="key {}">{} <b>{}</b></span>)", line.role, escape_xml(line.name),
                       short_number(line.y.back()));
  }
  return out;
}

std::string best_mark(const Chart& chart, const ChartAxes& axes, const Frame& f) {
  const auto place = axes.x.place(chart.best_x);
  if (chart.best_x < 0 || !place || *place > 1) return {};
  return fmt::format(
      R"(<path class="best" d="M{0:.1f} {1:.1f}V{2:.1f}"/><text x="{3:.1f}" y="{4:.1f}" text-anchor="{5}">best</text>)",
      f.x(*place), f.top, f.bottom, f.x(*place) + (*place > 0.9 ? -5 : 5), f.top + 10, *place > 0.9 ? "end" : "start");
}

}  // namespace

std::string chart_html(const Chart& asked) {
  Chart chart = asked;
  std::erase_if(chart.lines, [](const ChartLine& line) {
    return std::ranges::none_of(line.y, [](double value) { return std::isfinite(value); });
  });
  if (chart.lines.empty()) return {};
  const ChartAxes axes(chart);
  const Frame f;
  const std::string title = escape_xml(chart.title);
  std::string out = fmt::format(
      "<figure class=\"chart\"><figcaption><h3>{}{}</h3><span class=\"at\">last step</span>"
      "<div class=\"keys\">{}</div></figcaption>\n"
      "<svg viewBox=\"0 0 {:.0f} {:.0f}\" role=\"img\" aria-label=\"{}\">\n",
      title, axes.log ? " <small>logarithmic</small>" : "", legend(chart), f.width, f.height, title);
  out += grid(axes, f);
  for (const ChartLine& line : chart.lines) out += band(line, axes, f);
  out += best_mark(chart, axes, f);
  for (const ChartLine& line : chart.lines) out += curve(line, axes, f);
  out += fmt::format(R"(<path class="cross" d="M0 {:.1f}V{:.1f}"/>)", f.top, f.bottom);
  return out + "</svg></figure>\n";
}

std::string scatter_html(std::string_view target, std::span<const double> truth, std::span<const double> predicted) {
  constexpr std::size_t most = 2000;  // more would hide each other
  const Frame f{.left = 58, .top = 10, .right = 470, .bottom = 422, .width = 480, .height = 466};
  const Axis axis({truth, predicted}, false, true, 5);
  std::string out = fmt::format(
      "<svg class=\"scatter\" viewBox=\"0 0 {:.0f} {:.0f}\" role=\"img\" aria-label=\"predicted against true\">\n",
      f.width, f.height);
  for (const auto& [place, label] : axis.ticks()) {
    out += fmt::format(
        R"(<path class="grid" d="M{0:.1f} {1:.1f}H{2:.1f}M{3:.1f} {4:.1f}V{5:.1f}"/><text x="{6:.1f}" y="{7:.1f}" class="y">{8}</text>)"
        R"(<text x="{3:.1f}" y="{9:.1f}" text-anchor="middle">{8}</text>)",
        f.left, f.y(place), f.right, f.x(place), f.top, f.bottom, f.left - 8, f.y(place) + 4, label, f.bottom + 19);
  }
  out += fmt::format("<path class=\"best\" d=\"M{:.1f} {:.1f}L{:.1f} {:.1f}\"/>\n", f.left, f.bottom, f.right, f.top);
  const std::size_t n = std::min(truth.size(), predicted.size()), shown = std::min(n, most);
  for (std::size_t i = 0; i < shown; ++i) {
    const std::size_t row = i * n / shown;
    const auto x = axis.place(truth[row]), y = axis.place(predicted[row]);
    if (x && y) out += fmt::format(R"(<circle cx="{:.1f}" cy="{:.1f}" r="3.2"/>)", f.x(*x), f.y(*y));
  }
  const std::string name = escape_xml(target);
  out += fmt::format(R"(<text x="{:.1f}" y="{:.1f}" text-anchor="end">true {}</text>)", f.right, f.height - 4, name);
  out += fmt::format(R"(<text x="{:.1f}" y="{:.1f}">predicted {}</text>)", f.left + 8, f.top + 14, name);
  return out + "</svg>\n";
}

}  // namespace thalweg
