#include "report/page.hpp"

#include <fmt/format.h>

#include "plot/plot.hpp"

namespace thalweg {

namespace {

constexpr std::string_view style = R"css(
:root { --page: #f4f6f8; --card: #ffffff; --ink: #1c2126; --soft: #66707a; --rule: #e2e6ea; --code: #f4f6f8;
  --hit: 31,111,235; --miss: 212,84,12; --good: #1a8a5f; --warn: #b26a00; --bad: #c9302c; }
@media (prefers-color-scheme: dark) { :root { --page: #0f1317; --card: #181d23; --ink: #e4e8ec; --soft: #98a3ad;
  --rule: #2b323a; --code: #11161b; --hit: 76,141,246; --miss: 240,120,50; --good: #4fc997; --warn: #e8b04a; --bad: #ff7b72; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink); font: 15px/1.5 system-ui, -apple-system, "Segoe UI",
  Roboto, "DejaVu Sans", sans-serif; -webkit-text-size-adjust: 100%; }
main { max-width: 1080px; margin: 0 auto; padding: 28px 20px 48px; }
header { display: flex; gap: 14px; align-items: center; }
.mark { width: 44px; height: 44px; flex: none; } .mark path { fill: none; stroke: var(--training); stroke-width: 2.4;
  stroke-linecap: round; } .mark path + path { opacity: .4; } .mark circle { fill: var(--validation); }
h1 { font-size: 28px; line-height: 1.2; margin: 0; letter-spacing: -.01em; overflow-wrap: anywhere; }
h2 { font-size: 17px; margin: 36px 0 12px; } h3 { font-size: 14px; margin: 0; font-weight: 600; }
p { margin: 0; } .soft, figcaption .at, h3 small { color: var(--soft); font-weight: 400; }
.card { background: var(--card); border: 1px solid var(--rule); border-radius: 10px; padding: 18px 20px; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); gap: 12px; margin: 0 0 12px; }
.tile { padding: 14px 16px; } .tile b { display: block; font-size: 25px; line-height: 1.25; font-weight: 650;
  font-variant-numeric: tabular-nums; overflow-wrap: anywhere; }
.tile.small b { font-size: 19px; }
.tile span, .tile small { display: block; color: var(--soft); font-size: 13px; overflow-wrap: anywhere; }
.verdict { border-left: 5px solid var(--tone); } .verdict p:first-child { font-size: 17px; font-weight: 600; }
.verdict ul { margin: 8px 0; padding-left: 20px; } .verdict li { margin: 2px 0; }
.good { --tone: var(--good); } .warn { --tone: var(--warn); } .bad { --tone: var(--bad); }
header + .tiles { margin-top: 22px; } .pair > section > h2:first-child { margin-top: 24px; } .pair > section { min-width: 0; }
.pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 400px), 1fr)); gap: 12px; }
figure { margin: 0; background: var(--card); border: 1px solid var(--rule); border-radius: 10px; padding: 14px 14px 8px; }
figcaption { display: grid; grid-template-columns: 1fr auto; gap: 0 12px; padding: 0 4px 6px; }
figcaption .at { font-size: 13px; font-variant-numeric: tabular-nums; }
.keys { grid-column: 1 / -1; display: flex; flex-wrap: wrap; gap: 0 16px; font-size: 13px; min-height: 20px;
  color: var(--soft); }
.key b { color: var(--ink); font-weight: 600; font-variant-numeric: tabular-nums; }
.key::before { content: ""; display: inline-block; width: 12px; height: 3px; border-radius: 2px; margin-right: 6px;
  vertical-align: middle; background: var(--role); }
.caption { font-size: 13px; padding: 6px 4px 0; } .mood { color: var(--tone); font-weight: 600; }
svg { display: block; width: 100%; height: auto; touch-action: pan-y; }
svg text { fill: var(--soft); font-size: 12px; }
.grid { stroke: var(--rule); fill: none; } .axis { stroke: var(--soft); opacity: .5; fill: none; }
.halo { stroke: var(--card); stroke-width: 3px; paint-order: stroke; } .best { stroke: var(--soft); stroke-dasharray: 3 3; fill: none; }
.line { fill: none; stroke: var(--role); stroke-width: 1.8; stroke-linejoin: round; stroke-linecap: round; }
.band { fill: var(--role); opacity: .16; } .dot { fill: var(--role); }
.cross { stroke: var(--soft); fill: none; visibility: hidden; } .active .cross { visibility: visible; }
.scatter { max-width: 560px; margin: 0 auto; } .point { fill: var(--role); fill-opacity: .5; }
.wide { overflow-x: auto; } table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
.list { width: 100%; } .list td, .list th { padding: 6px 10px; text-align: left; border-top: 1px solid var(--rule); }
.list tr:first-child > * { border-top: 0; } .list th { font-weight: 600; }
.list thead th { color: var(--soft); font-weight: 500; font-size: 13px; }
td.number, th.number { text-align: right !important; } td.part { padding-left: 26px !important; color: var(--soft); }
td.text { overflow-wrap: anywhere; }
.pictures { margin: 0 auto; } .pictures th { padding: 0 12px; font-weight: 500; text-align: right; }
img.row { height: 40px; image-rendering: pixelated; display: block; border-radius: 3px; }
.pictures img { width: 72px; image-rendering: pixelated; display: block; border-radius: 3px; }
.media { margin-bottom: 12px; } .moment { margin-top: 10px; overflow-x: auto; } .moment > span { font-size: 13px; display: block; }
.moment img { image-rendering: pixelated; border-radius: 3px; display: block; min-width: min(100%, 560px); max-width: 100%; }
.confusion { margin: 0 auto; } .confusion td { width: 46px; min-width: 34px; height: 36px; text-align: center;
  font-size: 13px; border: 1px solid var(--card); border-radius: 4px; }
