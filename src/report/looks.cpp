#include "report/looks.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/numbers.hpp"
#include "plot/plot.hpp"

namespace thalweg {

namespace {

constexpr std::size_t most_lines = 8, most_histograms = 12, averaged = 5;

/// The first, the last and evenly between.
std::vector<std::size_t> chosen_of(std::size_t count, std::size_t most) {
  std::vector<std::size_t> chosen;
  const std::size_t shown = std::min(count, most);
  for (std::size_t i = 0; i < shown; ++i) chosen.push_back(shown == 1 ? 0 : i * (count - 1) / (shown - 1));
  return chosen;
}

template <class Value>
Series line_of(const std::vector<Look>& looks, std::string name, std::string role, const Value& value) {
  Series line{.name = std::move(name), .x = {}, .y = {}, .role = std::move(role)};
  if (looks.size() <= 60) line.style = Series::Style::dotted_line;
  for (std::size_t i = 0; i < looks.size(); ++i) {
    line.x.push_back(static_cast<double>(looks[i].step));
    line.y.push_back(value(i));
  }
  return line;
}

PlotOptions options_of(const std::vector<Look>& looks, std::string title) {
  return {.title = std::move(title), .x_shown = {0, static_cast<double>(looks.back().step)}};
}

/// A look and some looks before it.
std::span<const Look> window(const std::vector<Look>& looks, std::size_t i) {
  const std::size_t begin = i + 1 < averaged ? 0 : i + 1 - averaged;
  return std::span(looks).subspan(begin, i + 1 - begin);
}

bool is_known(const Series& line) {
  return std::ranges::any_of(line.y, [](double value) { return std::isfinite(value); });
}

std::string noise_charts(const std::vector<Look>& looks) {
  const Series scale =
      line_of(looks, "noise scale", "training", [&](std::size_t i) { return noise_scale(window(looks, i)).value; });
  const Series batch =
      line_of(looks, "batch", "validation", [&](std::size_t i) { return static_cast<double>(looks[i].batch_size); });
  const Series signal = line_of(looks, "signal to noise of a batch", "gradient",
                                [&](std::size_t i) { return signal_to_noise(window(looks, i)); });
  if (!is_known(scale)) return {};
  const Series both[] = {scale, batch};
  PlotOptions rows = options_of(looks, "gradient noise scale, rows"), ratio = options_of(looks, "signal to noise");
  rows.log_y = true;
  ratio.log_y = wants_log({&signal, 1});
  return line_plot_html(rows, both) + line_plot_html(ratio, {&signal, 1});
}

std::string update_chart(const std::vector<Look>& looks, const std::vector<std::size_t>& layers) {
  std::vector<Series> lines;
  for (const std::size_t layer : layers) {
    lines.push_back(line_of(looks, looks.back().layers[layer].name, fmt::format("series{}", lines.size() + 1),
                            [&](std::size_t i) { return looks[i].layers[layer].update; }));
  }
  PlotOptions options = options_of(looks, "update over weight, by layer");
  options.log_y = wants_log(lines);
  return line_plot_html(options, lines);
}

std::string sharpness_chart(const std::vector<Look>& looks) {
  const double none = std::numeric_limits<double>::quiet_NaN();
  const Series largest = line_of(looks, "largest eigenvalue", "training",
                                 [&](std::size_t i) { return looks[i].largest ? looks[i].largest->value : none; });
  const Series bound =
      line_of(looks, "2 / rate", "lr", [&](std::size_t i) { return looks[i].lr > 0 ? 2 / looks[i].lr : none; });
  if (!is_known(largest)) return {};
  const Series both[] = {largest, bound};
  PlotOptions options = options_of(looks, "sharpness");
  options.log_y = wants_log(both);
  return line_plot_html(options, both);
}

/// Bars for some layers, below each other, with a common axis of rates. The first look is grey, the last is in colour.
class Histograms {
 public:
  Histograms(const Look& first, const Look& last, std::vector<std::size_t> layers)
      : first_(first), last_(last), layers_(std::move(layers)) {
    for (const std::size_t layer : layers_) {
      for (const Look* look : {&first_, &last_}) {
        const auto& bins = look->layers[layer].rates.bins;
        if (bins.empty()) continue;
        low_ = std::min(low_, bins.begin()->first);
        high_ = std::max(high_, bins.rbegin()->first);
      }
    }
  }

  [[nodiscard]] std::string html() const {
    if (low_ > high_) return {};
    const double height = row_height * static_cast<double>(layers_.size()) + 34;
    std::string out = fmt::format(
        "<figure><figcaption><h3>effective rate of each parameter <small>|change| / |gradient|, logarithmic; step {} "
        "grey, step {} in colour</small></h3></figcaption>\n<svg viewBox=\"0 0 {:.0f} {:.0f}\" role=\"img\" "
        "aria-label=\"effective rates\">\n",
        first_.step, last_.step, width, height);
    for (std::size_t row = 0; row < layers_.size(); ++row) {
      const double base = row_height * static_cast<double>(row + 1);
      out += fmt::format(R"(<text x="{:.0f}" y="{:.1f}" text-anchor="end">{}</text>)", left - 8, base - 8,
                         escape_xml(last_.layers[layers_[row]].name));
      out += bars(first_.layers[layers_[row]].rates, base, "fill=\"var(--soft)\" fill-opacity=\"0.35\"");
      out += bars(last_.layers[layers_[row]].rates, base, "fill=\"var(--training)\" fill-opacity=\"0.75\"");
      out += fmt::format("<path class=\"axis\" d=\"M{:.0f} {:.1f}H{:.0f}\"/>\n", left, base, right);
    }
    return out + ticks(height - 34) + "</svg></figure>\n";
  }

