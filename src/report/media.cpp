#include "report/media.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/nesting.hpp"
#include "plot/plot.hpp"
#include "report/tables.hpp"

namespace thalweg {

namespace {

using Kind = Medium::Kind;
constexpr std::size_t most_moments = 8;

/// The largest size in the page: three bytes of a file become four characters, and every character of a text may be
/// escaped.
std::size_t size_in_page(const Medium& medium) { return medium.bytes.size() * 4 / 3 + 200; }

std::span<const std::byte> bytes_of(const Medium& medium) { return std::as_bytes(std::span(medium.bytes)); }

std::string table_html(const std::string& text) {
  const auto rows = nests_within(text, 2) ? nlohmann::json::parse(text, nullptr, false) : nlohmann::json();
  std::string out = "<div class=\"wide\"><table class=\"list\">";
  for (std::size_t r = 0; rows.is_array() && r < rows.size(); ++r) {
    out += r == 0 ? "<thead><tr>" : "<tr>";
    for (const auto& cell : rows[r]) {
      const std::string_view tag = r == 0 ? "th" : "td";
      out += fmt::format("<{0}>{1}</{0}>", tag, escape_xml(cell.is_string() ? cell.get<std::string>() : ""));
    }
    out += r == 0 ? "</tr></thead>" : "</tr>";
  }
  return out + "</table></div>";
}

std::string medium_html(const Medium& medium, const std::string& name) {
  switch (medium.kind) {
    case Kind::pictures:
      return fmt::format("<img alt=\"{}\" src=\"{}\">", escape_xml(name), data_address("image/png", bytes_of(medium)));
    case Kind::sound:
      return fmt::format("<audio controls preload=\"none\" src=\"{}\"></audio>",
                         data_address("audio/wav", bytes_of(medium)));
    case Kind::text: return "<pre>" + escape_xml(medium.bytes) + "</pre>";
    case Kind::table: return table_html(medium.bytes);
  }
  return {};
}

std::string when(const MediaMoment& moment) {
  return moment.epoch > 0  ? fmt::format("epoch {}", moment.epoch)
         : moment.step > 0 ? fmt::format("step {}", moment.step)
                           : std::string("at the end");
}

std::string series_html(const MediaSeries& series, const std::vector<std::size_t>& chosen) {
  std::string out = fmt::format("<section class=\"card media\"><h3>{}</h3>\n", escape_xml(series.name));
  if (chosen.empty()) out += "<p class=\"soft\">too large for this page: it is in the folder media/ of the run</p>\n";
  for (const std::size_t place : chosen) {
    const MediaMoment& moment = series.moments[place];
    out += fmt::format("<div class=\"moment\"><span class=\"soft\">{}</span>{}</div>\n", when(moment),
                       medium_html(moment.medium, series.name));
  }
  return out + "</section>\n";
}

/// The HTML of one series, with at most `budget` bytes.
std::vector<std::size_t> chosen_of(const MediaSeries& series, std::size_t budget) {
  const std::size_t count = series.moments.size();
  for (std::size_t wanted = std::min(count, most_moments); wanted > 0; --wanted) {
    const std::vector<std::size_t> places = evenly(count, wanted);
    std::size_t size = 0;
    for (const std::size_t place : places) size += size_in_page(series.moments[place].medium);
    if (size <= budget) return places;
  }
  return {};
}

}  // namespace

std::vector<std::size_t> evenly(std::size_t count, std::size_t wanted) {
  if (count == 0 || wanted == 0) return {};
  if (count == 1 || wanted == 1) return {count - 1};
  std::vector<std::size_t> places;
  const std::size_t steps = std::min(count, wanted) - 1;
  for (std::size_t i = 0; i <= steps; ++i) places.push_back((i * (count - 1) + steps / 2) / steps);
  return places;
}

std::string media_html(const std::vector<MediaSeries>& all, std::size_t budget) {
  std::string out;
  std::size_t left = all.size();
  for (const MediaSeries& series : all) {  // bytes that a series does not use are left for the next ones
    const std::vector<std::size_t> chosen = chosen_of(series, budget / left--);
    for (const std::size_t place : chosen) budget -= size_in_page(series.moments[place].medium);
    out += series_html(series, chosen);
  }
  return out;
}

}  // namespace thalweg