.confusion.many th { padding: 0 4px; font-size: 12px; } .confusion.many .side { padding: 0 2px; }
.confusion.many td { width: 34px; min-width: 26px; height: 27px; font-size: 11px; }
.confusion .hit { background: rgba(var(--hit), var(--part)); } .confusion .miss { background: rgba(var(--miss), var(--part)); }
.confusion .strong { color: #fff; } .confusion .none { color: var(--soft); opacity: .45; }
.confusion th { font-weight: 500; font-size: 13px; padding: 2px 8px; white-space: nowrap; }
.confusion tbody th { text-align: right; position: sticky; left: 0; background: var(--card); }
.confusion .name { writing-mode: vertical-rl; transform: rotate(180deg); text-align: left; padding: 6px 2px;
  margin: 0 auto; }
.confusion .side { white-space: nowrap; color: var(--soft); background: none; width: auto; padding: 0 8px; }
pre { margin: 0; padding: 16px 18px; background: var(--code); border: 1px solid var(--rule); border-radius: 10px;
  overflow-x: auto; font: 13px/1.5 ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace; }
details > summary { cursor: pointer; font-size: 17px; font-weight: 600; margin: 36px 0 12px; }
footer { margin-top: 40px; color: var(--soft); font-size: 13px; }
@media (max-width: 560px) { main { padding: 20px 12px 32px; } h1 { font-size: 23px; } .card { padding: 14px; }
  .tiles { grid-template-columns: 1fr 1fr; gap: 8px; } .tile { padding: 10px 12px; } .tile b { font-size: 20px; }
  figure { padding: 12px 8px 6px; } svg text { font-size: 15px; } .list td, .list th { padding: 6px; } }
@media print { body { background: #fff; } .card, figure { break-inside: avoid; } }
)css";

// The legend shows the value of each line nearest to the pointer, and the corner shows its step.
constexpr std::string_view script = R"js(
for (const figure of document.querySelectorAll(".chart")) {
  const svg = figure.querySelector("svg"), at = figure.querySelector(".at"), cross = svg.querySelector(".cross");
  const keys = [...figure.querySelectorAll(".key b")], initial = keys.map(k => k.textContent), rest = at.textContent;
  const lines = [...svg.querySelectorAll(".line")].map(line =>
    line.dataset.points.split(" ").map(p => p.split(",")).map(([px, , x, y]) => ({ px: +px, x: +x, y })));
  const nearest = (line, px) => line.reduce((a, b) => Math.abs(b.px - px) < Math.abs(a.px - px) ? b : a);
  svg.addEventListener("pointermove", event => {
    const box = svg.getBoundingClientRect();
    const px = (event.clientX - box.left) / box.width * svg.viewBox.baseVal.width;
    const found = lines.map(line => nearest(line, px));
    const first = found.reduce((a, b) => Math.abs(b.px - px) < Math.abs(a.px - px) ? b : a);
    cross.setAttribute("transform", `translate(${first.px} 0)`);
    svg.classList.add("active");
    at.textContent = "step " + first.x.toLocaleString("en");
    found.forEach((point, i) => keys[i].textContent = point.y);
  });
  svg.addEventListener("pointerleave", () => {
    svg.classList.remove("active");
    at.textContent = rest;
    initial.forEach((text, i) => keys[i].textContent = text);
  });
}
)js";

}  // namespace

std::string header_html(std::string_view title, std::string_view subtitle) {
  return fmt::format(
      "<header><svg class=\"mark\" viewBox=\"0 0 32 32\" aria-hidden=\"true\"><path d=\"M3 5C7 24 11 27 16 27S25 24 29 "
      "5\"/>"
      "<path d=\"M9 5C11 16 13 18 16 18S21 16 23 5\"/><circle cx=\"16\" cy=\"23\" r=\"3.2\"/></svg>\n"
      "<div><h1>{}</h1><p class=\"soft\">{}</p></div></header>\n",
      escape_xml(title), escape_xml(subtitle));
}

std::string html_page(std::string_view title, std::string_view body) {
  std::string page =
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
      "<meta name=\"color-scheme\" content=\"light dark\">\n"
      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; img-src data:; media-src data:; "
      "style-src "
      "'unsafe-inline'; "
      "script-src 'unsafe-inline'\">\n";
  page += "<title>" + escape_xml(title) + "</title>\n<style>\n" + plot_role_style();
  page.append(style).append("</style>\n</head>\n<body>\n<main>\n").append(body).append("</main>\n<script>");
  return page.append(script).append("</script>\n</body>\n</html>\n");
}

}  // namespace thalweg