 private:
  static constexpr double left = 112, right = 470, width = 480, row_height = 34;

  [[nodiscard]] double place(double bin) const {
    return left + (right - left) * (bin - low_ + 0.5) / static_cast<double>(high_ - low_ + 1);
  }
  [[nodiscard]] std::string bars(const RateHistogram& rates, double base, std::string_view look) const {
    std::int64_t most = 0;
    for (const auto& [bin, count] : rates.bins) most = std::max(most, count);
    std::string out;
    for (const auto& [bin, count] : rates.bins) {
      const double tall = (row_height - 8) * static_cast<double>(count) / static_cast<double>(most);
      out += fmt::format(R"(<rect x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}" {}/>)", place(bin - 0.5),
                         base - tall, place(bin + 0.5) - place(bin - 0.5) - 0.5, tall, look);
    }
    return out;
  }
  [[nodiscard]] std::string ticks(double base) const {
    constexpr int decade = 4, most = 7;
    const int first = static_cast<int>(std::ceil(low_ / 4.0)), last = static_cast<int>(std::floor(high_ / 4.0));
    const int every = 1 + (last - first) / most;
    std::string out;
    for (int power = first; power <= last; power += every)
      out += fmt::format(R"(<text x="{:.1f}" y="{:.1f}" text-anchor="middle">1e{}</text>)", place(decade * power),
                         base + 18, power);
    return out + "\n";
  }

  const Look &first_, &last_;
  std::vector<std::size_t> layers_;
  int low_ = std::numeric_limits<int>::max(), high_ = std::numeric_limits<int>::min();
};

/// The noise scale of the last looks and what it implies for the batch size.
std::string noise_text(const std::vector<Look>& looks) {
  const std::span<const Look> last = window(looks, looks.size() - 1);
  const Estimate scale = noise_scale(last);
  if (std::isnan(scale.value)) return "";
  const std::string by = last.size() == 1 ? "that one look" : fmt::format("the last {} looks", last.size());
  const bool has_error = last.size() >= 3;
  if (has_error && !(scale.error <= scale.value))
    return fmt::format("The gradients of {} are too noisy to measure their noise scale. ", by);
  const std::string error = has_error
                                ? fmt::format("{} +- {}", number_text(scale.value, 3), number_text(scale.error, 2))
                                : fmt::format("roughly {}", number_text(scale.value, 3));
  return fmt::format(
      "By {} the noise scale, the batch size that it suggests, is {} rows, and a batch has {}: smaller batches are "
      "mostly noise, and much larger ones gain almost nothing. ",
      by, error, looks.back().batch_size);
}

/// How to read the figures, and which conclusions do not follow.
std::string caption(const std::vector<Look>& looks) {
  std::int64_t unmoved = 0, all = 0;
  for (const Look::Layer& layer : looks.back().layers) {
    unmoved += layer.rates.unmoved;
    all += layer.rates.unmoved + layer.rates.moved();
  }
  std::string text =
      fmt::format("{} look{}, the last in step {}. ", looks.size(), looks.size() == 1 ? "" : "s", looks.back().step);
  text += noise_text(looks);
  text += fmt::format(
      "For plain descent every effective rate is the learning rate; {} of the parameters did not move in the last "
      "look's step, or had no gradient. Updates of about a thousandth of the weights are usual. ",
      percent_text(all > 0 ? static_cast<double>(unmoved) / static_cast<double>(all) : 0));
  if (looks.back().largest)
    text += "A largest eigenvalue near 2 / rate is evidence of a rate at its limit only for plain descent. ";
  return "<p class=\"soft\">" + escape_xml(text) + "</p>\n";
}

bool have_same_layers(const std::vector<Look>& looks) {
  return std::ranges::all_of(looks, [&](const Look& look) {
    return std::ranges::equal(look.layers, looks.back().layers, {}, &Look::Layer::name, &Look::Layer::name);
  });
}

}  // namespace

std::string looks_html(const std::vector<Look>& looks) {
  if (looks.empty()) return {};
  std::string charts = noise_charts(looks);
  if (have_same_layers(looks) && !looks.back().layers.empty()) {
    const std::size_t layers = looks.back().layers.size();
    charts += update_chart(looks, chosen_of(layers, most_lines)) + sharpness_chart(looks) +
              Histograms(looks.front(), looks.back(), chosen_of(layers, most_histograms)).html();
  } else {
    charts += sharpness_chart(looks);
  }
  return "<div class=\"pair\">\n" + charts + "</div>\n" + caption(looks);
}

}  // namespace thalweg
