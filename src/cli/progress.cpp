#include "cli/progress.hpp"

#include <unistd.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "cli/output.hpp"

namespace thalweg::cli {

namespace {

using namespace std::chrono_literals;
constexpr auto live_interval = 100ms;
constexpr auto line_interval = 5s;

/// The metrics that fit into one line: the loss and the first metric of the validation set, and the watched metric.
std::string metrics_text(const Metrics& metrics, const std::string& watched) {
  std::string text;
  int shown = 0;
  for (const auto& [name, value] : metrics) {
    const bool of_validation = name.starts_with("validation.") && shown < 2;
    if (!of_validation && (watched.empty() || name != watched)) continue;
    text += fmt::format("  {} {}", name, figure(value));
    if (of_validation) ++shown;
  }
  return text;
}

}  // namespace

ProgressStyle progress_style(bool quiet, bool json) {
  if (json) return ProgressStyle::json;
  if (quiet) return ProgressStyle::none;
  return ::isatty(STDERR_FILENO) ? ProgressStyle::live : ProgressStyle::lines;
}

std::string ProgressLine::text() const {
  const double seconds = std::chrono::duration<double>(Clock::now() - began_).count();
  const double steps = static_cast<double>(last_.step - first_step_), rate = seconds > 0 ? steps / seconds : 0;
  const double left = rate > 0 ? static_cast<double>(last_.total_steps - last_.step) / rate : 0;
  std::string reported;
  for (const auto& [name, value] : last_.metrics) reported += fmt::format("  {} {}", name, figure(value));
  if (last_.total_steps == 0) return fmt::format("step {}{}", with_commas(last_.step), reported);
  return fmt::format("epoch {}/{}  step {}/{}  loss {}{}{}  lr {:.3g}  {} samples/s  {} left", last_.epoch,
                     std::max(epochs_, last_.epoch), with_commas(last_.step), with_commas(last_.total_steps),
                     figure(last_.loss), reported, metrics_text(metrics_, watched_), last_.lr,
                     with_commas(seconds > 0 ? static_cast<std::int64_t>(static_cast<double>(samples_) / seconds) : 0),
                     duration_text(left));
}

void ProgressLine::show(bool always) {
  const auto now = Clock::now();
  const auto interval = style_ == ProgressStyle::live ? Clock::duration(live_interval) : Clock::duration(line_interval);
  if (!always && now - shown_ < interval) return;
  shown_ = now;
  if (style_ == ProgressStyle::live) {
    say("\r{}\x1b[K", text());
    live_ = true;
  } else if (style_ == ProgressStyle::lines) {
    say("{}\n", text());
  }
}

void ProgressLine::step(const StepReport& report) {
  if (samples_ == 0) first_step_ = report.step - 1;
  samples_ += report.samples;
  last_ = report;
  if (style_ == ProgressStyle::live || style_ == ProgressStyle::lines) show(false);
}

void ProgressLine::epoch(const EpochReport& report) {
  metrics_ = report.metrics;
  if (style_ == ProgressStyle::live) show(true);
  if (style_ != ProgressStyle::json) return;
  nlohmann::ordered_json line{{"epoch", report.epoch}, {"step", report.step}, {"seconds", report.seconds}};
  for (const auto& [name, value] : report.metrics) line[name] = value;
  emit_line_of(line);
  flush_output();
}

void ProgressLine::finish() {
  if (style_ == ProgressStyle::lines && last_.step > 0) show(true);
  if (live_) say("\n");
  live_ = false;
}

}  // namespace thalweg::cli
