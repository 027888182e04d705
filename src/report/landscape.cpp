#include "report/landscape.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "report/page.hpp"

namespace thalweg {

namespace {

constexpr std::string_view style = R"css(<style>
.surface canvas { width: 100%; height: 440px; display: block; cursor: grab; touch-action: none; }
.surface canvas:active { cursor: grabbing; } .surface label { font-size: 13px; color: var(--soft); }
.paper { background: #fff; border-radius: 6px; } .paper svg text { fill: #57606a; }
</style>
)css";

// Quads are drawn from the farthest to the nearest. The height is the loss or its logarithm. Dragging and the arrow
// keys turn the surface.
constexpr std::string_view script = R"js(<script>
for (const box of document.querySelectorAll(".surface")) {
  const data = JSON.parse(box.querySelector(".data").textContent), canvas = box.querySelector("canvas");
  const log = box.querySelector("input"), { columns, rows, values, path } = data;
  let turn = -0.6, tilt = 0.95, grid = [];
  const found = values.filter(v => v !== null), low = Math.min(...found), high = Math.max(...found);
  log.checked = low > 0 && high > 10 * low;
  log.disabled = low <= 0;
  const scale = v => { const f = log.checked ? Math.log : x => x; return high > low ? (f(v) - f(low)) / (f(high) - f(low)) : 0; };
  const colour = (h, shade) => {
    const mix = (a, b) => Math.round((a + (b - a) * h) * shade);
    return `rgb(${mix(16, 201)},${mix(70, 219)},${mix(145, 236)})`;
  };
  const at = (c, r) => grid[r * columns + c];
  const height = (x, y) => {  // interpolated between the four values around, with x and y from 0 to 1
    const cx = Math.min(columns - 1.001, Math.max(0, x * (columns - 1))), cy = Math.min(rows - 1.001, Math.max(0, y * (rows - 1)));
    const c = Math.floor(cx), r = Math.floor(cy), a = cx - c, b = cy - r;
    return (at(c, r) * (1 - a) + at(c + 1, r) * a) * (1 - b) + (at(c, r + 1) * (1 - a) + at(c + 1, r + 1) * a) * b;
  };
  function draw() {
    const ratio = window.devicePixelRatio || 1, w = canvas.clientWidth, h = canvas.clientHeight;
    canvas.width = w * ratio; canvas.height = h * ratio;
    const pen = canvas.getContext("2d"), ink = getComputedStyle(document.body).color;
    pen.scale(ratio, ratio);
    grid = values.map(v => v === null ? NaN : scale(v));
    const size = Math.min(w / 1.75, h / 1.15), ct = Math.cos(turn), st = Math.sin(turn), ci = Math.cos(tilt), si = Math.sin(tilt);
    const place = (x, y, z) => {
      const a = (x - .5) * ct - (y - .5) * st, b = (x - .5) * st + (y - .5) * ct;
      return [w / 2 + a * size, h / 2 + 20 - b * ci * size - (z - .4) * .62 * si * size, b];
    };
    const quads = [];
    for (let r = 0; r + 1 < rows; ++r) for (let c = 0; c + 1 < columns; ++c) {
      const corners = [[c, r], [c + 1, r], [c + 1, r + 1], [c, r + 1]].map(([i, j]) => [i / (columns - 1), j / (rows - 1), at(i, j)]);
      if (corners.some(p => isNaN(p[2]))) continue;
      const mean = corners.reduce((sum, p) => sum + p[2], 0) / 4;
      const slope = (corners[1][2] - corners[0][2]) * columns * ct + (corners[3][2] - corners[0][2]) * rows * st;
      const points = corners.map(p => place(...p));
      quads.push({ points, depth: points.reduce((sum, p) => sum + p[2], 0), fill: colour(mean, 1 + .16 * Math.tanh(slope / 3)) });
    }
    quads.sort((a, b) => b.depth - a.depth);
    pen.lineWidth = .5;
    for (const quad of quads) {
      pen.beginPath();
      quad.points.forEach(([x, y], i) => i ? pen.lineTo(x, y) : pen.moveTo(x, y));
      pen.closePath();
      pen.fillStyle = quad.fill; pen.fill();
      pen.strokeStyle = "rgba(20,40,70,.35)"; pen.stroke();
    }
    pen.font = "12px system-ui, sans-serif"; pen.fillStyle = ink; pen.textAlign = "center";
    const label = (text, x, y) => { const [px, py] = place(x, y, -.06); pen.fillText(text, px, py + 12); };
    label(data.x[1], .5, -.08); label(data.x[0], 0, -.08); label(data.x[2], 1, -.08);
    label(data.y[1], 1.1, .5); label(data.y[0], 1.1, 0); label(data.y[2], 1.1, 1);
    pen.textAlign = "left";
    pen.fillText(`loss ${low.toPrecision(3)} to ${high.toPrecision(3)}${log.checked ? ", logarithmic" : ""}`, 6, 16);
    if (path.length) {  // its position when seen from directly above
      pen.strokeStyle = pen.fillStyle = "#d9570b"; pen.lineWidth = 2; pen.beginPath();
      const points = path.map(([x, y]) => place(x, y, height(x, y) + .01));
      points.forEach(([x, y], i) => i ? pen.lineTo(x, y) : pen.moveTo(x, y));
      pen.stroke();
      points.forEach(([x, y], i) => { pen.beginPath(); pen.arc(x, y, i + 1 === points.length ? 5 : 2.5, 0, 7); pen.fill(); });
    }
  }
  canvas.addEventListener("pointerdown", e => canvas.setPointerCapture(e.pointerId));
  canvas.addEventListener("pointermove", e => {
    if (!e.buttons) return;
    turn += e.movementX * .01; tilt = Math.min(1.5, Math.max(.15, tilt - e.movementY * .008)); draw();
  });
  canvas.addEventListener("keydown", e => {
    const step = { ArrowLeft: [-.1, 0], ArrowRight: [.1, 0], ArrowUp: [0, -.08], ArrowDown: [0, .08] }[e.key];
    if (!step) return;
    e.preventDefault();
    turn += step[0]; tilt = Math.min(1.5, Math.max(.15, tilt + step[1])); draw();
  });
  log.addEventListener("change", draw);
  window.addEventListener("resize", draw);
  draw();
}
</script>
)js";

std::string number_json(double value) { return std::isfinite(value) ? fmt::format("{:.6g}", value) : "null"; }

/// The data for the script: the values, the path as fractions of the plane, and the texts of the axes.
std::string surface_json(const ContourPlot& plot) {
  const ContourField& field = plot.field;
  std::string values, path;
  for (const double value : field.values) values += (values.empty() ? "" : ",") + number_json(value);
  for (const ContourPoint& p : plot.path) {
    path +=
        fmt::format("{}[{:.4f},{:.4f}]", path.empty() ? "" : ",", (p.x - field.x_low) / (field.x_high - field.x_low),
                    (p.y - field.y_low) / (field.y_high - field.y_low));
  }
  const auto axis = [](double low, const std::string& label, double high) {
    return fmt::format("[\"{:.3g}\",\"{}\",\"{:.3g}\"]", low, label, high);
  };
  return fmt::format(R"({{"columns":{},"rows":{},"values":[{}],"path":[{}],"x":{},"y":{}}})", field.columns, field.rows,
                     values, path, axis(field.x_low, escape_xml(plot.options.x_label), field.x_high),
                     axis(field.y_low, escape_xml(plot.options.y_label), field.y_high));
}

std::string plane_html(const LandscapePlane& plane) {
  return fmt::format(
      "<h2>{}</h2>\n<p class=\"caption\">{}</p>\n<div class=\"pair\">\n<figure><div class=\"paper\">{}</div></figure>\n"
      "<figure class=\"surface\"><canvas tabindex=\"0\" role=\"img\" aria-label=\"The same loss as a "
      "surface\"></canvas>\n"
      "<label><input type=\"checkbox\"> height is the logarithm of the loss; drag or use the arrow keys to "
      "turn</label>\n"
      "<script class=\"data\" type=\"application/json\">{}</script></figure>\n</div>\n",
      escape_xml(plane.plot.options.title), escape_xml(plane.caption), contour_plot_svg(plane.plot, 520, 460),
      surface_json(plane.plot));
}

std::string slice_html(const LandscapeSlice& slice) {
  return fmt::format("<h2>{}</h2>\n<p class=\"caption\">{}</p>\n<figure><div class=\"paper\">{}</div></figure>\n",
                     escape_xml(slice.options.title), escape_xml(slice.caption),
                     line_plot_svg(slice.options, slice.series, 980, 340));
}

}  // namespace

std::string landscape_html(const LandscapePage& page) {
  std::string body = std::string(style) + header_html(page.title, page.subtitle);
  for (const LandscapePlane& plane : page.planes) body += plane_html(plane);
  for (const LandscapeSlice& slice : page.slices) body += slice_html(slice);
  return html_page(page.title + " – Thalweg", body + std::string(script));
}

}  // namespace thalweg
